//! The authorization matrix, checked with one privilege at a time.

use crate::support::*;

/// All operations: action, method, path, and a valid body.
const OPERATIONS: &str = r#"
api_key/create       POST   /_security/api_key                       {"name": "k"}
api_key/grant        POST   /_security/api_key/grant                 {"grant_type": "password", "username": "elastic", "password": "correct horse", "api_key": {"name": "k"}}
api_key/get          GET    /_security/api_key
api_key/query        GET    /_security/_query/api_key
api_key/update       PUT    /_security/api_key/nope                  {}
api_key/bulk_update  POST   /_security/api_key/_bulk_update          {"ids": ["nope"]}
api_key/invalidate   DELETE /_security/api_key                       {"ids": ["nope"]}
api_key/cache/clear  POST   /_security/api_key/*/_clear_cache
role/put             PUT    /_security/role/r                        {"cluster": []}
role/get             GET    /_security/role
role/delete          DELETE /_security/role/nope
role_mapping/put     PUT    /_security/role_mapping/m                {"roles": ["r"], "enabled": true, "rules": {"field": {"username": "*"}}}
role_mapping/get     GET    /_security/role_mapping
role_mapping/delete  DELETE /_security/role_mapping/nope
user/put             PUT    /_security/user/u                        {"password": "password", "roles": []}
user/get             GET    /_security/user
user/delete          DELETE /_security/user/nope
user/set_enabled     PUT    /_security/user/apm_system/_enable
user/set_enabled     PUT    /_security/user/beats_system/_disable
user/change_password PUT    /_security/user/apm_system/_password     {"password": "password"}
privilege/put        PUT    /_security/privilege                     {"apmx": {"read": {"actions": ["a:b"]}}}
privilege/get        GET    /_security/privilege
privilege/delete     DELETE /_security/privilege/apmx/nope
privilege/builtin/get GET   /_security/privilege/_builtin
privilege/cache/clear POST  /_security/privilege/*/_clear_cache
token/create         POST   /_security/oauth2/token                  {"grant_type": "client_credentials"}
token/invalidate     DELETE /_security/oauth2/token                  {"username": "nope"}
cluster:monitor/main              GET /
cluster:monitor/health            GET /_cluster/health
cluster:monitor/xpack/license/get GET /_license
cluster:monitor/xpack/info        GET /_xpack
cluster:monitor/xpack/usage       GET /_xpack/usage
cluster:monitor/nodes/info        GET /_nodes/http
"#;

fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static str, Option<Value>)> {
    OPERATIONS.trim().lines().map(|row| {
        let (row, body) = match row.find('{') {
            Some(at) => (&row[..at], Some(serde_json::from_str(&row[at..]).unwrap())),
            None => (row, None),
        };
        let mut fields = row.split_whitespace();
        let mut field = || fields.next().unwrap();
        (field(), field(), field(), body)
    })
}

/// Returns true if the cluster privilege grants the action according to the contract.
fn granted(privilege: &str, action: &str) -> bool {
    let monitor = action.starts_with("cluster:monitor/");
    let key = action.starts_with("api_key/") && action != "api_key/cache/clear";
    match privilege {
        "all" => true,
        "manage_security" => !monitor,
        "monitor" | "manage" => monitor,
        "manage_token" => action.starts_with("token/"),
        "grant_api_key" => action == "api_key/grant",
        "manage_api_key" => action.starts_with("api_key/"),
        // A get without "owner" and an invalidate by id cover the keys of all users.
        "manage_own_api_key" => {
            key && !["api_key/grant", "api_key/get", "api_key/invalidate"].contains(&action)
        }
        "read_security" => action.ends_with("/get") && !monitor || action == "api_key/query",
        _ => false,
    }
}

#[tokio::test]
async fn every_action_requires_authentication() {
    let engine = TestEngine::start().await;
    for (action, method, path, body) in operations() {
        assert_eq!(
            engine.anonymous().send(method, path, body).await.status,
            401,
            "{action}"
        );
    }
}

