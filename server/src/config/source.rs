//! Sources of settings: the file and the environment, under one set of names.

use super::{
    Error, FILE_DEFAULT, LogFormat,
    file::{read_limited, read_settings_file},
    kubernetes,
};
use secrecy::SecretString;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Names of the settings in the file.
const NAMES: [&str; 25] = [
    "listen",
    "insecure_http",
    "trusted_proxies",
    "connections_max",
    "host_names",
    "data_dir",
    "log",
    "log_format",
    "audit_log",
    "audit_retention_days",
    "metrics.listen",
    "redirect.listen",
    "tls.cert_file",
    "tls.key_file",
    "embedded.listen",
    "elasticsearch.url",
    "elasticsearch.ca_file",
    "elasticsearch.ca_fingerprint",
    "elasticsearch.client_cert_file",
    "elasticsearch.client_key_file",
    "base_path",
    "public_url",
    "service.username",
    "access.kibana_feature",
    "access.kibana_space",
];
/// Secrets, which may also come from a file.
const SECRETS: [&str; 4] = [
    "database_url",
    "server_key",
    "service.password",
    "elasticsearch.proxy",
];
/// The one secret with another name, known from Elasticsearch's container image.
const ELASTIC_PASSWORD: &str = "ELASTIC_PASSWORD";
const ELASTIC_PASSWORD_KEY: &str = "embedded.elastic_password";
/// Prefix of all other variables.
const PREFIX: &str = "AGENT_KEYS_";
/// Longer than any path or list of networks.
const VALUE_BYTES_MAX: usize = 8 * 1024;

/// Similarity from which a known name is suggested for an unknown one.
const SIMILARITY_MIN: f64 = 0.6;

/// Environment variables, of the process or of a test.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// The environment of this process, which is read only here.
    pub fn of_process() -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Self(std::env::vars_os().filter_map(named).collect())
    }

    /// The format of the log, for an error of the settings themselves.
    pub fn log_format(&self) -> LogFormat {
        let value = self.0.get("AGENT_KEYS_LOG_FORMAT");
        match value.and_then(|value| value.to_str()) {
            Some("json") => LogFormat::Json,
            _ => LogFormat::Text,
        }
    }
}

impl<N: Into<String>, V: Into<OsString>, const COUNT: usize> From<[(N, V); COUNT]> for Environment {
    fn from(pairs: [(N, V); COUNT]) -> Self {
        let pair = |(name, value): (N, V)| (name.into(), value.into());
        Self(pairs.into_iter().map(pair).collect())
    }
}

/// A setting, for an administrator who asks what is in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownSetting {
    /// Name in the settings file.
    pub name: String,
    /// Where it comes from: the variable, or the settings file; `None` for the default.
    pub source: Option<String>,
    /// `None` for a secret and for a default.
    pub value: Option<String>,
}

/// The given values, by their names in the file. Reading a value removes it.
pub(super) struct Values(BTreeMap<String, Given>);

/// A value, and the name under which it was given, for errors.
struct Given {
    name: String,
    value: String,
}

impl Values {
    /// Reads all but those whose names, as they were given, are `ignored`.
    pub(super) fn read(
        file: Option<&Path>,
        environment: &Environment,
        ignored: &BTreeSet<String>,
    ) -> Result<Self, Error> {
        let mut values = BTreeMap::new();
        if let Some((path, text)) = read_settings_file(file)? {
            let not_toml = |error: toml::de::Error| Error::NotToml {
                line: line_of(&text, error.span().map_or(0, |span| span.start)),
                path: path.clone(),
            };
            let table: toml::Table = toml::from_str(&text).map_err(not_toml)?;
            flatten("", table, ignored, &mut values)?;
        }
        for (name, value) in &environment.0 {
            if ignored.contains(name) {
                continue;
            }
            let value = value.to_str();
            let key = match key_of(name) {
                Variable::Other => continue,
                Variable::Setting(key) => key,
                Variable::Unknown(rest) => match value {
                    Some(value) if kubernetes::sets(&rest, value) => continue,
                    _ => return Err(unknown(name, variable_of)),
                },
            };
            let value = value.ok_or_else(|| Error::Invalid {
                name: name.clone(),
                reason: "is not UTF-8",
            })?;
            // A secret file in the environment also overrides a value in the settings file.
            let other = match key.strip_suffix("_file") {
                Some(plain) if is_secret(plain) => plain.to_owned(),
                _ => format!("{key}_file"),
            };
            if values.get(&other).is_some_and(|given| given.name == other) {
                values.remove(&other);
            }
            let given = Given {
                name: name.clone(),
                value: value.to_owned(),
            };
            values.insert(key, given);
        }
        for (key, given) in &values {
            if let Some(reason) = flaw(key, &given.value) {
                let name = given.name.clone();
                return Err(Error::Invalid { name, reason });
            }
        }
        Ok(Self(values))
    }

