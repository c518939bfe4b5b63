//! Rotating agent keys: the successor, the end of the old key, and undoing it.

use crate::support::{
    App, Browser, PASSWORD, Setup, engine::Engine, on_each_database, proxy::Fault, shown,
};
use app::{
    backend::RotationPreparation,
    model::{
        agent_key::{FoundAgentKey, RotationState},
        new_agent_key::{CreatedAgentKey, EndMeans, ExpirationError, KeyNameError},
        problem::ProblemKind,
        rotation::OverlapError,
        timestamp::{DAY_MS, HOUR_MS, Timestamp},
    },
};
use embedded::Version;
use http::StatusCode;
use platform::Clock;
use serde_json::{Value, json};
use server::{credential::Credential, maintenance};
use std::{sync::Arc, time::Duration};

fn form<'a>(operation: &'a str, key: &'a str, overlap: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("form[operation]", operation),
        ("form[key]", key),
        ("form[name]", "checkout-2"),
        ("form[expires]", "90"),
        ("form[overlap]", overlap),
    ]
}

async fn rotate(browser: &Browser, key: &str, overlap: &str) -> CreatedAgentKey {
    let operation = format!("op-{}", uuid::Uuid::now_v7());
    let fields = form(&operation, key, overlap);
    browser.post("rotate_agent_key", &fields).await.value()
}

/// Confirms that the browser displayed the secret.
async fn confirm(browser: &Browser, created: &CreatedAgentKey) {
    let fields = [("operation", created.operation.as_str())];
    let answer = browser.post("acknowledge_agent_key", &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
}

async fn look(browser: &Browser, id: &str) -> FoundAgentKey {
    browser.post("find_agent_key", &[("id", id)]).await.value()
}

async fn state(browser: &Browser, id: &str) -> RotationState {
    look(browser, id).await.rotations[0].state
}

async fn prepare(browser: &Browser, id: &str) -> RotationPreparation {
    browser
        .post("prepare_rotation", &[("id", id)])
        .await
        .value()
}

async fn stored(app: &App, id: &str) -> Value {
    let keys = app.engine.keys().await;
    keys.into_iter().find(|key| key["id"] == id).unwrap()
}

fn now(app: &App) -> Timestamp {
    Timestamp(app.clock.now_ms())
}

fn advance(app: &App, ms: i64) {
    let ms = u64::try_from(ms).unwrap();
    app.clock.advance(Duration::from_millis(ms));
}

fn keeper() -> Credential {
    Credential::basic("keeper", PASSWORD).unwrap()
}

/// Makes the service user, who may revoke every key.
async fn put_keeper(engine: &Engine) {
    let role = json!({ "cluster": ["manage_api_key"], "applications": [
        { "application": "kibana-.kibana", "privileges": ["feature_apm.all"], "resources": ["*"] },
    ] });
    engine.put_role("keeper", role).await;
    engine.put_user("keeper", &["keeper"]).await;
}

async fn with_keeper(version: Version) -> App {
    let clock = Clock::manual(crate::support::NOW.0);
    let engine = Arc::new(Engine::start_as(&clock, version).await);
    put_keeper(&engine).await;
    let setup = Setup {
        service: Some(keeper()),
        ..Setup::default()
    };
    App::start_at(engine, clock, setup).await
}

async fn maintain(app: &App) {
    maintenance::run_once(app.application.state(), Some(&keeper())).await;
}

#[tokio::test]
async fn successor_has_the_same_privileges_and_labels() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let old: CreatedAgentKey = ada.create("checkout").await.value();
    let prepared = prepare(&ada, old.id.as_str()).await;
    assert_eq!(
        (prepared.name.as_str(), prepared.lifetime_days),
        ("checkout-2", Some(90))
    );
    assert_eq!(prepared.means, EndMeans::Elasticsearch);
    let new = rotate(&ada, old.id.as_str(), "24h").await;
    assert_eq!(new.labels.service.as_deref(), Some("checkout"));
    let (before, after) = (
        stored(&app, old.id.as_str()).await,
        stored(&app, new.id.as_str()).await,
    );
    assert_eq!(before["role_descriptors"], after["role_descriptors"]);
    let ours = &after["metadata"]["agent_keys"];
    assert_eq!(ours["service"], "checkout");
    assert_eq!(ours["rotated_from"], old.id.as_str());
    let lifetime =
        |key: &Value| key["expiration"].as_i64().unwrap() - key["creation"].as_i64().unwrap();
    assert_eq!(lifetime(&after), lifetime(&before));
}

