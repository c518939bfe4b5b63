//! Keys that a person made when they signed in through another realm of the same security domain.

use crate::support::{App, Browser, proxy::Fault};
use app::model::{
    agent_key::FoundAgentKey,
    key_list::KeyListPage,
    problem::{ElasticsearchFault, ProblemKind},
    revocation::{KeyRevocation, RevocationEnding},
};
use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

const QUERY: &str = "POST /_security/_query/api_key";
const OWN: &str = "GET /_security/api_key";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\
     Content-Type: application/json\r\n\r\n\
     {\"error\":{\"type\":\"security_exception\",\"reason\":\"action [x] is unauthorized\"},\"status\":403}";

const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\
     Content-Type: application/json\r\n\r\n\
     {\"error\":{\"type\":\"es_rejected_execution_exception\",\"reason\":\"no\"},\"status\":429}";

/// Keys as a cluster answers whose domain holds the realms `native1` and `ldap1`. The engine has one realm, and knows
/// whose keys they are.
fn of_realms(answer: &mut Value) {
    for key in answer["api_keys"].as_array_mut().into_iter().flatten() {
        let name = key["name"].as_str().unwrap_or_default();
        if name.starts_with("from ldap") {
            key["realm"] = "ldap1".into();
        } else if name.starts_with("of a namesake") {
            key["username"] = "dana".into();
            key["realm"] = "file1".into();
        }
    }
}

/// A user who sees all keys and may revoke only their own.
async fn auditor(app: &App) -> Browser {
    let role = json!({
        "cluster": ["manage_own_api_key", "read_security"],
        "applications": [
            { "application": "apm", "privileges": ["event:write", "config_agent:read"], "resources": ["*"] },
            { "application": "kibana-.kibana", "privileges": ["all"], "resources": ["*"] },
        ],
    });
    app.engine.put_role("auditor", role).await;
    app.with_user("dana", &["auditor"]).await
}

fn revocable(page: &KeyListPage) -> Vec<&str> {
    let keys = page.keys.iter().filter(|key| key.revocable);
    let mut names: Vec<_> = keys.map(|key| key.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn own_keys_of_a_realm_domain_are_revoked_and_a_namesakes_are_not() {
    let (app, proxy) = App::behind_proxy().await;
    let dana = auditor(&app).await;
    app.engine.put_user("ben", &["apm_agent_key_role"]).await;
    app.engine.put_agent_key_role().await;
    app.engine.kibana_key("dana", "mine").await;
    let from_ldap = app.engine.kibana_key("dana", "from ldap").await;
    let another = app.engine.kibana_key("dana", "from ldap, too").await;
    let namesakes = app.engine.kibana_key("ben", "of a namesake").await;
    app.engine.kibana_key("ben", "of ben").await;
    proxy.fail(QUERY, Fault::Edited(of_realms));

    let list: KeyListPage = dana.list(|_| {}).await.value();
    assert_eq!(list.keys.len(), 5);
    assert_eq!(revocable(&list), ["from ldap", "from ldap, too", "mine"]);
    assert_eq!(proxy.count(OWN), 2, "once for each realm");
    for (id, is_own) in [(&from_ldap, true), (&namesakes, false)] {
        let found: FoundAgentKey = dana.post("find_agent_key", &[("id", id)]).await.value();
        assert_eq!(found.key.revocable, is_own, "{}", found.key.name);
        assert_eq!(found.key.owner, "dana");
    }
    let answer = dana.post("revoke_agent_key", &[("id", &namesakes)]).await;
    assert_eq!(answer.problem(), ProblemKind::NotFound);
    let answer = dana.post("revoke_agent_key", &[("id", &from_ldap)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let fields = [("ids[]", another.as_str()), ("ids[]", &namesakes)];
    let told: Vec<KeyRevocation> = dana.post("revoke_agent_keys", &fields).await.value();
    let endings: Vec<_> = told.iter().map(|key| key.ending).collect();
    assert_eq!(
        endings,
        [RevocationEnding::Revoked, RevocationEnding::NotFound]
    );
    let keys = app.engine.keys().await;
    let mut revoked: Vec<_> = keys
        .iter()
        .filter(|key| key["invalidated"] == true)
        .map(|key| key["name"].as_str().unwrap())
        .collect();
    revoked.sort_unstable();
    assert_eq!(revoked, ["from ldap", "from ldap, too"]);
}

#[tokio::test]
async fn ownership_is_queried_only_where_it_decides() {
    let (app, proxy) = App::behind_proxy().await;
    let dana = auditor(&app).await;
    app.engine.kibana_key("dana", "mine").await;
    app.engine
        .kibana_key("elastic", "of the administrator")
        .await;
    let list: KeyListPage = dana.list(|_| {}).await.value();
    assert_eq!(revocable(&list), ["mine"], "every name is of one realm");
    proxy.fail(QUERY, Fault::Edited(of_realms));
    app.engine.kibana_key("elastic", "from ldap").await;
    // The administrator revokes everybody's.
    let admin = app.as_admin().await;
    let list: KeyListPage = admin.list(|_| {}).await.value();
    assert_eq!(revocable(&list).len(), 3);
    // Who sees only their own keys sees those of every realm of the domain.
    let ada = app.with_key_user("ada").await;
    app.engine.kibana_key("ada", "from ldap").await;
    let list: KeyListPage = ada.list(|_| {}).await.value();
    assert_eq!(revocable(&list), ["from ldap"]);
    assert_eq!(proxy.count(OWN), 0);
}

#[tokio::test]
async fn keys_of_unknown_ownership_are_listed_without_revoke() {
    let (app, proxy) = App::behind_proxy().await;
    let dana = auditor(&app).await;
    app.engine.kibana_key("dana", "mine").await;
    let from_ldap = app.engine.kibana_key("dana", "from ldap").await;
    proxy.fail(QUERY, Fault::Edited(of_realms));
    let before: KeyListPage = dana.list(|_| {}).await.value();
    assert_eq!(revocable(&before), ["from ldap", "mine"], "the control");
    proxy.fail_too(OWN, Fault::Answer(FORBIDDEN));
    let list: KeyListPage = dana.list(|_| {}).await.value();
    assert_eq!(list.keys.len(), 2);
    assert_eq!(revocable(&list), ["mine"]);
    let found: FoundAgentKey = dana
        .post("find_agent_key", &[("id", &from_ldap)])
        .await
        .value();
    assert!(!found.key.revocable);
    // Without an answer it is not known which keys are revocable, so the page fails as a whole.
    proxy.fail(QUERY, Fault::Edited(of_realms));
    proxy.fail_too(OWN, Fault::Silence(Duration::from_secs(60)));
    let timed_out = ProblemKind::Elasticsearch(ElasticsearchFault::TimedOut);
    assert_eq!(dana.list(|_| {}).await.problem(), timed_out);
}

#[tokio::test]
async fn revocation_of_a_key_of_unknown_ownership_reports_the_cause() {
    let (app, proxy) = App::behind_proxy().await;
    let dana = auditor(&app).await;
    let mine = app.engine.kibana_key("dana", "mine").await;
    let from_ldap = app.engine.kibana_key("dana", "from ldap").await;
    proxy.fail(QUERY, Fault::Edited(of_realms));
    proxy.fail_too(OWN, Fault::Answer(BUSY));
    let busy = ProblemKind::Elasticsearch(ElasticsearchFault::Busy);
    let answer = dana.post("revoke_agent_key", &[("id", &from_ldap)]).await;
    assert_eq!(answer.problem(), busy);
    let both = [("ids[]", mine.as_str()), ("ids[]", &from_ldap)];
    assert_eq!(dana.post("revoke_agent_keys", &both).await.problem(), busy);
    let keys = app.engine.keys().await;
    assert!(keys.iter().all(|key| key["invalidated"] == false));
    // The control: the ownership of this one is known.
    let answer = dana.post("revoke_agent_key", &[("id", &mine)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
}
