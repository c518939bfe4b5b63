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
async fn own_key_is_revoked_once() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let created: CreatedAgentKey = ada.create("mine").await.value();
    let id = created.id.as_str();
    let answer = ada.post("revoke_agent_key", &[("id", id)]).await;
    assert_eq!(answer.header("location"), Some("/settings/agent-keys"));
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
async fn only_keys_in_scope_are_revoked() {
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
async fn user_who_reads_all_and_manages_own_keys_revokes_own_keys() {
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
async fn unrecorded_revocation_is_not_reported_as_unchanged() {
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
async fn revoked_key_in_node_caches_is_marked() {
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
        let list = "/settings/agent-keys";
        assert_eq!(answer.header("location"), Some(list));
        let page = format!("/settings/agent-keys/{id}");
        let pages = [ada.get_after(&answer, list).await, ada.get(&page).await];
        for page in pages {
            let text = shown(&page.text());
            let what_to_do = format!("POST /_security/api_key/{id}/_clear_cache");
            assert!(text.contains(&what_to_do), "{text}");
            assert!(text.contains("up to 15 minutes"));
            assert!(!text.contains("now rejects it"));
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
    let page = format!("/settings/agent-keys/{id}");
    assert!(!ada.get(&page).await.text().contains("_clear_cache"));
}

#[tokio::test]
async fn cached_key_is_marked_though_its_status_cannot_be_read() {
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
        let page = format!("/settings/agent-keys/{id}");
        let text = ada.get(&page).await.text();
        assert!(text.contains("_clear_cache"), "{text}");
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
async fn revocation_is_announced_once_where_its_dialog_was_opened() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let key = app.engine.kibana_key("ada", "checkout").await;
    let other = app.engine.kibana_key("ada", "payments").await;
    let list = "/settings/agent-keys?q=check&status=active&sort=name";
    let page_of_other = format!("/settings/agent-keys/{other}");
    for (id, dialog, next, name) in [
        (
            &key,
            format!("/settings/agent-keys/{key}/revoke?q=check&status=active&sort=name"),
            list,
            "checkout",
        ),
        (
            &other,
            format!("/settings/agent-keys/{other}/revoke?from-key=1"),
            page_of_other.as_str(),
            "payments",
        ),
    ] {
        let drawn = shown(&ada.get(&dialog).await.text());
        assert!(
            drawn.contains(&format!(r#"name="next" value="{next}""#)),
            "{drawn}"
        );
        // Close and Cancel.
        assert!(drawn.matches(&format!(r#"href="{next}""#)).count() >= 2);
        let fields = [("id", id.as_str()), ("next", next)];
        let answer = ada.submit(&dialog, "revoke_agent_key", &fields).await;
        assert_eq!(answer.header("location"), Some(next));
        let page = ada.get_after(&answer, next).await;
        let text = shown(&page.text());
        let said = text.contains("Revoked") && text.contains("now rejects it");
        assert!(said && text.contains(name), "{text}");
        assert!(page.header("set-cookie").unwrap().contains("Max-Age=0"));
        // A reload says nothing.
        let again = ada.get(next).await.text();
        assert!(!again.contains("now rejects it"));
    }
    let hostile = [("id", key.as_str()), ("next", "//evil.example")];
    let answer = ada.post("revoke_agent_key", &hostile).await;
    assert_eq!(answer.header("location"), Some("/settings/agent-keys"));
}

#[tokio::test]
async fn link_cannot_claim_what_was_done() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let revoked = app.engine.kibana_key("elastic", "revoked").await;
    let fields = [("id", revoked.as_str())];
    let answer = admin.post("revoke_agent_key", &fields).await;
    for link in [
        format!("/settings/agent-keys?revoked={revoked}&in_cache=true"),
        "/settings/users?deleted=ada&created=ada&password=ada".to_owned(),
    ] {
        let text = admin.get(&link).await.text();
        for claim in ["now rejects it", "_clear_cache", "Deleted", "Created ada"] {
            assert!(!text.contains(claim), "{link}: {claim}");
        }
    }
    // Nor can the message of another session.
    let other = app.as_admin().await;
    let page = other.get_after(&answer, "/settings/agent-keys").await;
    assert!(!page.text().contains("now rejects it"));
    assert!(page.header("set-cookie").unwrap().contains("Max-Age=0"));
    // The control: in its own, it is shown.
    let page = admin.get_after(&answer, "/settings/agent-keys").await;
    assert!(page.text().contains("now rejects it"));
}

#[tokio::test]
async fn key_that_elasticsearch_did_not_revoke_is_reported_as_such() {
    const NONE_REVOKED: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\
         Content-Type: application/json\r\n\r\n\
         {\"invalidated_api_keys\":[],\"previously_invalidated_api_keys\":[],\"error_count\":0}";
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let created: CreatedAgentKey = ada.create("mine").await.value();
    proxy.fail("DELETE /_security/api_key", Fault::Answer(NONE_REVOKED));
    let fields = [("id", created.id.as_str())];
    let answer = ada.post("revoke_agent_key", &fields).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(
        answer.problem(),
        ProblemKind::Elasticsearch(ElasticsearchFault::NotRevoked)
    );
}