#[tokio::test]
async fn each_cluster_privilege_grants_its_actions() {
    let engine = TestEngine::start_with_tokens(true).await.since(8, 5);
    let privileges = [
        "none",
        "monitor",
        "manage",
        "manage_token",
        "grant_api_key",
        "manage_own_api_key",
        "manage_api_key",
        "read_security",
        "manage_security",
        "all",
    ];
    for privilege in privileges {
        let client = engine
            .user_with_privileges(&format!("with_{privilege}"), &[privilege])
            .await;
        for (action, method, path, body) in operations() {
            let response = client.send(method, path, body).await;
            let allowed = granted(privilege, action);
            assert_eq!(
                response.status != 403,
                allowed,
                "{privilege} {action}: {} {}",
                response.status,
                response.text
            );
            if allowed {
                assert!(
                    response.status < 500 && response.status != 401,
                    "{action}: {}",
                    response.text
                );
            }
        }
    }
}

#[tokio::test]
async fn callers_without_privileges_may_read_their_own_identity() {
    let engine = TestEngine::start().await;
    let ann = engine.user_with_privileges("ann", &["none"]).await;
    ann.get("/_security/_authenticate").await.assert_ok();
    ann.get("/_security/user/_privileges").await.assert_ok();
    ann.post(
        "/_security/user/_has_privileges",
        json!({"cluster": ["all"]}),
    )
    .await
    .assert_ok();
    ann.put(
        "/_security/user/_password",
        json!({"password": "a new one"}),
    )
    .await
    .assert_ok();
}

#[tokio::test]
async fn refusal_contains_action_user_roles_and_privileges() {
    let engine = TestEngine::start().await;
    let user = json!({"password": "password", "roles": ["viewer", "nowhere", "apm_system"]});
    engine
        .elastic()
        .put("/_security/user/ann", user)
        .await
        .assert_ok();
    let response = engine
        .user("ann", "password")
        .delete("/_security/api_key", json!({"ids": ["x"]}))
        .await;
    assert_eq!(
        response.assert_error(403, "security_exception"),
        "action [cluster:admin/xpack/security/api_key/invalidate] is unauthorized for user [ann] with effective roles [apm_system,viewer] (assigned roles [nowhere] were not found), this action is granted by the cluster privileges [manage_api_key,manage_security,all]"
    );
}

#[tokio::test]
async fn refusal_of_a_key_contains_its_id() {
    let engine = TestEngine::start().await;
    let key = engine
        .elastic()
        .create_key(json!({"name": "k", "role_descriptors": {"x": {}}}))
        .await;
    let reason = engine
        .key(&key)
        .get("/")
        .await
        .assert_error(403, "security_exception");
    assert!(reason.starts_with(&format!(
        "action [cluster:monitor/main] is unauthorized for API key id [{}] of user [elastic]",
        key.id
    )));
}

#[tokio::test]
async fn manage_own_api_key_covers_only_own_keys() {
    let engine = TestEngine::start().await;
    let ann = engine
        .user_with_privileges("ann", &["manage_own_api_key"])
        .await;
    engine
        .elastic()
        .create_key(json!({"name": "of elastic"}))
        .await;
    let key = ann.create_key(json!({"name": "of ann"})).await;
    let get = |query: &str| format!("/_security/api_key?{query}");
    for query in ["owner=true", "username=ann&realm_name=default_native"] {
        let keys = ann.get(&get(query)).await.assert_ok();
        assert_eq!(keys["api_keys"].as_array().unwrap().len(), 1, "{query}");
    }
    for query in [
        "",
        "owner=false",
        "username=ann",
        "username=elastic&realm_name=reserved",
        &format!("id={}", key.id),
    ] {
        ann.get(&get(query))
            .await
            .assert_error(403, "security_exception");
    }
    ann.invalidate(&key)
        .await
        .assert_error(403, "security_exception");
    let own = json!({"ids": [key.id], "owner": true});
    assert_eq!(
        ann.delete("/_security/api_key", own).await.assert_ok()["invalidated_api_keys"],
        json!([key.id])
    );
}

