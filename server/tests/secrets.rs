//! Secrets among the settings: from the environment or a file, and refused when they were hardly meant.

use crate::configuration::{read, read_file};
use secrecy::ExposeSecret;
use server::config::Elasticsearch;

#[test]
fn secret_may_come_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    std::fs::write(&path, "postgres://u:hunter2@db/keys\n").unwrap();
    let path = path.to_str().unwrap();
    let config = read([("AGENT_KEYS_DATABASE_URL_FILE", path)]).unwrap();
    let url = config.database_url.unwrap();
    let expected = "postgres://u:hunter2@db/keys?sslmode=prefer&application_name=agent-keys";
    assert_eq!(url.expose_secret(), expected);
    let text = "database_url = \"sqlite://old.db\"";
    let config = read_file(text, [("AGENT_KEYS_DATABASE_URL_FILE", path)]).unwrap();
    assert!(
        config
            .database_url
            .unwrap()
            .expose_secret()
            .starts_with("postgres:")
    );
    let config = read([("ELASTIC_PASSWORD_FILE", path)]).unwrap();
    assert!(matches!(
        config.elasticsearch,
        Elasticsearch::Embedded {
            elastic_password: Some(_),
            ..
        }
    ));
}

#[test]
fn unusable_secret_is_refused_with_the_reason_in_environment_and_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    let names = [
        "ELASTIC_PASSWORD",
        "AGENT_KEYS_SERVER_KEY",
        "AGENT_KEYS_SERVICE_PASSWORD",
        "AGENT_KEYS_DATABASE_URL",
        "AGENT_KEYS_ELASTICSEARCH_PROXY",
    ];
    let long = "0123456789abcdef0123456789abcdef";
    let cases = [
        ("\n".to_owned(), "empty"),
        ("\r\n".to_owned(), "empty"),
        (format!("\u{feff}{long}"), "byte order mark"),
        (format!("{long} \n"), "white space"),
        (format!(" {long}"), "white space"),
        (format!("{long}\n\n"), "white space"),
        (format!("{long}\n{long}"), "control character"),
    ];
    for name in names {
        for (text, reason) in &cases {
            std::fs::write(&path, text).unwrap();
            let in_file = format!("{name}_FILE");
            let given = [(in_file.as_str(), path.to_str().unwrap())];
            let error = read(given).unwrap_err().to_string();
            let expected = format!("{in_file}: the secret ");
            assert!(
                error.starts_with(&expected) && error.contains(reason),
                "{error}"
            );
            let error = read([(name, text.as_str())]).unwrap_err().to_string();
            assert!(error.starts_with(name) && error.contains(reason), "{error}");
            assert!(!error.contains(long), "{error}");
        }
        // An empty file is refused like an empty line.
        std::fs::write(&path, "").unwrap();
        let given = [(format!("{name}_FILE"), path.to_str().unwrap().to_owned())];
        let given = given
            .each_ref()
            .map(|(name, path)| (name.as_str(), path.as_str()));
        assert!(read(given).unwrap_err().to_string().contains("is empty"));
    }
    for (name, short) in [
        ("ELASTIC_PASSWORD", "short"),
        ("AGENT_KEYS_SERVICE_PASSWORD", "short"),
        ("AGENT_KEYS_SERVER_KEY", &long[1..]),
    ] {
        let error = read([(name, short)]).unwrap_err().to_string();
        assert!(error.contains("the secret has fewer than"), "{error}");
    }
    let repeated = "ab".repeat(32);
    let error = read([("AGENT_KEYS_SERVER_KEY", repeated.as_str())]);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("repeats few characters")
    );
    assert!(read([("AGENT_KEYS_SERVER_KEY", long)]).is_ok());
}

#[test]
fn service_user_may_come_from_the_environment() {
    let config = read([
        ("AGENT_KEYS_SERVICE_USERNAME", "keeper"),
        ("AGENT_KEYS_SERVICE_PASSWORD", "hunter2"),
    ]);
    assert_eq!(config.unwrap().service.unwrap().username(), "keeper");
    let error = read([("AGENT_KEYS_SERVICE_USERNAME", "keeper")]).unwrap_err();
    assert!(error.to_string().contains("AGENT_KEYS_SERVICE_PASSWORD"));
}
