//! The server key of a database, and what restores and changes of the key leave in the audit log.

use crate::{
    binary::{Running, command, fails},
    support::{
        PASSWORD,
        events::{event_context, intent},
        postgres::Postgres,
    },
};
use platform::Random;
use serde_json::Value;
use server::{
    audit::{AuditWriter, verify::verify as verify_store},
    sessions::ServerKey,
    store::{Error, KeyMatch, Store},
};
use sqlx::{Connection, SqliteConnection};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const OTHER_KEY: &str = "fedcba9876543210fedcba9876543210";

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn verify(data_dir: &Path) -> String {
    succeeds(command(data_dir).args(["audit", "verify"]))
}

/// Runs the application once, with a sign-in of its superuser; the cookie of that session.
async fn sign_in_once(data_dir: &Path) -> Option<String> {
    let running = Running::start(command(data_dir).env("ELASTIC_PASSWORD", PASSWORD));
    let mut browser = running.browser();
    assert_eq!(browser.sign_in("elastic", PASSWORD).await.status, 200);
    running.stop();
    browser.cookie
}

/// The actions of the log, oldest first, with their details.
async fn actions(data_dir: &Path) -> Vec<(String, Value)> {
    let mut database = database(data_dir).await;
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT action, details FROM audit_events ORDER BY sequence")
            .fetch_all(&mut database)
            .await
            .unwrap();
    let read =
        |(action, details): (String, String)| (action, serde_json::from_str(&details).unwrap());
    rows.into_iter().map(read).collect()
}

async fn database(data_dir: &Path) -> SqliteConnection {
    let url = format!("sqlite://{}", data_dir.join("agent-keys.db").display());
    SqliteConnection::connect(&url).await.unwrap()
}

fn data_dir() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    (directory, data_dir)
}

