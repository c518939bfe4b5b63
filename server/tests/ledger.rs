//! The key-operation ledger: what is remembered of a key whatever goes wrong, and what is done about it.

use crate::support::{
    App, Browser, PASSWORD, Setup,
    attacker::Attacker,
    engine::Engine,
    eventually, key_form,
    process::Process,
    proxy::{Fault, Proxy},
    soak,
};
use app::model::{
    agent_key::{AgentKey, Delivery},
    key_list::{KeyListPage, PageAnchor},
    new_agent_key::CreatedAgentKey,
    problem::ProblemKind,
};
use http::StatusCode;
use platform::Clock;
use server::{credential::Credential, maintenance};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

const CREATE: &str = "POST /_security/api_key";
const REVOKE: &str = "DELETE /_security/api_key";

async fn keys_of(browser: &Browser) -> Vec<AgentKey> {
    let page: KeyListPage = browser.list(|_| {}).await.value();
    page.keys
}

async fn actions(app: &App) -> Vec<String> {
    let store = &app.application.state().store;
    let events = store.audit_events(0, 10_000).await.unwrap();
    events
        .into_iter()
        .map(|event| format!("{} {}", event.action, event.outcome))
        .collect()
}

#[tokio::test]
async fn displayed_secret_is_acknowledged() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let acknowledge = async |browser: &Browser, operation: &str| {
        let fields = [("operation", operation)];
        browser.post("acknowledge_agent_key", &fields).await.status
    };
    assert_eq!(acknowledge(&ada, "op-1").await, StatusCode::NOT_FOUND);
    assert_eq!(acknowledge(&ada, "../x").await, StatusCode::NOT_FOUND);
    ada.create_as("op-1", "mine").await;
    assert_eq!(keys_of(&ada).await[0].delivery, Delivery::Awaited);
    // Another person's word does not count, and tells them nothing.
    let ben = app.with_user("ben", &["apm_agent_key_role"]).await;
    assert_eq!(acknowledge(&ben, "op-1").await, StatusCode::NOT_FOUND);
    assert_eq!(keys_of(&ada).await[0].delivery, Delivery::Awaited);
    for _ in 0..2 {
        assert_eq!(acknowledge(&ada, "op-1").await, StatusCode::OK);
        assert_eq!(keys_of(&ada).await[0].delivery, Delivery::Confirmed);
    }
    let told = actions(&app).await;
    let word = "agent_key_secret_acknowledged success";
    assert_eq!(told.iter().filter(|told| *told == word).count(), 1);
}

#[tokio::test]
async fn secret_of_a_key_that_was_not_created_cannot_be_acknowledged() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let busy = "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n\
                X-Elastic-Product: Elasticsearch\r\n\r\n{\"error\":{\"type\":\"es_rejected_execution_exception\",\"reason\":\"rejected\"},\"status\":429}";
    proxy.fail(CREATE, Fault::Answer(busy));
    ada.create_as("op-1", "mine").await;
    let fields = [("operation", "op-1")];
    let answer = ada.post("acknowledge_agent_key", &fields).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn done_acknowledges_without_script() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let page = "/settings/agent-keys/new";
    let answer = ada
        .submit(page, "create_agent_key", &key_form("op-1", "mine"))
        .await;
    assert!(
        answer
            .text()
            .contains(r#"action="/api/acknowledge_agent_key""#),
        "{}",
        answer.text()
    );
    let fields = [("operation", "op-1"), ("leave", "true")];
    let answer = ada.submit(page, "acknowledge_agent_key", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), Some("/settings/agent-keys"));
    assert_eq!(keys_of(&ada).await[0].delivery, Delivery::Confirmed);
}