    /// Every setting with its source, and with its value unless it is a secret.
    pub(super) fn shown(&self, file: Option<&Path>) -> Vec<ShownSetting> {
        let secrets = SECRETS.into_iter().chain([ELASTIC_PASSWORD_KEY]);
        let mut keys: Vec<&str> = NAMES.into_iter().chain(secrets).collect();
        keys.sort_unstable();
        let settings = keys.into_iter().map(|key| {
            let of_file = self.0.get(&format!("{key}_file"));
            let given = self.0.get(key).or(of_file.filter(|_| is_secret(key)));
            let source = given.map(|given| match key_of(&given.name) {
                Variable::Setting(_) => given.name.clone(),
                _ => file
                    .unwrap_or(Path::new(FILE_DEFAULT))
                    .display()
                    .to_string(),
            });
            let value = given.filter(|_| !is_secret(key));
            ShownSetting {
                name: key.to_owned(),
                source,
                value: value.map(|given| given.value.clone()),
            }
        });
        settings.collect()
    }

    /// A value and the name under which it was given.
    pub(super) fn named_text(&mut self, key: &str) -> Option<(String, String)> {
        let given = self.0.remove(key)?;
        Some((given.name, given.value))
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.named_text(key).map(|(_, value)| value)
    }

    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    pub(super) fn address(&mut self, key: &str, default: SocketAddr) -> Result<SocketAddr, Error> {
        Ok(self.address_if_given(key)?.unwrap_or(default))
    }

    pub(super) fn address_if_given(&mut self, key: &str) -> Result<Option<SocketAddr>, Error> {
        let Some((name, value)) = self.named_text(key) else {
            return Ok(None);
        };
        let address = value.parse().map_err(|_| Error::Invalid {
            name,
            reason: "use an IP address and a port, such as 127.0.0.1:5680",
        })?;
        Ok(Some(address))
    }

    pub(super) fn switch(&mut self, key: &str, default: bool) -> Result<bool, Error> {
        match self.named_text(key) {
            None => Ok(default),
            Some((_, value)) if value == "true" => Ok(true),
            Some((_, value)) if value == "false" => Ok(false),
            Some((name, _)) => Err(Error::Invalid {
                name,
                reason: "use true or false",
            }),
        }
    }

    /// One of the words in `choices`. The first is the default.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        choices: &[(&str, T); 2],
        reason: &'static str,
    ) -> Result<T, Error> {
        let Some((name, value)) = self.named_text(key) else {
            return Ok(choices[0].1);
        };
        choices
            .iter()
            .find(|(word, _)| *word == value)
            .map(|(_, choice)| *choice)
            .ok_or(Error::Invalid { name, reason })
    }

    /// A secret of at least `characters_min` characters, and the name under which it was given.
    pub(super) fn secret(
        &mut self,
        key: &str,
        characters_min: usize,
    ) -> Result<Option<(String, SecretString)>, Error> {
        let value = self.named_text(key);
        let file = self.named_text(&format!("{key}_file"));
        let (name, text) = match (value, file) {
            (Some((name, _)), Some(_)) => return Err(Error::Twice(name)),
            (Some((name, value)), None) => (name, Zeroizing::new(value)),
            (None, Some((name, path))) => match read_limited(Path::new(&path)) {
                Ok(text) => (name, Zeroizing::new(text)),
                Err(source) => return Err(Error::SecretFile { name, source }),
            },
            (None, None) => return Ok(None),
        };
        match parse_secret(&text, characters_min) {
            Ok(secret) => Ok(Some((name, secret))),
            Err(flaw) => Err(Error::Secret { name, flaw }),
        }
    }
}

/// The reason why no setting can have this value. Secrets have reasons of their own.
fn flaw(key: &str, value: &str) -> Option<&'static str> {
    if value.trim().is_empty() {
        // A variable that a template left empty would otherwise silently mean the default.
        Some("is empty; give it a value or leave it out")
    } else if value.len() > VALUE_BYTES_MAX {
        Some("is longer than 8 KiB")
    } else if is_secret(key) {
        None
    } else if value.starts_with('\u{feff}') {
        Some("begins with a byte order mark; leave it out")
    } else if value.contains(char::is_control) {
        Some("holds a line break or another control character")
    } else {
        None
    }
}

