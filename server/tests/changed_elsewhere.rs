//! Agent keys that were created here and have lost their mark since, through Elasticsearch.

use crate::support::{App, Browser};
use app::model::{
    agent_key::{FoundAgentKey, KeySource, KeyStatus},
    key_list::KeyListPage,
    problem::ProblemKind,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Creates a key as the user.
async fn create(app: &App, user: &Browser, name: &str) -> String {
    let answer = user.create(name).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let keys = app.engine.keys().await;
    let key = keys.iter().find(|key| key["name"] == name).unwrap();
    key["id"].as_str().unwrap().to_owned()
}

/// Replaces parts of a key as its owner may.
async fn update(app: &App, owner: &str, id: &str, body: Value) {
    let path = format!("/_security/api_key/{id}");
    let answer = app.engine.ask_as(owner, Method::PUT, &path, Some(body));
    assert_eq!(answer.await["updated"], true);
}

async fn list(browser: &Browser) -> KeyListPage {
    browser.list(|_| {}).await.value()
}

async fn look(browser: &Browser, id: &str) -> FoundAgentKey {
    browser.post("find_agent_key", &[("id", id)]).await.value()
}

async fn drift(app: &App) -> Vec<Option<String>> {
    let events = app.events().await;
    let drift = events
        .into_iter()
        .filter(|event| event.action == "agent_key_drift");
    drift.map(|event| event.target_id.clone()).collect()
}

#[tokio::test]
async fn key_that_lost_its_mark_is_listed_counted_and_audited_once() {
    let app = App::start().await;
    app.engine.put_agent_key_role().await;
    app.engine.put_user("jane", &["apm_agent_key_role"]).await;
    app.engine.put_user("omar", &["apm_agent_key_role"]).await;
    let (jane, omar) = (app.as_user("jane").await, app.as_user("omar").await);
    let hidden = json!({ "x": { "cluster": ["monitor"] } });
    for (name, change) in [
        ("emptied", json!({ "metadata": {} })),
        (
            "of Kibana",
            json!({ "metadata": { "system": true, "application": "apm" } }),
        ),
        ("managed", json!({ "metadata": { "managed": true } })),
        (
            "other rights",
            json!({ "metadata": {}, "role_descriptors": hidden }),
        ),
    ] {
        let id = create(&app, &jane, name).await;
        update(&app, "jane", &id, change).await;
    }
    create(&app, &jane, "untouched").await;
    create(&app, &omar, "another owner's").await;

    let admin = app.as_admin().await;
    for _ in 0..2 {
        let all = list(&admin).await;
        assert_eq!((all.total, all.summary.active), (6, 6));
        for key in &all.keys {
            let expected = match key.name.as_str() {
                "untouched" | "another owner's" => KeySource::AgentKeys,
                _ => KeySource::ChangedElsewhere,
            };
            assert_eq!(key.source, expected, "{}", key.name);
            assert!(key.revocable, "{}", key.name);
        }
        // It is listed once, not among the keys made elsewhere too.
        let elsewhere: KeyListPage = admin.list(|query| query.elsewhere = true).await.value();
        assert_eq!(elsewhere.total, 0);
        assert_eq!(drift(&app).await.len(), 4);
        // Long enough for the next list to look again.
        app.clock.advance(std::time::Duration::from_secs(60));
    }
    let page = admin.get("/settings/agent-keys").await.text();
    assert!(page.contains("Agent Keys, changed elsewhere"));
    // The search and the filters apply to these keys too.
    let found: KeyListPage = admin
        .list(|query| query.search = "emptied".to_owned())
        .await
        .value();
    assert_eq!(found.total, 1);

    assert_eq!(list(&jane).await.total, 5);
    assert_eq!(list(&omar).await.total, 1);
}

#[tokio::test]
async fn key_that_lost_its_mark_is_shown_and_revoked_like_others() {
    let app = App::start().await;
    app.engine.put_agent_key_role().await;
    app.engine.put_user("jane", &["apm_agent_key_role"]).await;
    app.engine.put_user("omar", &["apm_agent_key_role"]).await;
    let jane = app.as_user("jane").await;
    let id = create(&app, &jane, "hideme").await;
    let hidden = json!({ "metadata": { "system": true }, "role_descriptors": {} });
    update(&app, "jane", &id, hidden).await;

    let admin = app.as_admin().await;
    let found = look(&admin, &id).await;
    assert_eq!(found.key.source, KeySource::ChangedElsewhere);
    let page = admin
        .get(&format!("/settings/agent-keys/{id}"))
        .await
        .text();
    assert!(page.contains("This key was changed outside Agent Keys"));
    let omar = app.as_user("omar").await;
    let others = omar.post("find_agent_key", &[("id", &id)]).await;
    assert_eq!(others.problem(), ProblemKind::NotFound);

    let revoked = admin.post("revoke_agent_key", &[("id", &id)]).await;
    assert_eq!(revoked.status, StatusCode::OK, "{}", revoked.text());
    assert!(matches!(
        look(&admin, &id).await.key.status,
        KeyStatus::Revoked { .. }
    ));
}

#[tokio::test]
async fn bulk_revocation_includes_keys_that_lost_their_mark() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let ids = [
        create(&app, &admin, "first").await,
        create(&app, &admin, "second").await,
    ];
    update(&app, "elastic", &ids[0], json!({ "metadata": {} })).await;
    let fields = [
        ("ids[]", ids[0].as_str()),
        ("ids[]", &ids[1]),
        ("typed", "2"),
    ];
    let answer = admin.post("revoke_agent_keys", &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let keys = app.engine.keys().await;
    assert!(keys.iter().all(|key| key["invalidated"] == true));
}
