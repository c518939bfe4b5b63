//! The connection to PostgreSQL: encrypted and verified as `sslmode` says, and failures that name their cause.

use crate::{
    binary::{command, fails},
    support::postgres::Postgres,
    transport_tls::Authority,
};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::Command,
};

fn against(data_dir: &Path, url: &str) -> Command {
    let mut command = command(data_dir);
    command
        .env("AGENT_KEYS_DATABASE_URL", url)
        .env("AGENT_KEYS_SERVER_KEY", "0123456789abcdef0123456789abcdef")
        .env("AGENT_KEYS_ELASTICSEARCH_URL", "http://127.0.0.1:9");
    command
}

/// Starts it, ends it, and returns its log.
fn log_of(command: &mut Command) -> String {
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let kill = Command::new("kill").arg(child.id().to_string()).status();
    assert!(kill.unwrap().success());
    let mut log = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("Agent Keys is ready"), "{log}");
    log
}

#[test]
fn connection_is_encrypted_and_verified_as_sslmode_says() {
    let authority = Authority::new("database authority");
    let postgres = Postgres::with_tls(&authority, "127.0.0.1");
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let right = file("right.pem", authority.pem());
    let wrong = file("wrong.pem", Authority::new("another").pem());
    let data_dir = directory.path().join("data");
    let with = |parameters: &str| against(&data_dir, &postgres.url_with("keys", parameters));

    let encrypted = "the connection to PostgreSQL is encrypted version=\"TLSv1.3\"";
    for parameters in [
        String::new(),
        "sslmode=allow".to_owned(),
        "sslmode=require".to_owned(),
        format!("sslmode=verify-ca&sslrootcert={right}"),
        format!("sslmode=verify-full&sslrootcert={right}"),
    ] {
        let log = log_of(&mut with(&parameters));
        assert!(log.contains(encrypted), "{parameters}: {log}");
    }
    let log = log_of(&mut with("sslmode=disable"));
    assert!(log.contains("on this machine is not encrypted"), "{log}");

    for parameters in [
        format!("sslmode=require&sslrootcert={wrong}"),
        format!("sslmode=verify-ca&sslrootcert={wrong}"),
        format!("sslmode=verify-full&sslrootcert={wrong}"),
        "sslmode=verify-full".to_owned(),
    ] {
        let error = fails(&mut with(&parameters));
        assert!(error.contains("invalid peer certificate"), "{error}");
    }
    let named = Postgres::with_tls(&authority, "db.example.com");
    let parameters = format!("sslmode=verify-full&sslrootcert={right}");
    let error = fails(&mut against(
        &data_dir,
        &named.url_with("keys", &parameters),
    ));
    assert!(error.contains("not valid for name"), "{error}");
    // The control: without the name, the same certificate is accepted.
    let parameters = format!("sslmode=verify-ca&sslrootcert={right}");
    log_of(&mut against(
        &data_dir,
        &named.url_with("keys", &parameters),
    ));
}

#[test]
fn client_certificate_is_shown_to_the_database() {
    let authority = Authority::new("database authority");
    let postgres = Postgres::with_tls(&authority, "127.0.0.1");
    postgres.run("CREATE ROLE certified LOGIN SUPERUSER");
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = authority.issue("certified", false);
    let (cert_file, key_file) = (
        directory.path().join("c.pem"),
        directory.path().join("c.key"),
    );
    fs::write(&cert_file, certificate).unwrap();
    fs::write(&key_file, key).unwrap();
    let data_dir = directory.path().join("data");
    let pair = format!(
        "sslcert={}&sslkey={}",
        cert_file.display(),
        key_file.display()
    );
    log_of(&mut against(
        &data_dir,
        &postgres.url_with("certified", &pair),
    ));
    let without = postgres.url_with("certified", "sslmode=require");
    let error = fails(&mut against(&data_dir, &without));
    assert!(error.contains("certificate"), "{error}");
}

#[test]
fn application_name_is_shown_to_the_database() {
    let postgres = Postgres::start();
    let directory = tempfile::tempdir().unwrap();
    let mut child = against(&directory.path().join("data"), postgres.url())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let connected = "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_stat_activity \
                     WHERE application_name = 'agent-keys' AND datname = current_database()) \
                     THEN RAISE 'not shown'; END IF; END $$";
    postgres.run(connected);
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn failed_connection_names_its_cause_once() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let refused = "postgres://keys:hunter2@127.0.0.1:1/keys";
    let error = fails(&mut against(&data_dir, refused));
    assert_eq!(error.matches("Connection refused").count(), 1, "{error}");
    assert!(
        !error.contains("hunter2") && !error.contains("timed out"),
        "{error}"
    );
    let mistyped = "postgres://keys@127.0.0.1:1/keys?pasword=hunter2";
    let error = fails(&mut against(&data_dir, mistyped));
    assert!(error.contains("unknown parameter pasword"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}