async fn old_key_ends_after_the_new_secret_was_displayed(app: &App) {
    let ada = app.with_key_user("ada").await;
    let old: CreatedAgentKey = ada.create("checkout").await.value();
    let new = rotate(&ada, old.id.as_str(), "24h").await;
    let unchanged = Some(now(app).plus_ms(90 * DAY_MS));
    assert_eq!(
        stored(app, old.id.as_str()).await["expiration"]
            .as_i64()
            .map(Timestamp),
        unchanged
    );
    assert_eq!(state(&ada, old.id.as_str()).await, RotationState::Waiting);
    confirm(&ada, &new).await;
    let end = stored(app, old.id.as_str()).await["expiration"].as_i64();
    assert_eq!(end, Some(now(app).plus_ms(DAY_MS).0));
    let events: Vec<_> = app
        .events()
        .await
        .into_iter()
        .map(|event| event.action.clone())
        .collect();
    for action in ["agent_key_update", "agent_key_rotate"] {
        assert!(
            events.iter().any(|event| event == action),
            "{action}: {events:?}"
        );
    }
    // Both pages show the pair.
    for id in [old.id.as_str(), new.id.as_str()] {
        let rotation = look(&ada, id).await.rotations.remove(0);
        assert_eq!(
            (&rotation.predecessor.id, &rotation.successor.id),
            (&old.id, &new.id)
        );
        assert_eq!(rotation.state, RotationState::Expires);
        assert_eq!(rotation.ends_at, Some(now(app).plus_ms(DAY_MS)));
    }
}

async fn same_rotation_never_makes_a_second_key(app: &App) {
    let ada = app.with_key_user("ada").await;
    let old: CreatedAgentKey = ada.create("checkout").await.value();
    let fields = form("op-1", old.id.as_str(), "24h");
    ada.post("rotate_agent_key", &fields)
        .await
        .value::<CreatedAgentKey>();
    let again = ada.post("rotate_agent_key", &fields).await;
    assert_eq!(again.problem(), ProblemKind::AlreadyDone);
    let other: CreatedAgentKey = ada.create("other").await.value();
    let reused = ada
        .post("rotate_agent_key", &form("op-1", other.id.as_str(), "24h"))
        .await;
    assert_eq!(reused.problem(), ProblemKind::BadForm);
    assert_eq!(app.engine.keys().await.len(), 3);
}

async fn scheduled_end_is_carried_out_and_can_be_undone(app: &App) {
    put_keeper(&app.engine).await;
    let ada = app.with_key_user("ada").await;
    let admin = app.as_admin().await;
    let old: CreatedAgentKey = ada.create("checkout").await.value();
    let kept: CreatedAgentKey = ada.create("kept").await.value();
    for id in [old.id.as_str(), kept.id.as_str()] {
        let new = rotate(&admin, id, "1h").await;
        assert_eq!(new.replaces.as_ref().unwrap().means, EndMeans::ServiceUser);
        confirm(&admin, &new).await;
        assert_eq!(state(&admin, id).await, RotationState::Scheduled);
    }
    let fields = [("id", kept.id.as_str())];
    assert_eq!(
        ada.post("undo_rotation", &fields).await.status,
        StatusCode::OK
    );
    assert_eq!(state(&ada, kept.id.as_str()).await, RotationState::Undone);
    maintain(app).await;
    assert_eq!(stored(app, old.id.as_str()).await["invalidated"], false);
    advance(app, HOUR_MS);
    let ada = app.as_user("ada").await;
    maintain(app).await;
    assert_eq!(stored(app, old.id.as_str()).await["invalidated"], true);
    assert_eq!(state(&ada, old.id.as_str()).await, RotationState::Ended);
    assert_eq!(stored(app, kept.id.as_str()).await["invalidated"], false);
    // Too late.
    let answer = ada.post("undo_rotation", &[("id", old.id.as_str())]).await;
    assert_eq!(answer.problem(), ProblemKind::ChangedMeanwhile);
}