#[tokio::test]
async fn missing_or_other_server_key_is_refused_with_both_ways_out() {
    let (_directory, data_dir) = data_dir();
    sign_in_once(&data_dir).await;
    let key_file = data_dir.join("server.key");
    let key = fs::read(&key_file).unwrap();
    fs::remove_file(&key_file).unwrap();
    let missing = fails(&mut command(&data_dir));
    let given = fails(command(&data_dir).env("AGENT_KEYS_SERVER_KEY", OTHER_KEY));
    let write_key = |key: &[u8]| {
        fs::write(&key_file, key).unwrap();
        fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write_key(OTHER_KEY.repeat(2).as_bytes());
    let other = fails(&mut command(&data_dir));
    for (error, way_out) in [
        (&missing, "put server.key back into"),
        (&given, "put that one back"),
        (&other, "put that one back"),
    ] {
        assert!(error.contains(way_out), "{error}");
        assert!(error.contains("agent-keys rekey"), "{error}");
    }
    let error = fails(command(&data_dir).args(["audit", "verify"]));
    assert!(error.contains("another server key"), "{error}");
    // A refusal makes no key, writes nothing, and the right key still fits.
    write_key(&key);
    verify(&data_dir);
    Running::start(&mut command(&data_dir)).stop();
}

#[tokio::test]
async fn refused_start_makes_no_server_key() {
    let (_directory, data_dir) = data_dir();
    sign_in_once(&data_dir).await;
    fs::remove_file(data_dir.join("server.key")).unwrap();
    fails(&mut command(&data_dir));
    assert!(!data_dir.join("server.key").exists());
}

#[tokio::test]
async fn replica_without_the_shared_server_key_is_refused() {
    let postgres = Postgres::start();
    let directory = tempfile::tempdir().unwrap();
    let replica = |name: &str| {
        let mut command = command(&directory.path().join(name));
        command
            .env("AGENT_KEYS_DATABASE_URL", postgres.url())
            .env("AGENT_KEYS_ELASTICSEARCH_URL", "http://127.0.0.1:9");
        command
    };
    let started = |command: &mut Command| {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        let _ = child.kill();
        child.wait().unwrap();
        line.starts_with("Agent Keys is ready")
    };
    assert!(started(replica("one").env("AGENT_KEYS_SERVER_KEY", KEY)));
    let error = fails(&mut replica("two"));
    assert!(error.contains("set AGENT_KEYS_SERVER_KEY"), "{error}");
    assert!(!directory.path().join("two/server.key").exists());
    let error = fails(replica("three").env("AGENT_KEYS_SERVER_KEY", OTHER_KEY));
    assert!(error.contains("another server key"), "{error}");
    // The control: with the shared key it starts.
    assert!(started(replica("two").env("AGENT_KEYS_SERVER_KEY", KEY)));
}

#[tokio::test]
async fn rekey_ends_sessions_and_seals_the_audit_log() {
    let (_directory, data_dir) = data_dir();
    let cookie = sign_in_once(&data_dir).await;
    assert!(verify(&data_dir).contains("rows verified"));
    fs::remove_file(data_dir.join("server.key")).unwrap();
    let told = succeeds(command(&data_dir).arg("rekey"));
    assert!(told.contains("Sessions ended: 1"), "{told}");
    // There is nothing left to do.
    let error = fails(command(&data_dir).arg("rekey"));
    assert!(error.contains("this server key already"), "{error}");

    let running = Running::start(&mut command(&data_dir));
    let mut browser = running.browser();
    browser.cookie = cookie;
    assert_eq!(browser.get("/settings/agent-keys").await.status, 303);
    assert_eq!(browser.sign_in("elastic", PASSWORD).await.status, 200);
    running.stop();
    let told = verify(&data_dir);
    assert!(
        told.contains("Sealed when the server key was replaced: "),
        "{told}"
    );
    let (_, details) = actions(&data_dir)
        .await
        .into_iter()
        .find(|(action, _)| action == "server_key_change")
        .unwrap();
    assert_eq!(details["ended_sessions"], 1);
    // What was sealed is still protected.
    let mut attacker = database(&data_dir).await;
    let edit = "DROP TRIGGER audit_events_stay; \
                UPDATE audit_events SET record = REPLACE(record, 'success', 'failure'), \
                outcome = 'failure' WHERE sequence = 1";
    sqlx::raw_sql(edit).execute(&mut attacker).await.unwrap();
    let error = fails(command(&data_dir).args(["audit", "verify"]));
    assert!(error.contains("row 1 was edited"), "{error}");
}

#[tokio::test]
async fn second_rekey_seals_everything_anew() {
    let (_directory, data_dir) = data_dir();
    sign_in_once(&data_dir).await;
    for _ in 0..2 {
        fs::remove_file(data_dir.join("server.key")).unwrap();
        succeeds(command(&data_dir).arg("rekey"));
        verify(&data_dir);
    }
}

#[tokio::test]
async fn restore_is_recorded_and_the_log_verifies_at_once_and_later() {
    let (directory, data_dir) = data_dir();
    sign_in_once(&data_dir).await;
    let copy = directory.path().join("backup.db");
    succeeds(command(&data_dir).arg("backup").arg(&copy));
    for _ in 0..2 {
        sign_in_once(&data_dir).await;
    }
    let before = actions(&data_dir).await.len();
    succeeds(command(&data_dir).arg("restore").arg(&copy));
    let told = verify(&data_dir);
    assert!(
        told.contains("records that a backup was restored"),
        "{told}"
    );
    let log = actions(&data_dir).await;
    let (action, details) = log.last().unwrap();
    assert_eq!(action, "database_restore");
    assert_eq!(details["replaced"]["sequence"], before);
    sign_in_once(&data_dir).await;
    verify(&data_dir);
    // A backup file verifies by itself, too.
    let url = format!("sqlite://{}", copy.display());
    let elsewhere = directory.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::copy(data_dir.join("server.key"), elsewhere.join("server.key")).unwrap();
    succeeds(
        command(&elsewhere)
            .env("AGENT_KEYS_DATABASE_URL", url)
            .args(["audit", "verify"]),
    );
}

#[tokio::test]
async fn older_database_without_a_recorded_restore_does_not_verify() {
    let (directory, data_dir) = data_dir();
    sign_in_once(&data_dir).await;
    let copy = directory.path().join("backup.db");
    succeeds(command(&data_dir).arg("backup").arg(&copy));
    sign_in_once(&data_dir).await;
    // As by an attacker who cuts the end off.
    fs::copy(&copy, data_dir.join("agent-keys.db")).unwrap();
    let error = fails(command(&data_dir).args(["audit", "verify"]));
    assert!(error.contains("was cut off"), "{error}");
    sign_in_once(&data_dir).await;
    sign_in_once(&data_dir).await;
    let error = fails(command(&data_dir).args(["audit", "verify"]));
    assert!(error.contains("was written anew"), "{error}");
}

#[tokio::test]
async fn retention_removes_sealed_events_and_the_rest_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let writer = |key: &str| {
        let key = ServerKey::given(key.into());
        AuditWriter::new(key.audit_key().unwrap(), Random)
    };
    let open = |key| Store::open(None, directory.path(), writer(key));
    let old = open(KEY).await.unwrap();
    assert_eq!(old.adopt_server_key().await.unwrap(), KeyMatch::Same);
    for number in 0..8 {
        let (intent, context) = (intent(number), event_context(number));
        old.record(&intent, &context).await.unwrap();
    }
    let new = open(OTHER_KEY).await.unwrap();
    assert_eq!(new.compare_server_key().await.unwrap(), KeyMatch::Other);
    let context = event_context(8);
    let rekeyed = new.replace_server_key(&context).await.unwrap().unwrap();
    assert_eq!(rekeyed.events, 8);
    // A process that still has the old key writes nothing.
    let refused = old.record(&intent(9), &event_context(9)).await;
    assert!(matches!(refused, Err(Error::OtherServerKey)), "{refused:?}");
    let before = event_context(4).at;
    let removed = new.delete_expired_events(before, before, 100, &context);
    assert_eq!(removed.await.unwrap(), 4);
    let verified = verify_store(&new, &[]).await.unwrap();
    assert_eq!((verified.sealed, verified.rows), (4, 6));
    new.close().await;
    old.close().await;
}
