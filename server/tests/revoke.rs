//! Revoking agent keys.

use crate::support::{
    App,
    attacker::Attacker,
    proxy::{CACHE_NOT_CLEARED, Fault},
    shown,
};
use app::model::{
    agent_key::RevokedAgentKey,
    new_agent_key::CreatedAgentKey,
    problem::{ElasticsearchFault, ProblemKind},
};
use http::{Method, StatusCode};
use serde_json::json;
use server::store::OperationState;
use std::time::Duration;

#[tokio::test]
async fn a_key_of_ones_own_is_revoked_once() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let created: CreatedAgentKey = ada.create("mine").await.value();
    let id = created.id.as_str();
    let answer = ada.post("revoke_agent_key", &[("id", id)]).await;
    assert_eq!(
        answer.header("location"),
        Some(format!("/settings/agent-keys?revoked={id}").as_str())
    );
    let revoked: RevokedAgentKey = answer.value();
    assert_eq!((revoked.name.as_str(), revoked.already), ("mine", false));
    let again: RevokedAgentKey = ada.post("revoke_agent_key", &[("id", id)]).await.value();
    assert!(again.already);
    assert_eq!(app.engine.keys().await[0]["invalidated"], true);
    let events = app
        .application
        .state()
        .store
        .audit_events(0, 100)
        .await
        .unwrap();
    let revocations: Vec<_> = events
        .iter()
        .filter(|event| event.action == "agent_key_invalidate")
        .map(|event| (event.outcome.as_str(), event.target_id.as_deref()))
        .collect();
    assert_eq!(revocations, [("unknown", Some(id)), ("success", Some(id))]);
}

#[tokio::test]
async fn only_keys_within_reach_are_revoked() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    app.engine.put_user("ben", &["apm_agent_key_role"]).await;
    let foreign = app.engine.kibana_key("ben", "of ben").await;
    let plain = json!({ "name": "no agent key" });
    let plain = app
        .engine
        .ask_as("ada", Method::POST, "/_security/api_key", Some(plain))
        .await;
    let plain = plain["id"].as_str().unwrap();
    let list = format!("{foreign},{plain}");
    for id in [
        foreign.as_str(),
        plain,
        "*",
        "_all",
        "",
        "unknown",
        &list,
        "..",
        "a b",
    ] {
        let answer = ada.post("revoke_agent_key", &[("id", id)]).await;
        assert_eq!(answer.problem(), ProblemKind::NotFound, "{id}");
    }
    let untouched = app.engine.keys().await;
    assert!(untouched.iter().all(|key| key["invalidated"] == false));
    // The administrator reaches the foreign one, and no more than that.
    let admin = app.as_admin().await;
    assert_eq!(
        admin
            .post("revoke_agent_key", &[("id", &foreign)])
            .await
            .status,
        StatusCode::OK
    );
    let invalidated = app
        .engine
        .keys()
        .await
        .into_iter()
        .filter(|key| key["invalidated"] == true)
        .count();
    assert_eq!(invalidated, 1);
}

#[tokio::test]
async fn whoever_sees_all_keys_and_manages_their_own_revokes_their_own() {
    let app = App::start().await;
    let role = json!({
        "cluster": ["manage_own_api_key", "read_security"],
        "applications": [
            { "application": "apm", "privileges": ["event:write", "config_agent:read"], "resources": ["*"] },
            { "application": "kibana-.kibana", "privileges": ["all"], "resources": ["*"] },
        ],
    });
    app.engine.put_role("auditor", role).await;
    let auditor = app.with_user("auditor", &["auditor"]).await;
    let foreign = app.engine.kibana_key("elastic", "of elastic").await;
    let created: CreatedAgentKey = auditor.create("mine").await.value();
    let list: app::model::key_list::KeyListPage = auditor.list(|_| {}).await.value();
    let revocable: Vec<_> = list
        .keys
        .iter()
        .map(|key| (key.name.as_str(), key.revocable))
        .collect();
    assert!(revocable.contains(&("of elastic", false)) && revocable.contains(&("mine", true)));
    let answer = auditor.post("revoke_agent_key", &[("id", &foreign)]).await;
    assert_eq!(answer.problem(), ProblemKind::NotFound);
    let answer = auditor
        .post("revoke_agent_key", &[("id", created.id.as_str())])
        .await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn nobody_is_told_that_nothing_was_changed_when_a_revocation_cannot_be_written_down() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let created: CreatedAgentKey = ada.create("mine").await.value();
    let fields = [("id", created.id.as_str())];
    let mut attacker = Attacker::of(&app).await;
    attacker
        .run(
            "CREATE TRIGGER full BEFORE INSERT ON audit_events WHEN NEW.action = 'agent_key_invalidate' \
             AND NEW.outcome = 'success' BEGIN SELECT RAISE(ABORT, 'no room'); END",
        )
        .await;
    let answer = ada.post("revoke_agent_key", &fields).await;
    assert_eq!(answer.problem(), ProblemKind::Unconfirmed);
    assert_eq!(app.engine.keys().await[0]["invalidated"], true);
    // With room again, whoever looks at the list finds it out.
    attacker.run("DROP TRIGGER full").await;
    app.clock.advance(Duration::from_secs(61));
    ada.list(|_| {}).await;
    let events = app.events().await;
    let found = events
        .iter()
        .rfind(|event| event.action == "agent_key_invalidate");
    assert_eq!(found.unwrap().outcome, "success");
}

