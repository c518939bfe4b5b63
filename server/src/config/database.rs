//! The address of the database.

use super::{Error, source::Values, source::nearest};
use secrecy::{ExposeSecret, SecretString};
use std::fs::File;
use url::Url;

/// Parameters of a PostgreSQL address, as libpq names them, and the driver's own for poolers such as PgBouncer.
const PARAMETERS: [&str; 13] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];
const SSL_MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];
/// Shown in `pg_stat_activity`.
const APPLICATION_NAME: &str = "agent-keys";

pub(super) fn database_url(values: &mut Values) -> Result<Option<SecretString>, Error> {
    let Some((name, url)) = values.secret("database_url", 1)? else {
        return Ok(None);
    };
    let text = url.expose_secret();
    if text.starts_with("sqlite:") {
        return Ok(Some(url));
    }
    if text.starts_with("postgres:") || text.starts_with("postgresql:") {
        return postgres_url(name, text).map(Some);
    }
    let reason = "begin with sqlite:// or postgres://";
    Err(Error::Invalid { name, reason })
}

/// Checks the parameters, which the driver would ignore or print, and gives `sslmode` libpq's meaning:
/// `allow` encrypts where it can, and `require` verifies the certificate if an authority is named.
fn postgres_url(name: String, text: &str) -> Result<SecretString, Error> {
    let invalid = |reason| {
        let name = name.clone();
        Err(Error::Invalid { name, reason })
    };
    let Ok(mut url) = Url::parse(text) else {
        return invalid("use an address such as postgres://user:password@host:5432/database");
    };
    let mut parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    for (parameter, _) in &parameters {
        if !PARAMETERS.contains(&parameter.as_str()) && !parameter.starts_with("options[") {
            return Err(unknown_parameter(name, parameter));
        }
    }
    let value = |wanted: &str| {
        let mut found = parameters
            .iter()
            .filter(|(parameter, _)| parameter == wanted);
        found.next_back().map(|(_, value)| value.as_str())
    };
    let ssl_mode = value("sslmode");
    if ssl_mode.is_some_and(|mode| !SSL_MODES.contains(&mode)) {
        return invalid(
            "sslmode is one of disable, allow, prefer, require, verify-ca and verify-full",
        );
    }
    let authority = value("sslrootcert").filter(|file| *file != "system");
    let is_system = authority.is_none() && value("sslrootcert").is_some();
    let ssl_mode = match (ssl_mode, authority) {
        (None, _) if is_system => "verify-full",
        (Some(mode), _) if is_system && mode != "verify-full" => {
            return invalid("sslrootcert=system needs sslmode=verify-full");
        }
        (Some("verify-ca"), None) => return invalid("sslmode=verify-ca needs sslrootcert"),
        (Some("require"), Some(_)) => "verify-ca",
        (None | Some("allow"), _) => "prefer",
        (Some(mode), _) => mode,
    }
    .to_owned();
    if value("sslcert").is_some() != value("sslkey").is_some() {
        return invalid("give both sslcert and sslkey, or neither");
    }
    let files = [authority, value("sslcert"), value("sslkey")];
    if files
        .into_iter()
        .flatten()
        .any(|file| File::open(file).is_err())
    {
        return invalid("a file of sslrootcert, sslcert or sslkey cannot be read");
    }
    let has_application_name = value("application_name").is_some();
    parameters.retain(|(parameter, value)| {
        parameter != "sslmode" && !(parameter == "sslrootcert" && value == "system")
    });
    parameters.push(("sslmode".to_owned(), ssl_mode));
    if !has_application_name {
        let shown = APPLICATION_NAME.to_owned();
        parameters.push(("application_name".to_owned(), shown));
    }
    url.query_pairs_mut().clear().extend_pairs(parameters);
    Ok(String::from(url).into())
}

/// Names the parameter if it looks like one, and never its value.
fn unknown_parameter(name: String, parameter: &str) -> Error {
    let is_word = |text: &str| {
        text.len() <= 32
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c == '_' || c == '-')
    };
    if !is_word(parameter) {
        let reason = "has a parameter that is not known; write ? in a password as %3F";
        return Error::Invalid { name, reason };
    }
    let known = PARAMETERS.into_iter().map(str::to_owned);
    Error::UnknownParameter {
        name,
        parameter: parameter.to_owned(),
        nearest: nearest(parameter, known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Vec<(String, String)>, String> {
        let url = format!("postgres://keys:hunter2@db.example.com/keys{query}");
        match postgres_url("URL".to_owned(), &url) {
            Ok(url) => {
                let url = Url::parse(url.expose_secret()).unwrap();
                assert_eq!(url.password(), Some("hunter2"));
                Ok(url.query_pairs().into_owned().collect())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn mode(query: &str) -> String {
        let pairs = read(query).unwrap();
        let mut modes = pairs.into_iter().filter(|(name, _)| name == "sslmode");
        modes.next().unwrap().1
    }

    #[test]
    fn sslmode_has_the_meaning_of_libpq() {
        let authority = tempfile::NamedTempFile::new().unwrap();
        let authority = format!("&sslrootcert={}", authority.path().display());
        assert_eq!(mode(""), "prefer");
        assert_eq!(mode("?sslmode=disable"), "disable");
        assert_eq!(mode("?sslmode=allow"), "prefer");
        assert_eq!(mode("?sslmode=require"), "require");
        assert_eq!(mode(&format!("?sslmode=require{authority}")), "verify-ca");
        assert_eq!(mode(&format!("?sslmode=verify-ca{authority}")), "verify-ca");
        assert_eq!(mode("?sslmode=verify-full"), "verify-full");
        assert_eq!(mode("?sslrootcert=system"), "verify-full");
        for bad in [
            "?sslmode=verify",
            "?sslmode=verify-ca",
            "?sslmode=require&sslrootcert=system",
            "?sslmode=verify-full&sslrootcert=/no/such/file",
            "?sslcert=/dev/null",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_parameter_is_named_without_its_value() {
        assert_eq!(
            read("?pasword=hunter3").unwrap_err(),
            "URL: unknown parameter pasword; did you mean password?"
        );
        let error = read("?sslmod=verify-full").unwrap_err();
        assert!(error.ends_with("did you mean sslmode?"), "{error}");
        let error = read("?hunter3=x").unwrap_err();
        assert!(!error.contains("hunter3"), "{error}");
    }

    #[test]
    fn application_name_can_be_given() {
        let name = |query| {
            let pairs = read(query).unwrap();
            let mut names = pairs
                .into_iter()
                .filter(|(name, _)| name == "application_name");
            names.next().unwrap().1
        };
        assert_eq!(name(""), "agent-keys");
        assert_eq!(name("?application_name=other"), "other");
    }
}