#[tokio::test]
async fn key_with_a_lost_secret_is_revoked_again_after_its_revocation_failed() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.fail(CREATE, Fault::CutAfter(0));
    proxy.fail_too(REVOKE, Fault::Hangup);
    assert_ne!(ada.create_as("op-1", "lost").await.status, StatusCode::OK);
    eventually("the revocation has failed", async || {
        let told = actions(&app).await;
        let failed =
            |told: &String| told.starts_with("agent_key_invalidate") && !told.ends_with("success");
        told.iter().filter(|told| failed(told)).count() >= 2
    })
    .await;
    assert_eq!(app.engine.keys().await[0]["invalidated"], false);
    proxy.heal();
    app.clock.advance(Duration::from_secs(61));
    eventually("it is revoked when its owner looks", async || {
        keys_of(&ada).await;
        app.engine.keys().await[0]["invalidated"] == true
    })
    .await;
}

#[tokio::test]
async fn undisplayed_secret_is_recorded_once() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    ada.create_as("op-1", "lost after us").await;
    eventually("the secret is sent", async || {
        let sent = "agent_key_secret_sent success".to_owned();
        actions(&app).await.contains(&sent)
    })
    .await;
    app.clock.advance(Duration::from_secs(10 * 60 + 1));
    assert_eq!(keys_of(&ada).await[0].delivery, Delivery::Unconfirmed);
    let list = ada.get("/settings/agent-keys").await.text();
    assert!(list.contains("Secret not confirmed"));
    for _ in 0..2 {
        maintenance::run_once(app.application.state(), None).await;
    }
    let told = actions(&app).await;
    let word = "agent_key_never_delivered failure";
    assert_eq!(told.iter().filter(|told| *told == word).count(), 1);
    // It is only doubted, and never revoked by itself: somebody may have it.
    assert_eq!(app.engine.keys().await[0]["invalidated"], false);
    // A late word still counts.
    let fields = [("operation", "op-1")];
    ada.post("acknowledge_agent_key", &fields).await;
    assert_eq!(keys_of(&ada).await[0].delivery, Delivery::Confirmed);
}

#[tokio::test]
async fn operation_reused_for_another_request_is_refused() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let rounds = 25;
    for round in 0..rounds {
        let operation = format!("op-{round}");
        ada.create_as(&operation, "first").await;
        let answer = ada.create_as(&operation, "second").await;
        assert_eq!(answer.problem(), ProblemKind::BadForm);
        let answer = ada.create_as(&operation, "first").await;
        assert_eq!(answer.problem(), ProblemKind::AlreadyDone);
    }
    assert_eq!(app.engine.keys().await.len(), rounds);
}

#[tokio::test]
async fn edited_operation_revokes_no_delivered_key() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    ada.create_as("op-1", "delivered").await;
    ada.post("acknowledge_agent_key", &[("operation", "op-1")])
        .await;
    let mut attacker = Attacker::of(&app).await;
    for state in ["unknown", "never_delivered"] {
        let edit = format!("UPDATE operations SET state = '{state}'");
        attacker.run(&edit).await;
        for _ in 0..2 {
            keys_of(&ada).await;
            maintenance::run_once(app.application.state(), None).await;
        }
    }
    assert_eq!(app.engine.keys().await[0]["invalidated"], false);
    let told = actions(&app).await;
    assert!(
        !told.contains(&"agent_key_never_delivered failure".to_owned()),
        "{told:?}"
    );
}

#[tokio::test]
async fn key_with_a_lost_response_is_found_and_revoked() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.fail(CREATE, Fault::CutAfter(0));
    let answer = ada.create_as("op-1", "lost before us").await;
    assert_eq!(answer.problem(), ProblemKind::Unconfirmed);
    proxy.heal();
    eventually("the lost key is revoked", async || {
        let keys = app.engine.keys().await;
        keys.len() == 1 && keys[0]["invalidated"] == true
    })
    .await;
    assert_eq!(keys_of(&ada).await[0].delivery, Delivery::Never);
    let told = actions(&app).await;
    for word in [
        "agent_key_never_delivered failure",
        "agent_key_invalidate success",
    ] {
        assert_eq!(
            told.iter().filter(|told| *told == word).count(),
            1,
            "{word}"
        );
    }
    // Nobody is told that it was made, for nobody has it.
    assert!(!told.contains(&"agent_key_create success".to_owned()));
    assert_eq!(
        ada.create_as("op-1", "lost before us").await.problem(),
        ProblemKind::Unconfirmed
    );
}

