//! Own privileges, application privileges, built-in names.

use crate::support::*;

const PATH: &str = "/_security/privilege";

fn privilege() -> Value {
    json!({"actions": ["data:read/*"], "metadata": {"a": 1}})
}

#[tokio::test]
async fn privileges_are_created_replaced_read_and_deleted() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    let created = elastic
        .put(PATH, json!({"myapp": {"read": privilege()}}))
        .await
        .assert_ok();
    assert_eq!(created, json!({"myapp": {"read": {"created": true}}}));
    let replaced = elastic
        .post(
            PATH,
            json!({"myapp": {"read": {"actions": ["x:y"]}, "write": privilege()}}),
        )
        .await
        .assert_ok();
    assert_eq!(
        replaced,
        json!({"myapp": {"read": {"created": false}, "write": {"created": true}}})
    );
    let read = elastic.get(&format!("{PATH}/myapp/read")).await.assert_ok();
    assert_eq!(
        read,
        json!({"myapp": {"read": {"application": "myapp", "name": "read", "actions": ["x:y"], "metadata": {}}}})
    );
    let deleted = elastic
        .send("DELETE", &format!("{PATH}/myapp/read,nope"), None)
        .await;
    assert_eq!(
        (deleted.status, deleted.json()),
        (
            200,
            json!({"myapp": {"read": {"found": true}, "nope": {"found": false}}})
        )
    );
    let again = elastic
        .send("DELETE", &format!("{PATH}/myapp/read"), None)
        .await;
    assert_eq!(
        (again.status, again.json()),
        (404, json!({"myapp": {"read": {"found": false}}}))
    );
}

#[tokio::test]
async fn missing_named_privileges_are_404() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    assert_eq!(elastic.get(PATH).await.assert_ok(), json!({}));
    assert_eq!(
        elastic.get(&format!("{PATH}/nothing")).await.assert_ok(),
        json!({})
    );
    let missing = elastic.get(&format!("{PATH}/nothing/read")).await;
    assert_eq!((missing.status, missing.json()), (404, json!({})));
}

#[tokio::test]
async fn kibanas_application_name_is_valid() {
    let engine = TestEngine::start().await;
    engine
        .elastic()
        .put(PATH, json!({"kibana-.kibana": {"all": privilege()}}))
        .await
        .assert_ok();
}

#[tokio::test]
async fn invalid_privileges_are_refused() {
    let engine = TestEngine::start().await;
    for body in [
        json!({}),
        json!({"My": {"read": privilege()}}),
        json!({"ab": {"read": privilege()}}),
        json!({"app*": {"read": privilege()}}),
        json!({"myapp-a b": {"read": privilege()}}),
        json!({"myapp": {"Read": privilege()}}),
        json!({"myapp": {"read": {"actions": []}}}),
        json!({"myapp": {"read": {"actions": ["plain"]}}}),
        json!({"myapp": {"read": {"actions": ["a:b"], "metadata": {"_a": 1}}}}),
    ] {
        engine
            .elastic()
            .put(PATH, body)
            .await
            .assert_error(400, "action_request_validation_exception");
    }
    engine
        .elastic()
        .put(
            PATH,
            json!({"myapp": {"read": {"actions": ["a:b"], "x": 1}}}),
        )
        .await
        .assert_error(400, "parse_exception");
    engine
        .elastic()
        .put(PATH, json!({"myapp": []}))
        .await
        .assert_error(400, "parse_exception");
}

#[tokio::test]
async fn built_in_privileges_are_listed() {
    let engine = TestEngine::start().await.since(8, 5);
    let names = engine
        .elastic()
        .get(&format!("{PATH}/_builtin"))
        .await
        .assert_ok();
    for name in [
        "all",
        "none",
        "manage",
        "monitor",
        "manage_security",
        "read_security",
        "manage_api_key",
        "manage_own_api_key",
        "grant_api_key",
        "manage_token",
    ] {
        assert!(
            names["cluster"].as_array().unwrap().contains(&json!(name)),
            "{name}"
        );
    }
    assert!(
        names["index"]
            .as_array()
            .unwrap()
            .contains(&json!("create_doc"))
    );
    assert_eq!(
        names["remote_cluster"],
        json!(["monitor_enrich", "monitor_stats"])
    );
}

