//! `agent-keys doctor`, in a process of its own.

use crate::{
    backups::edit_audit_log,
    binary::{Running, command},
    support::{PASSWORD, engine::Engine, process::Process, proxy::Proxy, self_signed},
};
use platform::Clock;
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

/// The lines of a report, and if no fault was found.
fn report(command: &mut Command) -> (Vec<String>, bool) {
    let output = command.arg("doctor").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.is_empty(), "{output:?}");
    assert!(!text.contains(PASSWORD), "{text}");
    (
        text.lines().map(str::to_owned).collect(),
        output.status.success(),
    )
}

fn holds(lines: &[String], verdict: &str, subject: &str, text: &str) {
    let found = lines.iter().any(|line| {
        let rest = line.strip_prefix(verdict).map(str::trim_start);
        let rest = rest.and_then(|rest| rest.strip_prefix(subject));
        rest.is_some_and(|rest| rest.contains(text))
    });
    assert!(found, "{verdict} {subject} {text} in {lines:#?}");
}

fn with_cluster(data_dir: &Path, url: &str) -> Command {
    let mut command = command(data_dir);
    command
        .env("AGENT_KEYS_ELASTICSEARCH_URL", url)
        .env("AGENT_KEYS_SERVICE_USERNAME", "keeper")
        .env("AGENT_KEYS_SERVICE_PASSWORD", PASSWORD);
    command
}

#[test]
fn doctor_finds_no_fault_before_during_and_after_a_run_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let (lines, succeeded) = report(&mut command(&data_dir));
    assert!(succeeded, "{lines:#?}");
    holds(&lines, "skipped", "data directory", "does not exist yet");
    assert!(!data_dir.exists());

    let running = Running::start(&mut command(&data_dir));
    let (lines, succeeded) = report(&mut command(&data_dir));
    assert!(succeeded, "{lines:#?}");
    holds(
        &lines,
        "ok",
        "data directory",
        "a process of Agent Keys uses it",
    );
    running.stop();

    let (lines, succeeded) = report(&mut command(&data_dir));
    assert!(succeeded, "{lines:#?}");
    for (subject, text) in [
        ("data directory", "no process of Agent Keys uses it"),
        ("database", "the server key belongs to it"),
        ("clock", "fits the database"),
        ("database of the embedded engine", "is intact"),
    ] {
        holds(&lines, "ok", subject, text);
    }
    // The disk of the machine may be short of space.
    assert!(lines.iter().any(|line| line.contains("MiB are free")));
}

#[test]
fn doctor_names_faults_of_files_addresses_and_the_clock() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    Running::start(&mut command(&data_dir)).stop();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let files = self_signed(directory.path());
    fs::write(&files.key, "").unwrap();
    let mut wrong = command(&data_dir);
    wrong
        .env("AGENT_KEYS_LISTEN", &address)
        .env("AGENT_KEYS_TLS_CERT_FILE", &files.cert)
        .env("AGENT_KEYS_TLS_KEY_FILE", &files.key)
        .env(
            "AGENT_KEYS_SERVER_KEY",
            "another key of 32 and more characters",
        );
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o777)).unwrap();
    let (lines, succeeded) = report(&mut wrong);
    assert!(!succeeded);
    holds(&lines, "failed", "AGENT_KEYS_LISTEN", "cannot listen");
    holds(&lines, "failed", "certificate", "key.pem is empty");
    holds(&lines, "failed", "database", "another server key");
    holds(&lines, "warning", "data directory", "chmod o-w");
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o700)).unwrap();

    // A damaged database of the engine.
    let engine = data_dir.join("engine.db");
    let kept = fs::read(&engine).unwrap();
    fs::write(&engine, "no database at all, and not by a long way").unwrap();
    let (lines, succeeded) = report(&mut command(&data_dir));
    assert!(!succeeded);
    holds(
        &lines,
        "failed",
        "database of the embedded engine",
        "engine.db",
    );
    // The control.
    fs::write(&engine, kept).unwrap();
    let (lines, succeeded) = report(&mut command(&data_dir));
    assert!(succeeded, "{lines:#?}");
}

// The engine answers while the command runs.
#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_reach_version_and_what_the_service_user_lacks() {
    let engine = Engine::start(&Clock::system()).await;
    let role = |cluster: &[&str]| {
        let space = json!({
            "application": "kibana-.kibana",
            "privileges": ["feature_apm.all"],
            "resources": ["space:default"],
        });
        json!({ "cluster": cluster, "applications": [space] })
    };
    engine
        .put_role("keeper", role(&["manage_own_api_key"]))
        .await;
    engine.put_user("keeper", &["keeper"]).await;
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let url = engine.url();
    let (lines, succeeded) = report(&mut with_cluster(&data_dir, &url));
    assert!(!succeeded);
    holds(&lines, "ok", "Elasticsearch", "answers, without TLS");
    let user = "user of AGENT_KEYS_SERVICE_USERNAME";
    holds(&lines, "failed", user, "keeper lacks manage_api_key");

    engine
        .put_role("keeper", role(&["manage_api_key", "monitor"]))
        .await;
    let (lines, succeeded) = report(&mut with_cluster(&data_dir, &url));
    assert!(succeeded, "{lines:#?}");
    holds(&lines, "ok", user, "keeper has the privileges it needs");
    holds(&lines, "ok", "version of Elasticsearch", ".");
    let mut wrong = with_cluster(&data_dir, &url);
    wrong.env("AGENT_KEYS_SERVICE_PASSWORD", "not its password");
    let (lines, succeeded) = report(&mut wrong);
    assert!(!succeeded);
    holds(&lines, "failed", user, "does not accept the credential");

    // Each address for itself, with the cause.
    let proxy = Proxy::start(engine.address()).await;
    let gone = format!("{},http://127.0.0.1:1", proxy.url());
    let (lines, succeeded) = report(&mut with_cluster(&data_dir, &gone));
    assert!(!succeeded);
    holds(&lines, "ok", "Elasticsearch", "answers");
    holds(&lines, "failed", "Elasticsearch", "refused");
    let tls = url.replace("http:", "https:");
    let (lines, succeeded) = report(&mut with_cluster(&data_dir, &tls));
    assert!(!succeeded);
    holds(&lines, "failed", "Elasticsearch", "is it http://?");
}

#[tokio::test]
async fn doctor_reports_a_clock_that_went_back() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    drop(Process::with_engine(&data_dir));
    let database = data_dir.join("agent-keys.db");
    edit_audit_log(&database, "UPDATE audit_events SET at = at + 3600000").await;
    let (lines, succeeded) = report(&mut command(&data_dir));
    assert!(!succeeded);
    holds(&lines, "failed", "clock", "the clock went back");
}