/// The reason why a secret is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFlaw {
    #[error("the secret is empty")]
    Empty,
    #[error("the secret begins with a byte order mark; store it as UTF-8 without one")]
    ByteOrderMark,
    #[error("the secret begins or ends with white space besides one line break at its end")]
    OuterWhiteSpace,
    #[error("the secret holds a line break or another control character")]
    ControlCharacter,
    #[error("the secret has fewer than {characters_min} characters")]
    Short { characters_min: usize },
}

/// Removes the line break that editors and `echo` append, and refuses any other text that was hardly meant.
fn parse_secret(text: &str, characters_min: usize) -> Result<SecretString, SecretFlaw> {
    let secret = text.strip_suffix('\n').unwrap_or(text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    let flaw = if secret.starts_with('\u{feff}') {
        SecretFlaw::ByteOrderMark
    } else if secret.trim().is_empty() {
        SecretFlaw::Empty
    } else if secret.trim() != secret {
        SecretFlaw::OuterWhiteSpace
    } else if secret.contains(char::is_control) {
        SecretFlaw::ControlCharacter
    } else if secret.chars().count() < characters_min {
        SecretFlaw::Short { characters_min }
    } else {
        return Ok(secret.into());
    };
    Err(flaw)
}

fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key) || key == ELASTIC_PASSWORD_KEY
}

fn is_known(key: &str) -> bool {
    let secret_file = key.strip_suffix("_file").is_some_and(is_secret);
    NAMES.contains(&key) || is_secret(key) || secret_file
}

/// An environment variable.
#[derive(Debug, PartialEq, Eq)]
enum Variable {
    /// Without our prefix.
    Other,
    /// The name of the setting in the file.
    Setting(String),
    /// The rest of the name after our prefix.
    Unknown(String),
}

fn key_of(variable: &str) -> Variable {
    match variable.strip_prefix(ELASTIC_PASSWORD) {
        Some("") => return Variable::Setting(ELASTIC_PASSWORD_KEY.to_owned()),
        Some("_FILE") => return Variable::Setting(format!("{ELASTIC_PASSWORD_KEY}_file")),
        _ => {}
    }
    let Some(rest) = variable.strip_prefix(PREFIX) else {
        return Variable::Other;
    };
    let lower = rest.to_ascii_lowercase();
    let sections = [
        "metrics",
        "tls",
        "redirect",
        "embedded",
        "elasticsearch",
        "service",
        "access",
    ];
    let dotted = lower
        .split_once('_')
        .filter(|(section, _)| sections.contains(section))
        .map_or(lower.clone(), |(section, key)| format!("{section}.{key}"));
    if is_known(&dotted) {
        Variable::Setting(dotted)
    } else {
        Variable::Unknown(rest.to_owned())
    }
}

/// The names of a setting, given in either way, in both ways.
pub(super) fn names_of(name: &str) -> Vec<String> {
    match key_of(name) {
        Variable::Setting(key) => vec![name.to_owned(), key],
        _ => vec![name.to_owned()],
    }
}

/// The environment variable of a setting.
fn variable_of(key: &str) -> String {
    match key.strip_prefix(ELASTIC_PASSWORD_KEY) {
        Some(rest) => format!("{ELASTIC_PASSWORD}{}", rest.to_ascii_uppercase()),
        None => format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase()),
    }
}

/// The error for an unknown name, with the known name that is most like it. `shown` is a known name as it would be given
/// in the same place.
fn unknown(name: &str, shown: impl Fn(&str) -> String) -> Error {
    let secrets = SECRETS.into_iter().chain([ELASTIC_PASSWORD_KEY]);
    let files = secrets.clone().map(|key| format!("{key}_file"));
    let known = NAMES.into_iter().chain(secrets).map(str::to_owned);
    Error::Unknown {
        name: name.to_owned(),
        nearest: nearest(name, known.chain(files).map(|key| shown(&key))),
    }
}

/// The known name that is most like `name`, if any is.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    // The prefix is the same in all.
    let plain = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
    let similarity =
        |known: &str| strsim::normalized_damerau_levenshtein(&plain(name), &plain(known));
    known
        .map(|known| (similarity(&known), known))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