#[tokio::test]
async fn a_revoked_key_that_some_nodes_have_cached_is_shown_as_such() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let keys = [
        app.engine.kibana_key("ada", "one").await,
        app.engine.kibana_key("ada", "two").await,
    ];
    proxy.fail(
        "DELETE /_security/api_key",
        Fault::AnswerAfterwards(CACHE_NOT_CLEARED),
    );
    // With JavaScript and without, the answer leads to the same page.
    let id = keys[0].as_str();
    let by_script = ada.post("revoke_agent_key", &[("id", id)]).await;
    let question = format!("/settings/agent-keys/{}/revoke", keys[1]);
    let fields = [("id", keys[1].as_str())];
    let by_form = ada.submit(&question, "revoke_agent_key", &fields).await;
    for (answer, id) in [(by_script, &keys[0]), (by_form, &keys[1])] {
        let page = format!("/settings/agent-keys?revoked={id}");
        assert_eq!(answer.header("location"), Some(page.as_str()));
        for page in [page, format!("/settings/agent-keys/{id}")] {
            let text = ada.get(&page).await.text();
            let what_to_do = format!("POST /_security/api_key/{id}/_clear_cache");
            let text = shown(&text);
            assert!(text.contains(&what_to_do), "{page}: {text}");
            assert!(text.contains("up to 15 minutes"), "{page}");
            assert!(!text.contains("refuses it from now on"), "{page}");
        }
    }
    let outcomes: Vec<_> = app
        .events()
        .await
        .into_iter()
        .filter(|event| event.action == "agent_key_invalidate")
        .map(|event| event.outcome.clone())
        .collect();
    assert_eq!(outcomes, ["unknown", "success", "unknown", "success"]);
    // No node keeps it for longer.
    app.clock.advance(Duration::from_mins(15));
    let page = format!("/settings/agent-keys?revoked={id}");
    let text = ada.get(&page).await.text();
    assert!(text.contains("refuses it from now on") && !text.contains("_clear_cache"));
}

#[tokio::test]
async fn a_key_that_was_still_cached_is_shown_as_such_though_nobody_could_look_after_it() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let id = app.engine.kibana_key("ada", "one").await;
    let in_cache = Fault::AnswerAfterwards(CACHE_NOT_CLEARED);
    let query = "POST /_security/_query/api_key";
    let broken = Box::new(Fault::Answer(
        "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\
         X-elastic-product: Elasticsearch\r\nContent-Type: application/json\r\n\r\n\
         {\"error\":{\"type\":\"null_pointer_exception\",\"reason\":null},\"status\":500}",
    ));
    proxy.fail(
        "DELETE /_security/api_key",
        Fault::Then(Box::new(in_cache), query, broken),
    );
    // Elasticsearch's own word is passed on.
    let answer = ada.post("revoke_agent_key", &[("id", &id)]).await;
    let told = ProblemKind::Elasticsearch(ElasticsearchFault::CacheNotCleared);
    assert_eq!(answer.problem(), told);
    proxy.heal();
    let is_told = async || {
        let page = format!("/settings/agent-keys?revoked={id}");
        let text = ada.get(&page).await.text();
        assert!(text.contains("_clear_cache"), "{text}");
        assert!(!text.contains("refuses it from now on"));
    };
    is_told().await;
    ada.list(|_| {}).await;
    let store = &app.application.state().store;
    let states = store.count_operations().await.unwrap();
    assert_eq!(states, [(OperationState::RevokedInCache, 1)]);
    is_told().await;
    let outcomes: Vec<_> = app
        .events()
        .await
        .into_iter()
        .filter(|event| event.action == "agent_key_invalidate")
        .map(|event| event.outcome.clone())
        .collect();
    assert_eq!(outcomes, ["unknown", "unknown", "success"]);
}

#[tokio::test]
async fn a_link_cannot_claim_that_a_key_is_revoked_or_still_cached() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let active = app.engine.kibana_key("ada", "active").await;
    let revoked = app.engine.kibana_key("ada", "revoked").await;
    let fields = [("id", revoked.as_str())];
    ada.post("revoke_agent_key", &fields).await;
    for (id, is_revoked) in [(&active, false), (&revoked, true)] {
        let link = format!(
            "/settings/agent-keys?revoked={id}&in_cache=true&cached=true&state=revoked_in_cache"
        );
        let text = ada.get(&link).await.text();
        assert!(!text.contains("_clear_cache"), "{id}");
        assert_eq!(text.contains("refuses it from now on"), is_revoked, "{id}");
    }
}