#[tokio::test]
async fn key_that_is_not_found_at_once_is_revoked_by_the_next_list_request() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.fail(CREATE, Fault::CutAfter(0));
    ada.create_as("op-1", "lost before us").await;
    // Elasticsearch is down until the last search of the request's own follow-up.
    proxy.refuse().await;
    app.application.state().drain().await;
    assert_eq!(app.engine.keys().await[0]["invalidated"], false);
    proxy.stop_refusing().await;
    proxy.heal();
    let keys = keys_of(&ada).await;
    assert_eq!(keys[0].delivery, Delivery::Never);
    assert_eq!(app.engine.keys().await[0]["invalidated"], true);
}

#[tokio::test]
async fn service_user_revokes_a_key_with_a_lost_response() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let role = serde_json::json!({ "cluster": ["manage_api_key"], "applications": [
        { "application": "kibana-.kibana", "privileges": ["feature_apm.all"], "resources": ["*"] },
    ] });
    app.engine.put_role("keeper", role).await;
    app.engine.put_user("keeper", &["keeper"]).await;
    proxy.fail(CREATE, Fault::CutAfter(0));
    ada.create_as("op-1", "lost before us").await;
    let ben = app.with_user("ben", &["apm_agent_key_role"]).await;
    proxy.fail("POST /_security/_query", Fault::Hangup);
    let _ = ben.list(|_| {}).await;
    proxy.heal();
    let keeper = Credential::basic("keeper", PASSWORD).unwrap();
    maintenance::run_once(app.application.state(), Some(&keeper)).await;
    assert_eq!(app.engine.keys().await[0]["invalidated"], true);
}

#[tokio::test]
async fn revocation_with_a_lost_response_is_settled() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let created: CreatedAgentKey = ada.create("to revoke").await.value();
    proxy.fail(REVOKE, Fault::CutAfter(0));
    let fields = [("id", created.id.as_str())];
    let answer = ada.post("revoke_agent_key", &fields).await;
    assert_eq!(answer.problem(), ProblemKind::Unconfirmed);
    proxy.heal();
    keys_of(&ada).await;
    let told = actions(&app).await;
    assert!(
        told.contains(&"agent_key_invalidate success".to_owned()),
        "{told:?}"
    );
}

#[tokio::test]
async fn operation_that_cannot_be_settled_does_not_hold_up_others() {
    const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\
         X-Elastic-Product: Elasticsearch\r\nContent-Type: application/json\r\n\r\n\
         {\"error\":{\"type\":\"null_pointer_exception\",\"reason\":\"no\"},\"status\":500}";
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let created: CreatedAgentKey = ada.create("to revoke").await.value();
    // Searches for the keys of creations fail, those for the keys of revocations do not.
    let search = || Fault::AnswerTo("metadata.agent_keys.operation", BROKEN);
    proxy.fail("POST /_security/_query/api_key", search());
    proxy.fail_too(CREATE, Fault::CutAfter(0));
    ada.create_as("op-1", "lost").await;
    proxy.fail_too(REVOKE, Fault::CutAfter(0));
    let fields = [("id", created.id.as_str())];
    let answer = ada.post("revoke_agent_key", &fields).await;
    assert_eq!(answer.problem(), ProblemKind::Unconfirmed);
    keys_of(&ada).await;
    let revoked = "agent_key_invalidate success".to_owned();
    let recorded = actions(&app).await;
    assert!(recorded.contains(&revoked), "{recorded:?}");
}

#[tokio::test]
async fn key_missing_from_the_database_is_marked() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let rounds = 20;
    for _ in 0..rounds {
        ada.create("made before the backup was taken").await;
    }
    app.engine.kibana_key("ada", "made elsewhere").await;
    // The same cluster, and a database that was restored from an older backup.
    let (engine, clock) = (Arc::clone(&app.engine), app.clock.clone());
    let restored = App::start_at(engine, clock, Setup::default()).await;
    let ada = restored.as_user("ada").await;
    for _ in 0..2 {
        let keys = keys_of(&ada).await;
        let count = |delivery| keys.iter().filter(|key| key.delivery == delivery).count();
        assert_eq!(count(Delivery::NotRecorded), rounds);
        assert_eq!(count(Delivery::MadeElsewhere), 1);
    }
    let told = actions(&restored).await;
    let drift = told
        .iter()
        .filter(|told| *told == "agent_key_drift success");
    assert_eq!(drift.count(), rounds);
}