on_each_database!(
    old_key_ends_after_the_new_secret_was_displayed,
    same_rotation_never_makes_a_second_key,
);

#[tokio::test]
async fn scheduled_end_with_sqlite() {
    scheduled_end_is_carried_out_and_can_be_undone(&with_keeper(Version::CURRENT).await).await;
}

#[tokio::test]
async fn scheduled_end_with_postgresql() {
    let postgres = crate::support::postgres::Postgres::start();
    let setup = Setup {
        database_url: Some(postgres.url().to_owned()),
        service: Some(keeper()),
        ..Setup::default()
    };
    let app = App::start_with(setup).await;
    scheduled_end_is_carried_out_and_can_be_undone(&app).await;
    app.application.stop().await;
}

#[tokio::test]
async fn old_key_never_ends_without_a_displayed_secret() {
    let app = with_keeper(Version::CURRENT).await;
    let ada = app.with_key_user("ada").await;
    let old = app.engine.kibana_key("ada", "checkout").await;
    for overlap in ["now", "1h"] {
        rotate(&ada, &old, overlap).await;
    }
    advance(&app, HOUR_MS / 4);
    maintain(&app).await;
    ada.list(|_| {}).await;
    let key = stored(&app, &old).await;
    assert_eq!(
        (&key["invalidated"], &key["expiration"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(state(&ada, &old).await, RotationState::Waiting);
}

#[tokio::test]
async fn leaked_key_is_revoked_when_the_new_secret_was_displayed() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let old: CreatedAgentKey = ada.create("checkout").await.value();
    let new = rotate(&ada, old.id.as_str(), "now").await;
    assert_eq!(stored(&app, old.id.as_str()).await["invalidated"], false);
    confirm(&ada, &new).await;
    assert_eq!(stored(&app, old.id.as_str()).await["invalidated"], true);
    assert_eq!(stored(&app, new.id.as_str()).await["invalidated"], false);
}

#[tokio::test]
async fn key_that_expires_earlier_keeps_its_end() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let old: CreatedAgentKey = ada.create("checkout").await.value();
    advance(&app, 85 * DAY_MS);
    let ada = app.as_user(&ada.user.unwrap()).await;
    let new = rotate(&ada, old.id.as_str(), "7d").await;
    confirm(&ada, &new).await;
    let end = stored(&app, old.id.as_str()).await["expiration"]
        .as_i64()
        .map(Timestamp);
    assert_eq!(end, old.expiration);
    let rotation = look(&ada, old.id.as_str()).await.rotations.remove(0);
    assert_eq!(
        (rotation.ends_at, rotation.undoable),
        (old.expiration, false)
    );
}

#[tokio::test]
async fn end_that_failed_is_set_by_the_next_list_request() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    for fault in [Fault::Hangup, Fault::CutAfter(0)] {
        let old: CreatedAgentKey = ada.create("checkout").await.value();
        let new = rotate(&ada, old.id.as_str(), "24h").await;
        proxy.fail("PUT /_security/api_key", fault);
        confirm(&ada, &new).await;
        assert_eq!(state(&ada, old.id.as_str()).await, RotationState::Waiting);
        proxy.heal();
        ada.list(|_| {}).await;
        assert_eq!(state(&ada, old.id.as_str()).await, RotationState::Expires);
        let end = stored(&app, old.id.as_str()).await["expiration"].as_i64();
        assert_eq!(end, Some(now(&app).plus_ms(DAY_MS).0));
    }
}