fn flatten(
    prefix: &str,
    table: toml::Table,
    ignored: &BTreeSet<String>,
    values: &mut BTreeMap<String, Given>,
) -> Result<(), Error> {
    for (key, value) in table {
        let name = if prefix.is_empty() {
            key
        } else {
            format!("{prefix}.{key}")
        };
        if ignored.contains(&name) {
            continue;
        }
        let value = match value {
            toml::Value::Table(table) if prefix.is_empty() => {
                flatten(&name, table, ignored, values)?;
                continue;
            }
            toml::Value::String(text) => text,
            toml::Value::Boolean(switch) => switch.to_string(),
            toml::Value::Integer(number) => number.to_string(),
            _ if !is_known(&name) => return Err(unknown(&name, str::to_owned)),
            _ => {
                let reason = "use a text, a number, true or false";
                return Err(Error::Invalid { name, reason });
            }
        };
        if !is_known(&name) {
            return Err(unknown(&name, str::to_owned));
        }
        values.insert(name.clone(), Given { name, value });
    }
    Ok(())
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    const DOCUMENTATION: &str = include_str!("../../../docs/settings.md");

    /// The text in backticks at the beginning of a table's cell.
    fn code(cell: &str) -> Option<&str> {
        cell.trim().strip_prefix('`')?.split('`').next()
    }

    #[test]
    fn every_setting_is_documented_with_both_names() {
        let mut documented: Vec<&str> = Vec::new();
        for row in DOCUMENTATION.lines() {
            let mut cells = row.split('|').skip(1);
            let (variable, name) = (cells.next().and_then(code), cells.next().and_then(code));
            if let (Some(variable), Some(name)) = (variable, name) {
                assert_eq!(key_of(variable), Variable::Setting(name.to_owned()));
                assert_eq!(variable_of(name), variable);
                documented.push(name);
            }
        }
        documented.sort_unstable();
        let mut known = [NAMES.as_slice(), SECRETS.as_slice()].concat();
        known.sort_unstable();
        assert_eq!(documented, known);
    }

    #[test]
    fn secret_loses_one_line_break_and_no_other_character() {
        for (text, secret) in [
            ("correct", "correct"),
            ("correct\n", "correct"),
            ("correct\r\n", "correct"),
            ("correct horse\n", "correct horse"),
        ] {
            assert_eq!(parse_secret(text, 6).unwrap().expose_secret(), secret);
        }
    }

    #[test]
    fn secret_that_was_hardly_meant_is_refused() {
        for (text, flaw) in [
            ("", SecretFlaw::Empty),
            ("\n", SecretFlaw::Empty),
            ("\r\n", SecretFlaw::Empty),
            (" \t ", SecretFlaw::Empty),
            ("\n\n\n", SecretFlaw::Empty),
            ("\u{feff}correct", SecretFlaw::ByteOrderMark),
            ("\u{feff}", SecretFlaw::ByteOrderMark),
            (" correct", SecretFlaw::OuterWhiteSpace),
            ("correct ", SecretFlaw::OuterWhiteSpace),
            ("correct \n", SecretFlaw::OuterWhiteSpace),
            ("correct\n\n", SecretFlaw::OuterWhiteSpace),
            ("correct\u{a0}", SecretFlaw::OuterWhiteSpace),
            ("correct\nhorse", SecretFlaw::ControlCharacter),
            ("correct\0horse", SecretFlaw::ControlCharacter),
            ("short", SecretFlaw::Short { characters_min: 6 }),
        ] {
            assert_eq!(parse_secret(text, 6).unwrap_err(), flaw, "{text:?}");
        }
    }

    #[test]
    fn unknown_name_comes_with_the_nearest_known_one() {
        let nearest = |name: &str| match unknown(name, variable_of) {
            Error::Unknown { nearest, .. } => nearest,
            _ => None,
        };
        for (name, expected) in [
            ("AGENT_KEYS_LISTN", "AGENT_KEYS_LISTEN"),
            ("AGENT_KEYS_DATADIR", "AGENT_KEYS_DATA_DIR"),
            (
                "AGENT_KEYS_ELASTIC_SEARCH_URL",
                "AGENT_KEYS_ELASTICSEARCH_URL",
            ),
            ("AGENT_KEYS_SERVERKEY_FILE", "AGENT_KEYS_SERVER_KEY_FILE"),
            ("AGENT_KEYS_ELASTIC_PASSWORD", "ELASTIC_PASSWORD"),
        ] {
            assert_eq!(nearest(name).as_deref(), Some(expected));
        }
        assert_eq!(nearest("AGENT_KEYS_TEST_POSTGRES_URL"), None);
    }
}