#[tokio::test]
async fn key_owns_only_itself() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    let descriptor = json!({"x": {"cluster": ["manage_own_api_key"]}});
    let one = elastic
        .create_key(json!({"name": "one", "role_descriptors": descriptor}))
        .await;
    let other = elastic
        .create_key(json!({"name": "other", "role_descriptors": descriptor}))
        .await;
    let me = engine.key(&one);
    me.get(&format!("/_security/api_key?id={}", one.id))
        .await
        .assert_ok();
    me.get(&format!("/_security/api_key?id={}", other.id))
        .await
        .assert_error(403, "security_exception");
    me.get("/_security/api_key?username=elastic&realm_name=reserved")
        .await
        .assert_error(403, "security_exception");
    me.get(&format!(
        "/_security/api_key?id={}&with_limited_by=true",
        one.id
    ))
    .await
    .assert_error(403, "security_exception");
    assert_eq!(me.names(json!({})).await, ["one"]);
    let both = json!({"ids": [one.id, other.id]});
    me.delete("/_security/api_key", both)
        .await
        .assert_error(403, "security_exception");
    me.invalidate(&one).await.assert_ok();
    assert_eq!(me.authentication_status().await, 401);
}

#[tokio::test]
async fn every_key_may_read_itself() {
    let engine = TestEngine::start().await;
    let key = engine
        .elastic()
        .create_key(json!({"name": "k", "role_descriptors": {"x": {}}}))
        .await;
    engine
        .key(&key)
        .get(&format!("/_security/api_key?id={}", key.id))
        .await
        .assert_ok();
    engine
        .key(&key)
        .query(json!({}))
        .await
        .assert_error(403, "security_exception");
}

#[tokio::test]
async fn query_returns_only_own_keys_to_their_owner() {
    let engine = TestEngine::start().await.since(8, 13);
    let ann = engine
        .user_with_privileges("ann", &["manage_own_api_key"])
        .await;
    engine
        .elastic()
        .create_key(json!({"name": "of elastic"}))
        .await;
    ann.create_key(json!({"name": "of ann"})).await;
    let found = ann
        .query(json!({"aggs": {"n": {"value_count": {"field": "name"}}}}))
        .await
        .assert_ok();
    assert_eq!(
        (&found["total"], &found["aggregations"]["n"]["value"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn key_is_limited_by_privileges_of_its_owner() {
    let engine = TestEngine::start().await;
    let ann = engine
        .user_with_privileges("ann", &["manage_own_api_key"])
        .await;
    let key = ann
        .create_key(json!({"name": "k", "role_descriptors": {"x": {"cluster": ["all"]}}}))
        .await;
    let me = engine.key(&key);
    me.get("/").await.assert_error(403, "security_exception");
    let check = json!({"cluster": ["manage_own_api_key", "monitor", "all"]});
    let held = me
        .post("/_security/user/_has_privileges", check)
        .await
        .assert_ok();
    assert_eq!(
        held["cluster"],
        json!({"manage_own_api_key": true, "monitor": false, "all": false})
    );
}

#[tokio::test]
async fn role_changes_affect_users_and_not_existing_keys() {
    let engine = TestEngine::start().await.since(8, 4);
    let ann = engine
        .user_with_privileges("ann", &["monitor", "manage_own_api_key"])
        .await;
    let key = ann.create_key(json!({"name": "k"})).await;
    engine
        .elastic()
        .put(
            "/_security/role/ann",
            json!({"cluster": ["manage_own_api_key"]}),
        )
        .await
        .assert_ok();
    ann.get("/").await.assert_error(403, "security_exception");
    engine.key(&key).get("/").await.assert_ok();
    // An update takes a new snapshot.
    ann.put(&format!("/_security/api_key/{}", key.id), json!({}))
        .await
        .assert_ok();
    engine
        .key(&key)
        .get("/")
        .await
        .assert_error(403, "security_exception");
}

#[tokio::test]
async fn global_privilege_manages_applications() {
    let engine = TestEngine::start().await;
    let role = json!({"global": {"application": {"manage": {"applications": ["mine*"]}}}});
    let ann = engine.user_with_role("ann", role).await;
    let privilege = json!({"actions": ["a:b"]});
    ann.put(
        "/_security/privilege",
        json!({"mineapp": {"read": privilege}}),
    )
    .await
    .assert_ok();
    ann.get("/_security/privilege/mineapp").await.assert_ok();
    let other = ann
        .put(
            "/_security/privilege",
            json!({"mineapp": {"read": privilege}, "other": {"read": privilege}}),
        )
        .await;
    other.assert_error(403, "security_exception");
}