#[tokio::test]
async fn successor_with_a_lost_response_leaves_the_old_key_alone() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let old: CreatedAgentKey = ada.create("checkout").await.value();
    proxy.fail("POST /_security/api_key", Fault::CutAfter(0));
    let answer = ada
        .post("rotate_agent_key", &form("op-1", old.id.as_str(), "now"))
        .await;
    assert_eq!(answer.problem(), ProblemKind::Unconfirmed);
    proxy.heal();
    app.application.state().drain().await;
    ada.list(|_| {}).await;
    let keys = app.engine.keys().await;
    let ended: Vec<_> = keys
        .iter()
        .filter(|key| key["invalidated"] == true)
        .collect();
    assert_eq!((keys.len(), ended.len()), (2, 1));
    assert_eq!(
        ended[0]["metadata"]["agent_keys"]["rotated_from"],
        old.id.as_str()
    );
    assert_eq!(look(&ada, old.id.as_str()).await.rotations, []);
}

#[tokio::test]
async fn undone_end_is_the_former_one() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let old: CreatedAgentKey = ada.create("checkout").await.value();
    let never = app.engine.kibana_key("ada", "never").await;
    let ten_years = now(&app).plus_ms(3_650 * DAY_MS);
    for (id, expected) in [
        (old.id.as_str(), old.expiration.unwrap()),
        (never.as_str(), ten_years),
    ] {
        let new = rotate(&ada, id, "24h").await;
        confirm(&ada, &new).await;
        assert!(look(&ada, id).await.rotations[0].undoable);
        let answer = ada.post("undo_rotation", &[("id", id)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let end = stored(&app, id).await["expiration"].as_i64().map(Timestamp);
        assert_eq!(end, Some(expected));
        let rotation = look(&ada, id).await.rotations.remove(0);
        assert_eq!(
            (rotation.state, rotation.undoable),
            (RotationState::Undone, false)
        );
        // The new key stays.
        assert_eq!(stored(&app, new.id.as_str()).await["invalidated"], false);
        let again = ada.post("undo_rotation", &[("id", id)]).await;
        assert_eq!(again.problem(), ProblemKind::ChangedMeanwhile);
    }
}

#[tokio::test]
async fn key_that_nothing_can_end_says_what_is_missing() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let admin = app.as_admin().await;
    let old: CreatedAgentKey = ada.create("checkout").await.value();
    let id = old.id.as_str();
    assert_eq!(
        prepare(&admin, id).await.means,
        EndMeans::User { own: false }
    );
    let page = admin
        .get(&format!("/settings/agent-keys/{id}/rotate"))
        .await
        .text();
    let page = shown(&page);
    assert!(page.contains("AGENT_KEYS_SERVICE_USERNAME") && page.contains("When I revoke it"));
    assert!(!page.contains("In 24 hours"), "{page}");
    let new = rotate(&admin, id, "24h").await;
    confirm(&admin, &new).await;
    assert_eq!(state(&admin, id).await, RotationState::Failed);
    let new = rotate(&admin, id, "open").await;
    confirm(&admin, &new).await;
    assert_eq!(state(&admin, id).await, RotationState::Open);
    assert_eq!(stored(&app, id).await["invalidated"], false);
    // Ada's own key can be ended by Elasticsearch.
    let page = ada
        .get(&format!("/settings/agent-keys/{id}/rotate"))
        .await
        .text();
    assert!(page.contains("In 24 hours"));
}