#[tokio::test]
async fn clear_cache_succeeds() {
    let engine = TestEngine::start().await;
    for path in [
        "/_security/privilege/*/_clear_cache",
        "/_security/api_key/*/_clear_cache",
    ] {
        assert_eq!(
            engine.elastic().send("POST", path, None).await.assert_ok()["_nodes"]["failed"],
            0
        );
    }
}

#[tokio::test]
async fn own_privileges_are_merged_from_all_roles() {
    let engine = TestEngine::start().await;
    let role = json!({"cluster": ["monitor", "all"], "indices": [{"names": ["a"], "privileges": ["read"], "query": "{\"match_all\":{}}"}], "run_as": ["x"]});
    engine.user_with_role("ann", role).await;
    let user = json!({"password": "password", "roles": ["ann", "kibana_admin", "apm_system"]});
    engine
        .elastic()
        .put("/_security/user/ben", user)
        .await
        .assert_ok();
    let held = engine
        .user("ben", "password")
        .get("/_security/user/_privileges")
        .await
        .assert_ok();
    assert_eq!(
        held["cluster"],
        json!(["all", "cluster:admin/xpack/monitoring/bulk", "monitor"])
    );
    assert_eq!(held["run_as"], json!(["x"]));
    let indices = held["indices"].as_array().unwrap();
    let of_a = indices.iter().find(|entry| entry["names"] == json!(["a"]));
    assert_eq!(
        *of_a.unwrap(),
        json!({"names": ["a"], "privileges": ["read"], "query": ["{\"match_all\":{}}"], "allow_restricted_indices": false})
    );
    assert_eq!(held["applications"][0]["application"], "kibana-.kibana");
}

#[tokio::test]
async fn own_privileges_list_merged_entries() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    let index = |privilege: &str, extra: Value| {
        let mut entry = json!({"names": ["a", "b"], "privileges": [privilege]});
        let fields = entry.as_object_mut().unwrap();
        fields.extend(extra.as_object().unwrap().clone());
        entry
    };
    let application = |privilege: &str, resources: Value| json!({"application": "myapp", "privileges": [privilege], "resources": resources});
    let limited =
        |query: &str, field: &str| json!({"query": query, "field_security": {"grant": [field]}});
    let roles = [
        json!({
            "indices": [index("read", limited("{\"match_all\":{}}", "x")), {"names": ["c"], "privileges": ["read"], "query": "{\"match_all\":{}}"}],
            "applications": [application("data:read", json!(["1", "2"])), application("data:all", json!(["3"]))],
        }),
        json!({
            "indices": [index("write", limited("{\"term\":{\"a\":1}}", "y")), {"names": ["c"], "privileges": ["read"]}],
            "applications": [application("data:write", json!(["2", "1"])), application("data:all", json!(["4"]))],
        }),
    ];
    for (name, role) in ["one", "two"].into_iter().zip(roles) {
        elastic
            .put(&format!("/_security/role/{name}"), role)
            .await
            .assert_ok();
    }
    let user = json!({"password": "password", "roles": ["one", "two"]});
    elastic.put("/_security/user/ann", user).await.assert_ok();
    let held = engine
        .user("ann", "password")
        .get("/_security/user/_privileges")
        .await
        .assert_ok();
    assert_eq!(
        held["indices"],
        json!([
            {
                "names": ["a", "b"], "privileges": ["read", "write"], "allow_restricted_indices": false,
                "query": ["{\"match_all\":{}}", "{\"term\":{\"a\":1}}"],
                "field_security": [{"grant": ["x"]}, {"grant": ["y"]}],
            },
            // The second role reads `c` without a limit.
            {"names": ["c"], "privileges": ["read"], "allow_restricted_indices": false},
        ])
    );
    assert_eq!(
        held["applications"],
        json!([
            {"application": "myapp", "privileges": ["data:all"], "resources": ["3", "4"]},
            {"application": "myapp", "privileges": ["data:read", "data:write"], "resources": ["1", "2"]},
        ])
    );
}

#[tokio::test]
async fn own_privileges_are_refused_for_keys_with_descriptors() {
    let engine = TestEngine::start().await;
    let plain = engine.elastic().create_key(json!({"name": "k"})).await;
    engine
        .key(&plain)
        .get("/_security/user/_privileges")
        .await
        .assert_ok();
    let assigned = engine
        .elastic()
        .create_key(json!({"name": "k", "role_descriptors": {"x": {}}}))
        .await;
    let refused = engine
        .key(&assigned)
        .get("/_security/user/_privileges")
        .await;
    refused.assert_error(400, "illegal_argument_exception");
}
