//! Elasticsearch has made a key, and our own database cannot write that down.

use crate::support::{
    App, PASSWORD,
    attacker::Attacker,
    client,
    engine::Engine,
    eventually, key_form,
    process::{Process, heedless, limit_files, prepare},
    proxy::{Fault, Gate, Proxy},
    soak,
};
use app::model::{agent_key::Delivery, key_list::KeyListPage, problem::ProblemKind};
use http::StatusCode;
use platform::Clock;
use std::time::Duration;

const CREATE: &str = "POST /_security/api_key";
const REVOKE: &str = "DELETE /_security/api_key";
/// The database takes the intent and refuses the outcome.
const REFUSE_OUTCOMES: &str = "CREATE TRIGGER full BEFORE INSERT ON audit_events \
     WHEN NEW.action = 'agent_key_create' AND NEW.outcome = 'success' \
     BEGIN SELECT RAISE(ABORT, 'there is no room'); END";

fn is_revoked(key: &serde_json::Value) -> bool {
    key["invalidated"] == true
}

/// What a key's secret looks like: nothing else has so many characters without a break.
fn shows_a_secret(body: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_+/=".contains(c);
    body.split(|c| !plain(c)).any(|word| word.len() >= 43)
}

#[tokio::test]
async fn unrecorded_key_is_revoked_and_its_secret_not_shown() {
    let creations = soak(10, 100);
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let mut attacker = Attacker::of(&app).await;
    attacker.run(REFUSE_OUTCOMES).await;
    for number in 0..creations {
        let operation = format!("op-{number}");
        let answer = ada.create_as(&operation, "unrecorded").await;
        assert_eq!(answer.problem(), ProblemKind::Storage);
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert!(!shows_a_secret(&answer.text()));
    }
    let keys = app.engine.keys().await;
    let revoked = keys.iter().filter(|key| is_revoked(key)).count();
    assert_eq!((keys.len(), revoked), (creations, creations));
    // The control: when there is room again, a secret is shown and found.
    attacker.run("DROP TRIGGER full").await;
    let answer = ada.create("recorded").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(shows_a_secret(&answer.text()));
}

#[tokio::test]
async fn unrecorded_key_that_could_not_be_revoked_is_reconciled() {
    let creations = soak(5, 50);
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let mut attacker = Attacker::of(&app).await;
    attacker.run(REFUSE_OUTCOMES).await;
    proxy.fail(REVOKE, Fault::Hangup);
    for number in 0..creations {
        let operation = format!("op-{number}");
        let answer = ada.create_as(&operation, "left over").await;
        assert_eq!(answer.problem(), ProblemKind::Unconfirmed);
    }
    let keys = app.engine.keys().await;
    assert_eq!(keys.len(), creations);
    assert!(!keys.iter().any(is_revoked), "the control: nothing revoked");
    attacker.run("DROP TRIGGER full").await;
    proxy.heal();
    // After the time for which an operation may be under way.
    app.clock.advance(Duration::from_secs(31));
    ada.list(|query| query.rows = 100).await;
    let page: KeyListPage = ada.list(|query| query.rows = 100).await.value();
    let never = |key: &&app::model::agent_key::AgentKey| key.delivery == Delivery::Never;
    assert_eq!(page.keys.iter().filter(never).count(), creations);
    let keys = app.engine.keys().await;
    let revoked = keys.iter().filter(|key| is_revoked(key)).count();
    assert_eq!(revoked, creations);
}

/// The binary itself, and a disk that takes no more: its files may not grow beyond what they are.
#[tokio::test]
async fn full_disk_leaves_no_key_with_an_unrecorded_secret() {
    let creations = soak(8, 30);
    let engine = Engine::start(&Clock::system()).await;
    engine.put_agent_key_role().await;
    engine.put_user("ada", &["apm_agent_key_role"]).await;
    let proxy = Proxy::start(engine.address()).await;
    let directory = tempfile::tempdir().unwrap();
    let mut command = heedless();
    prepare(&mut command, directory.path());
    command.env("AGENT_KEYS_ELASTICSEARCH_URL", proxy.url());
    let process = Process::run(&mut command);
    let ada = process.as_user("ada").await;
    let gate = Gate::default();
    proxy.fail(CREATE, Fault::Late(gate.clone()));
    let under_way: Vec<_> = (0..creations)
        .map(|number| {
            let ada = ada.clone();
            tokio::spawn(async move {
                let operation = format!("op-{number}");
                let form = key_form(&operation, "unrecorded");
                ada.post("create_agent_key", &form).await
            })
        })
        .collect();
    eventually("every intent is written down", async || {
        engine.keys().await.len() == creations
    })
    .await;
    let log = directory.path().join("agent-keys.db-wal");
    let full = std::fs::metadata(log).unwrap().len();
    if !limit_files(&process, &full.to_string()) {
        println!("nothing shown: this machine has no prlimit");
        return;
    }
    gate.open();
    let mut refused = 0;
    for creation in under_way {
        let answer = creation.await.unwrap();
        refused += usize::from(answer.problem() == ProblemKind::Storage);
        assert!(!shows_a_secret(&answer.text()));
    }
    assert_eq!(refused, creations);
    assert!(engine.keys().await.iter().all(is_revoked));
    // Nothing is begun that could not be written down.
    let answer = ada.create("no room").await;
    assert_eq!(answer.problem(), ProblemKind::Storage);
    assert_eq!(engine.keys().await.len(), creations);
    // And with room again it goes on, without a restart.
    assert!(limit_files(&process, "unlimited"));
    proxy.heal();
    let answer = ada.create("room").await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.problem());
    let signed_in = process.nobody().sign_in("ada", PASSWORD).await;
    assert_eq!(signed_in.status, StatusCode::OK);
}

#[tokio::test]
async fn engine_recovers_from_a_full_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = heedless();
    prepare(&mut command, directory.path());
    command
        .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0")
        .env("ELASTIC_PASSWORD", PASSWORD);
    let process = Process::run(&mut command);
    let url = format!("{}/_security/api_key", process.engine_url.as_ref().unwrap());
    let create = async || {
        let body = serde_json::json!({ "name": "a key" });
        let request = client().post(&url).basic_auth("elastic", Some(PASSWORD));
        request.json(&body).send().await.unwrap().status()
    };
    assert_eq!(create().await, StatusCode::OK);
    // Less than there is already: nothing can be written.
    if !limit_files(&process, "4096") {
        println!("nothing shown: this machine has no prlimit");
        return;
    }
    for _ in 0..3 {
        assert!(create().await.is_server_error());
    }
    assert!(limit_files(&process, "unlimited"));
    assert_eq!(create().await, StatusCode::OK);
}