#[tokio::test]
async fn version_without_updates_of_the_end_needs_the_service_user() {
    for version in [Version::new(8, 0), Version::new(8, 12)] {
        let clock = Clock::manual(crate::support::NOW.0);
        let engine = Arc::new(Engine::start_as(&clock, version).await);
        let app = App::start_at(engine, clock, Setup::default()).await;
        // Reads the version, which a user of keys may not.
        app.as_admin().await;
        let ada = app.with_key_user("ada").await;
        let old: CreatedAgentKey = ada.create("checkout").await.value();
        let means = prepare(&ada, old.id.as_str()).await.means;
        assert_eq!(means, EndMeans::User { own: true });

        let app = with_keeper(version).await;
        let ada = app.with_key_user("ada").await;
        let old: CreatedAgentKey = ada.create("checkout").await.value();
        let new = rotate(&ada, old.id.as_str(), "1h").await;
        confirm(&ada, &new).await;
        assert_eq!(state(&ada, old.id.as_str()).await, RotationState::Scheduled);
        advance(&app, HOUR_MS);
        maintain(&app).await;
        assert_eq!(stored(&app, old.id.as_str()).await["invalidated"], true);
    }
}

#[tokio::test]
async fn rotation_works_without_script() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let old: CreatedAgentKey = ada.create("checkout").await.value();
    let id = old.id.as_str();
    let path = format!("/settings/agent-keys/{id}/rotate");
    let refused = ada
        .submit(&path, "rotate_agent_key", &{
            let mut fields = form("op-1", id, "custom").to_vec();
            fields.push(("form[overlap_on]", "2020-01-01T00:00"));
            fields.push(("page", path.as_str()));
            fields
        })
        .await;
    let page = shown(&refused.text());
    assert!(
        page.contains("Choose a time in the future.") && page.contains("checkout-2"),
        "{page}"
    );
    let mut fields = form("op-1", id, "24h").to_vec();
    fields.push(("page", path.as_str()));
    let answer = ada.submit(&path, "rotate_agent_key", &fields).await;
    let page = shown(&answer.text());
    assert!(
        page.contains("Key created: checkout-2") && page.contains("The old key is checkout"),
        "{page}"
    );
    let done = [
        ("operation", "op-1"),
        ("leave", "true"),
        ("page", "/settings/agent-keys"),
    ];
    ada.submit(&path, "acknowledge_agent_key", &done).await;
    assert_eq!(state(&ada, id).await, RotationState::Expires);
    let page = shown(&ada.get(&format!("/settings/agent-keys/{id}")).await.text());
    assert!(
        page.contains("The old key ends by itself") && page.contains("Undo the end of this key")
    );
    let answer = ada.submit(&path, "undo_rotation", &[("id", id)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let page = ada
        .get_after(&answer, &format!("/settings/agent-keys/{id}"))
        .await;
    assert!(shown(&page.text()).contains("The end of this key is as before"));
}

#[tokio::test]
async fn invalid_rotation_is_refused_at_its_field() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let old: CreatedAgentKey = ada.create("checkout").await.value();
    let fields = [
        ("form[operation]", "op-1"),
        ("form[key]", old.id.as_str()),
        ("form[name]", "_x"),
        ("form[expires]", "0"),
        ("form[overlap]", "custom"),
    ];
    let ProblemKind::Rotation(errors) = ada.post("rotate_agent_key", &fields).await.problem()
    else {
        panic!("not refused");
    };
    assert_eq!(errors.name, [KeyNameError::LeadingUnderscore]);
    assert_eq!(errors.expiration, Some(ExpirationError::UnknownChoice));
    assert_eq!(errors.overlap, Some(OverlapError::NotAMoment));
    // A key that is no longer active has no successor.
    ada.post("revoke_agent_key", &[("id", old.id.as_str())])
        .await;
    let answer = ada
        .post("rotate_agent_key", &form("op-1", old.id.as_str(), "24h"))
        .await;
    assert_eq!(answer.problem(), ProblemKind::ChangedMeanwhile);
    assert_eq!(app.engine.keys().await.len(), 1);
}