/// Creations under way, and the process killed in the middle of them, again and again.
#[tokio::test]
async fn no_key_is_lost_after_a_kill() {
    let kills = soak(12, 200);
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let engine = Engine::start(&Clock::system()).await;
    engine.put_agent_key_role().await;
    engine.put_user("ada", &["apm_agent_key_role"]).await;
    let proxy = Proxy::start(engine.address()).await;
    let directory = tempfile::tempdir().unwrap();
    // How long a creation takes that nothing disturbs, on this machine and now.
    let undisturbed = {
        let process = Process::start(directory.path(), &proxy.url());
        let browser = process.as_user("ada").await;
        let began = Instant::now();
        browser.create_as("undisturbed", "in safety").await;
        began.elapsed()
    };
    let mut received = BTreeSet::new();
    for kill in 0..kills {
        let process = Process::start(directory.path(), &proxy.url());
        let browser = process.as_user("ada").await;
        proxy.delay(Duration::from_millis(random.u64(0..40)));
        let creations: Vec<_> = (0..4)
            .map(|number| {
                let browser = browser.clone();
                tokio::spawn(async move {
                    let operation = format!("kill-{kill}-{number}");
                    let form = key_form(&operation, "in danger");
                    browser.try_post("create_agent_key", &form).await
                })
            })
            .collect();
        let moment =
            undisturbed.mul_f64(random.f64() * 4.0) + Duration::from_millis(random.u64(0..80));
        tokio::time::sleep(moment).await;
        drop(process);
        for creation in creations {
            if let Some(answer) = creation.await.unwrap()
                && answer.status == StatusCode::OK
            {
                let created: CreatedAgentKey = answer.value();
                received.insert(created.id.as_str().to_owned());
            }
        }
    }
    proxy.delay(Duration::ZERO);
    proxy.settled().await;
    let process = Process::start(directory.path(), &proxy.url());
    let browser = process.as_user("ada").await;
    // One look is enough.
    browser.list(|query| query.rows = 100).await;
    let mut shown = Vec::new();
    let mut anchor = PageAnchor::First;
    loop {
        let page: KeyListPage = browser
            .list(|query| {
                query.rows = 100;
                query.anchor = anchor.clone();
            })
            .await
            .value();
        shown.extend(page.keys);
        match page.next {
            Some(next) => anchor = PageAnchor::After(next),
            None => break,
        }
    }
    let keys = engine.keys().await;
    assert_eq!(shown.len(), keys.len(), "seed {seed}");
    let forgotten = shown
        .iter()
        .filter(|key| key.delivery == Delivery::NotRecorded)
        .count();
    assert_eq!(forgotten, 0, "seed {seed}");
    for key in &shown {
        let lost = key.delivery == Delivery::Never;
        let stored = keys.iter().find(|stored| stored["id"] == key.id.as_str());
        assert_eq!(stored.unwrap()["invalidated"] == true, lost, "seed {seed}");
        assert!(
            !(lost && received.contains(key.id.as_str())),
            "a secret that was shown is not revoked: seed {seed}"
        );
    }
    assert!(keys.len() > 1, "the control: something was made in danger");
}
