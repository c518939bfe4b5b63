//! Contract §4: the matrix, walked by people with one privilege each.

use crate::support::*;

/// Every operation, with a request that is valid in itself.
fn operations() -> Vec<(&'static str, &'static str, &'static str, Option<Value>)> {
    let role = json!({"cluster": []});
    let user = json!({"password": "password", "roles": []});
    let privilege = json!({"apmx": {"read": {"actions": ["a:b"]}}});
    let mapping = json!({"roles": ["r"], "enabled": true, "rules": {"field": {"username": "*"}}});
    let grant = json!({"grant_type": "password", "username": "elastic", "password": ELASTIC_PASSWORD, "api_key": {"name": "k"}});
    vec![
        (
            "api_key/create",
            "POST",
            "/_security/api_key",
            Some(json!({"name": "k"})),
        ),
        (
            "api_key/grant",
            "POST",
            "/_security/api_key/grant",
            Some(grant),
        ),
        ("api_key/get", "GET", "/_security/api_key", None),
        ("api_key/query", "GET", "/_security/_query/api_key", None),
        (
            "api_key/update",
            "PUT",
            "/_security/api_key/nope",
            Some(json!({})),
        ),
        (
            "api_key/bulk_update",
            "POST",
            "/_security/api_key/_bulk_update",
            Some(json!({"ids": ["nope"]})),
        ),
        (
            "api_key/invalidate",
            "DELETE",
            "/_security/api_key",
            Some(json!({"ids": ["nope"]})),
        ),
        (
            "api_key/cache/clear",
            "POST",
            "/_security/api_key/*/_clear_cache",
            None,
        ),
        ("role/put", "PUT", "/_security/role/r", Some(role)),
        ("role/get", "GET", "/_security/role", None),
        ("role/delete", "DELETE", "/_security/role/nope", None),
        (
            "role_mapping/put",
            "PUT",
            "/_security/role_mapping/m",
            Some(mapping),
        ),
        ("role_mapping/get", "GET", "/_security/role_mapping", None),
        (
            "role_mapping/delete",
            "DELETE",
            "/_security/role_mapping/nope",
            None,
        ),
        ("user/put", "PUT", "/_security/user/u", Some(user)),
        ("user/get", "GET", "/_security/user", None),
        ("user/delete", "DELETE", "/_security/user/nope", None),
        (
            "user/set_enabled",
            "PUT",
            "/_security/user/apm_system/_enable",
            None,
        ),
        (
            "user/set_enabled",
            "PUT",
            "/_security/user/beats_system/_disable",
            None,
        ),
        (
            "user/change_password",
            "PUT",
            "/_security/user/apm_system/_password",
            Some(json!({"password": "password"})),
        ),
        (
            "privilege/put",
            "PUT",
            "/_security/privilege",
            Some(privilege),
        ),
        ("privilege/get", "GET", "/_security/privilege", None),
        (
            "privilege/delete",
            "DELETE",
            "/_security/privilege/apmx/nope",
            None,
        ),
        (
            "privilege/builtin/get",
            "GET",
            "/_security/privilege/_builtin",
            None,
        ),
        (
            "privilege/cache/clear",
            "POST",
            "/_security/privilege/*/_clear_cache",
            None,
        ),
        (
            "token/create",
            "POST",
            "/_security/oauth2/token",
            Some(json!({"grant_type": "client_credentials"})),
        ),
        (
            "token/invalidate",
            "DELETE",
            "/_security/oauth2/token",
            Some(json!({"username": "nope"})),
        ),
        ("cluster:monitor/main", "GET", "/", None),
        ("cluster:monitor/health", "GET", "/_cluster/health", None),
        (
            "cluster:monitor/xpack/license/get",
            "GET",
            "/_license",
            None,
        ),
        ("cluster:monitor/xpack/info", "GET", "/_xpack", None),
        ("cluster:monitor/xpack/usage", "GET", "/_xpack/usage", None),
        ("cluster:monitor/nodes/info", "GET", "/_nodes/http", None),
    ]
}

/// What a cluster privilege grants, by the contract.
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
        // A get without "owner" and an invalidate by id ask for everybody's keys.
        "manage_own_api_key" => {
            key && !["api_key/grant", "api_key/get", "api_key/invalidate"].contains(&action)
        }
        "read_security" => action.ends_with("/get") && !monitor || action == "api_key/query",
        _ => false,
    }
}

#[tokio::test]
async fn nobody_may_do_anything() {
    let engine = TestEngine::start().await;
    for (action, method, path, body) in operations() {
        assert_eq!(
            engine.nobody().send(method, path, body).await.status,
            401,
            "{action}"
        );
    }
}

#[tokio::test]
async fn each_privilege_grants_what_the_matrix_says() {
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
        let person = engine
            .person_with(&format!("with_{privilege}"), &[privilege])
            .await;
        for (action, method, path, body) in operations() {
            let response = person.send(method, path, body).await;
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
async fn everyone_may_ask_about_themselves() {
    let engine = TestEngine::start().await;
    let ann = engine.person_with("ann", &["none"]).await;
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
async fn a_refusal_names_action_user_roles_and_privileges() {
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
async fn a_refusal_to_a_key_names_the_key() {
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
async fn owners_of_keys_may_get_and_invalidate_their_own() {
    let engine = TestEngine::start().await;
    let ann = engine.person_with("ann", &["manage_own_api_key"]).await;
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
async fn a_key_owns_only_itself() {
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
    assert_eq!(me.status_of_me().await, 401);
}

#[tokio::test]
async fn every_key_may_look_at_itself() {
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
async fn a_query_shows_owners_only_their_own() {
    let engine = TestEngine::start().await.since(8, 13);
    let ann = engine.person_with("ann", &["manage_own_api_key"]).await;
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
async fn a_key_holds_no_more_than_its_owner() {
    let engine = TestEngine::start().await;
    let ann = engine.person_with("ann", &["manage_own_api_key"]).await;
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
async fn role_changes_reach_users_at_once_and_keys_never() {
    let engine = TestEngine::start().await.since(8, 4);
    let ann = engine
        .person_with("ann", &["monitor", "manage_own_api_key"])
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
async fn applications_can_be_managed_through_a_role() {
    let engine = TestEngine::start().await;
    let role = json!({"global": {"application": {"manage": {"applications": ["mine*"]}}}});
    let ann = engine.person_holding("ann", role).await;
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
