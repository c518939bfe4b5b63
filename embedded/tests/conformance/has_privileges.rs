//! Privilege checks.

use crate::support::*;

const PATH: &str = "/_security/user/_has_privileges";

async fn check(client: &Client, body: Value) -> Value {
    client.post(PATH, body).await.assert_ok()
}

fn application(privileges: Value, resources: Value) -> Value {
    json!({"application": [{"application": "apm", "privileges": privileges, "resources": resources}]})
}

#[tokio::test]
async fn apm_server_check_returns_true_for_granted_privileges() {
    let engine = TestEngine::start().await;
    let key = engine.elastic().create_key(json!({
        "name": "agent", "metadata": {"application": "apm"},
        "role_descriptors": {"apm": {"cluster": [], "index": [], "applications": [{"application": "apm", "privileges": ["event:write", "config_agent:read"], "resources": ["*"]}]}},
    })).await;
    let body = application(
        json!(["config_agent:read", "event:write", "sourcemap:write"]),
        json!(["-"]),
    );
    let answer = engine
        .key(&key)
        .send("GET", PATH, Some(body))
        .await
        .assert_ok();
    assert_eq!(
        answer,
        json!({
            "username": "elastic", "has_all_requested": false, "cluster": {}, "index": {},
            "application": {"apm": {"-": {"config_agent:read": true, "event:write": true, "sourcemap:write": false}}},
        })
    );
}

#[tokio::test]
async fn key_without_privileges_gets_false() {
    let engine = TestEngine::start().await;
    let key = engine
        .elastic()
        .create_key(json!({"name": "k", "role_descriptors": {"x": {}}}))
        .await;
    let answer = check(
        &engine.key(&key),
        application(json!(["event:write"]), json!(["-"])),
    )
    .await;
    assert_eq!(answer["application"]["apm"]["-"]["event:write"], false);
}

#[tokio::test]
async fn key_needs_its_own_and_its_owners_privilege() {
    let engine = TestEngine::start().await;
    let role = json!({"cluster": ["manage_own_api_key"], "applications": [{"application": "apm", "privileges": ["event:write"], "resources": ["*"]}]});
    let ann = engine.user_with_role("ann", role).await;
    let descriptor = json!({"apm": {"applications": [{"application": "apm", "privileges": ["event:write", "config_agent:read"], "resources": ["*"]}]}});
    let key = ann
        .create_key(json!({"name": "k", "role_descriptors": descriptor}))
        .await;
    let answer = check(
        &engine.key(&key),
        application(json!(["event:write", "config_agent:read"]), json!(["-"])),
    )
    .await;
    assert_eq!(
        answer["application"]["apm"]["-"],
        json!({"event:write": true, "config_agent:read": false})
    );
}

#[tokio::test]
async fn cluster_privileges_imply_narrower_ones() {
    let engine = TestEngine::start().await;
    let names = [
        "all",
        "manage",
        "monitor",
        "manage_security",
        "manage_api_key",
        "manage_own_api_key",
        "cluster:monitor/main",
    ];
    let ann = engine
        .user_with_privileges("ann", &["manage", "manage_api_key"])
        .await;
    let answer = check(&ann, json!({"cluster": names})).await;
    assert_eq!(
        answer["cluster"],
        json!({
            "all": false, "manage": true, "monitor": true, "manage_security": false, "manage_api_key": true,
            "manage_own_api_key": true, "cluster:monitor/main": true,
        })
    );
    assert_eq!(
        check(&engine.elastic(), json!({"cluster": names})).await["has_all_requested"],
        true
    );
}

#[tokio::test]
async fn index_patterns_must_be_covered_entirely() {
    let engine = TestEngine::start().await;
    let role = json!({"indices": [{"names": ["index-a", "logs-*"], "privileges": ["read", "create_doc"]}, {"names": ["logs-*"], "privileges": ["write"]}]});
    let ann = engine.user_with_role("ann", role).await;
    let body = json!({"index": [{"names": ["index-a", "*", "logs-x*", ".security-7"], "privileges": ["read", "write", "all"]}, {"names": ["index-a"], "privileges": ["create_doc"]}]});
    assert_eq!(
        check(&ann, body).await["index"],
        json!({
            "index-a": {"read": true, "write": false, "all": false, "create_doc": true},
            "*": {"read": false, "write": false, "all": false},
            "logs-x*": {"read": true, "write": true, "all": false},
            ".security-7": {"read": false, "write": false, "all": false},
        })
    );
}

#[tokio::test]
async fn system_indices_require_explicit_permission() {
    let engine = TestEngine::start().await;
    let body = json!({"index": [{"names": [".security-7"], "privileges": ["read", "write"], "allow_restricted_indices": true}]});
    assert_eq!(
        check(&engine.elastic(), body).await["index"][".security-7"],
        json!({"read": true, "write": false})
    );
}

#[tokio::test]
async fn privilege_names_must_be_registered_and_actions_need_not() {
    let engine = TestEngine::start().await;
    let entry = |privileges: Value, resources: Value| json!({"application": "myapp", "privileges": privileges, "resources": resources});
    let role = json!({"applications": [entry(json!(["reader", "data:write/*"]), json!(["space:a"])), entry(json!(["unregistered"]), json!(["*"]))]});
    let ann = engine.user_with_role("ann", role).await;
    let privileges = json!({"myapp": {"reader": {"actions": ["data:read/*", "login:"]}, "narrow": {"actions": ["data:read/x"]}, "wide": {"actions": ["data:read/x", "data:delete/x"]}}});
    engine
        .elastic()
        .put("/_security/privilege", privileges)
        .await
        .assert_ok();
    let body = json!({"application": [{"application": "myapp", "privileges": ["reader", "narrow", "wide", "unregistered", "data:read/x", "data:write/y", "data:delete/y", "login:"], "resources": ["space:a", "space:b"]}]});
    let answer = check(&ann, body).await;
    assert_eq!(
        answer["application"]["myapp"]["space:a"],
        json!({
            "reader": true, "narrow": true, "wide": false, "unregistered": true, "data:read/x": true, "data:write/y": true, "data:delete/y": false, "login:": true,
        })
    );
    assert_eq!(
        answer["application"]["myapp"]["space:b"],
        json!({
            "reader": false, "narrow": false, "wide": false, "unregistered": true, "data:read/x": false, "data:write/y": false, "data:delete/y": false, "login:": false,
        })
    );
}

#[tokio::test]
async fn superuser_has_every_application_privilege() {
    let engine = TestEngine::start().await;
    let answer = check(
        &engine.elastic(),
        application(json!(["event:write", "anything"]), json!(["-", "*"])),
    )
    .await;
    assert_eq!(answer["has_all_requested"], true);
}

/// Creates a user with one role for each list of application entries.
async fn user_with_roles(engine: &TestEngine, roles: &[Value]) -> Client {
    let elastic = engine.elastic();
    let mut names = Vec::new();
    for (number, applications) in roles.iter().enumerate() {
        let name = format!("role{number}");
        let role = json!({"applications": applications});
        elastic
            .put(&format!("/_security/role/{name}"), role)
            .await
            .assert_ok();
        names.push(name);
    }
    let user = json!({"password": "password", "roles": names});
    elastic.put("/_security/user/ann", user).await.assert_ok();
    engine.user("ann", "password")
}

fn myapp(application: &str, privileges: Value, resources: Value) -> Value {
    json!([{"application": application, "privileges": privileges, "resources": resources}])
}

async fn held(client: &Client, application: &str, privilege: &str, resource: &str) -> bool {
    let body = json!({"application": myapp(application, json!([privilege]), json!([resource]))});
    check(client, body).await["has_all_requested"]
        .as_bool()
        .unwrap()
}

#[tokio::test]
async fn registered_privilege_may_get_its_actions_from_several_roles() {
    let engine = TestEngine::start().await;
    let registered = json!({"myapp": {"both": {"actions": ["data:read", "data:write"]}}});
    engine
        .elastic()
        .put("/_security/privilege", registered)
        .await
        .assert_ok();
    let roles = [
        myapp("myapp", json!(["data:read"]), json!(["a", "b"])),
        // The same resources in another order, and one of them twice.
        myapp("myapp", json!(["data:write"]), json!(["b", "a", "b"])),
    ];
    let ann = user_with_roles(&engine, &roles).await;
    assert!(held(&ann, "myapp", "both", "a").await);
    // Control: with other resources the entries stay apart.
    let roles = [
        myapp("myapp", json!(["data:read"]), json!(["a", "b"])),
        myapp("myapp", json!(["data:write"]), json!(["a"])),
    ];
    let ann = user_with_roles(&engine, &roles).await;
    assert!(!held(&ann, "myapp", "both", "a").await);
    assert!(held(&ann, "myapp", "data:write", "a").await);
}

#[tokio::test]
async fn key_merges_its_descriptors_apart_from_its_owners_roles() {
    let engine = TestEngine::start().await;
    let registered = json!({"myapp": {"both": {"actions": ["data:read", "data:write"]}}});
    let elastic = engine.elastic();
    elastic
        .put("/_security/privilege", registered)
        .await
        .assert_ok();
    let key = |privileges: [&'static str; 2]| {
        let of = |privilege: &str| json!({"applications": myapp("myapp", json!([privilege]), json!(["*"]))});
        json!({"name": "k", "role_descriptors": {"x": of(privileges[0]), "y": of(privileges[1])}})
    };
    let whole = elastic.create_key(key(["data:read", "data:write"])).await;
    assert!(held(&engine.key(&whole), "myapp", "both", "a").await);
    // The owner's roles do not complete a key's own descriptors.
    let half = elastic.create_key(key(["data:read", "data:other"])).await;
    assert!(!held(&engine.key(&half), "myapp", "both", "a").await);
}

#[tokio::test]
async fn unregistered_privilege_is_granted_only_by_the_equal_entry() {
    let engine = TestEngine::start().await;
    let cases = [
        (vec![myapp("myapp", json!(["zap"]), json!(["*"]))], true),
        (vec![myapp("my*", json!(["zap"]), json!(["*"]))], false),
        (vec![myapp("*", json!(["zap"]), json!(["*"]))], false),
        (
            vec![myapp("myapp", json!(["zap", "zip"]), json!(["*"]))],
            false,
        ),
        (
            vec![myapp("myapp", json!(["zap", "data:*"]), json!(["*"]))],
            false,
        ),
        (
            vec![myapp("myapp", json!(["zap", "*"]), json!(["*"]))],
            true,
        ),
        // Two roles on the same resources are one entry with both names.
        (
            vec![
                myapp("myapp", json!(["zap"]), json!(["*"])),
                myapp("myapp", json!(["zip"]), json!(["*"])),
            ],
            false,
        ),
        (
            vec![
                myapp("myapp", json!(["zap"]), json!(["*"])),
                myapp("myapp", json!(["zip"]), json!(["other"])),
            ],
            true,
        ),
    ];
    for (roles, expected) in cases {
        let ann = user_with_roles(&engine, &roles).await;
        let found = held(&ann, "myapp", "zap", "a").await;
        assert_eq!(found, expected, "{roles:?}");
    }
}

#[tokio::test]
async fn wildcard_application_stands_for_those_that_registered_its_privilege() {
    let engine = TestEngine::start().await;
    let registered = json!({"myapp": {"reader": {"actions": ["data:read"]}}});
    engine
        .elastic()
        .put("/_security/privilege", registered)
        .await
        .assert_ok();
    let roles = [myapp("*", json!(["reader", "event:write"]), json!(["*"]))];
    let ann = user_with_roles(&engine, &roles).await;
    assert!(held(&ann, "myapp", "reader", "a").await);
    assert!(held(&ann, "myapp", "data:read", "a").await);
    assert!(held(&ann, "myapp", "event:write", "a").await);
    assert!(!held(&ann, "other", "event:write", "a").await);
    // Without a registered privilege of that name the wildcard matches every application.
    let roles = [myapp("*", json!(["event:write"]), json!(["*"]))];
    let ann = user_with_roles(&engine, &roles).await;
    assert!(held(&ann, "other", "event:write", "a").await);
    // A superuser is exempt, whatever the other roles name.
    let user = json!({"password": "password", "roles": ["superuser", "role0"]});
    let elastic = engine.elastic();
    elastic.put("/_security/user/ann", user).await.assert_ok();
    assert!(held(&ann, "other", "anything", "a").await);
}

#[tokio::test]
async fn documented_role_can_create_agent_keys() {
    let engine = TestEngine::start().await;
    let role = json!({"cluster": ["manage_own_api_key"], "applications": [
        {"application": "apm", "privileges": ["event:write", "config_agent:read"], "resources": ["*"]},
        {"application": "kibana-.kibana", "privileges": ["feature_apm.all"], "resources": ["space:default"]},
    ]});
    let ann = engine.user_with_role("ann", role).await;
    let body = json!({"cluster": ["manage_own_api_key"], "application": [
        {"application": "apm", "privileges": ["event:write", "config_agent:read"], "resources": ["*"]},
        {"application": "kibana-.kibana", "privileges": ["feature_apm.all"], "resources": ["space:default"]},
    ]});
    assert_eq!(check(&ann, body).await["has_all_requested"], true);
}

#[tokio::test]
async fn checks_of_another_user_are_refused() {
    let engine = TestEngine::start().await;
    let body = json!({"cluster": ["all"]});
    engine
        .elastic()
        .post("/_security/user/elastic/_has_privileges", body.clone())
        .await
        .assert_ok();
    let path = "/_security/user/elsewhere/_has_privileges";
    let ben = engine.user_with_privileges("ben", &["monitor"]).await;
    let refused = ben.post(path, body.clone()).await;
    refused.assert_error(403, "security_exception");
    // A caller with the privilege for the action gets the reason.
    let reader = engine
        .user_with_privileges("reader", &["read_security"])
        .await;
    for client in [engine.elastic(), reader] {
        let refused = client.post(path, body.clone()).await;
        assert_eq!(
            refused.assert_error(400, "illegal_argument_exception"),
            "users may only check the privileges of their own account"
        );
    }
}

#[tokio::test]
async fn malformed_checks_are_parse_exceptions() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    for body in [
        json!({}),
        json!({"indices": []}),
        json!({"cluster": 1}),
        json!({"cluster": ["all"], "x": 1}),
        json!({"index": [{"names": ["a"]}]}),
        json!({"index": [{"names": ["a"], "privileges": ["read"], "query": "{}"}]}),
        json!({"index": [{"names": ["a"], "privileges": ["read"], "field_security": {}}]}),
        json!({"application": [{"application": "apm", "privileges": ["a:b"]}]}),
        json!({"application": [{"application": "apm", "resources": ["*"]}]}),
    ] {
        elastic
            .post(PATH, body)
            .await
            .assert_error(400, "parse_exception");
    }
    elastic
        .send("POST", PATH, None)
        .await
        .assert_error(400, "parse_exception");
}

#[tokio::test]
async fn malformed_checks_are_refused_in_elasticsearchs_words() {
    let engine = TestEngine::start().await;
    let reader = "/_security/user/elastic/_has_privileges";
    let check = "failed to parse privileges check [elastic/has_privileges]";
    let index = "failed to parse indices privileges for role [elastic/has_privileges]";
    let application = "failed to parse application privileges for role [elastic/has_privileges]";
    #[rustfmt::skip]
    let cases = [
        (json!({}), format!("{check}. All privilege fields [cluster,index,applications] are missing")),
        (json!([]), format!("{check}. expected an object but found [START_ARRAY] instead")),
        (json!({"cluster": ["all"], "x": 1}), format!("{check}. unexpected field [x]")),
        (json!({"index": null}), format!("{index}. expected field [index] value to be an array, but found [VALUE_NULL] instead")),
        (json!({"index": [{"names": ["a"]}]}), format!("{index}. missing required [privileges] field")),
        (json!({"index": [{"names": [], "privileges": []}]}), format!("{index}. [names] cannot be an empty array")),
        (json!({"application": [{"application": "apm", "privileges": ["a:b"]}]}), format!("{application}. missing required [resources] field")),
        (json!({"index": [{"names": ["a"], "privileges": ["read"], "query": "{}"}]}), "Field [query] is not supported in a has_privileges request".to_owned()),
        (json!({"index": [{"names": ["a"], "privileges": ["read"], "field_security": {"grant": ["x"]}}]}), "Field [field_security] is not supported in a has_privileges request".to_owned()),
    ];
    for (body, expected) in cases {
        let refused = engine.elastic().post(reader, body.clone()).await;
        let reason = refused.assert_error(400, "parse_exception");
        assert_eq!(reason, expected, "{body}");
    }
    let refused = engine
        .elastic()
        .post(reader, json!({"cluster": "all"}))
        .await;
    refused.assert_error(400, "parse_exception");
    assert_eq!(
        refused.at("/error/root_cause/0/reason"),
        "could not parse [cluster] field. expected a string array but found [VALUE_STRING] value instead"
    );
    // A list may be null, and empty lists alone ask for nothing.
    for body in [json!({"cluster": []}), json!({"cluster": [], "index": []})] {
        let refused = engine.elastic().post(reader, body).await;
        assert_eq!(
            refused.assert_error(400, "action_request_validation_exception"),
            "Validation Failed: 1: must specify at least one privilege;"
        );
    }
    let body = json!({"cluster": null, "index": [{"names": "a", "privileges": ["read"]}]});
    engine.elastic().post(reader, body).await.assert_ok();
}

#[tokio::test]
async fn invalid_privilege_names_are_refused() {
    let engine = TestEngine::start().await;
    for body in [
        json!({"cluster": [], "index": [], "application": []}),
        json!({"application": [{"application": "apm*", "privileges": ["a:b"], "resources": ["*"]}]}),
    ] {
        engine
            .elastic()
            .post(PATH, body)
            .await
            .assert_error(400, "action_request_validation_exception");
    }
}

#[tokio::test]
async fn cached_result_equals_the_first_result() {
    let engine = TestEngine::start().await;
    let privileges = ["event:write", "config_agent:read", "sourcemap:write", "*"];
    let descriptor = application(json!(["event:*", "config_agent:read"]), json!(["*"]));
    for owner in ["ann", "bob"] {
        let role =
            json!({"cluster": ["manage_own_api_key"], "applications": descriptor["application"]});
        let key = engine
            .user_with_role(owner, role)
            .await
            .create_key(json!({"name": "k", "role_descriptors": {"x": {"applications": descriptor["application"]}}}))
            .await;
        let me = engine.key(&key);
        for chosen in 1..1 << privileges.len() {
            let asked: Vec<&str> = privileges
                .iter()
                .enumerate()
                .filter(|(number, _)| chosen >> number & 1 == 1)
                .map(|(_, privilege)| *privilege)
                .collect();
            let body = application(json!(asked), json!(["-", "*"])).to_string();
            let ask = async |body: &str| {
                let body = Some(body.as_bytes());
                me.send_bytes("POST", PATH, body, "application/json").await
            };
            let first = ask(&body).await;
            // The same bytes are cached now; with another space they are not.
            let (again, anew) = (ask(&body).await, ask(&format!("{body} ")).await);
            assert_eq!(first.assert_ok()["username"], owner);
            assert_eq!(again.text, first.text);
            assert_eq!(anew.text, first.text);
        }
        let refused = me
            .post(
                "/_security/user/nobody/_has_privileges",
                application(json!(["*"]), json!(["-"])),
            )
            .await;
        refused.assert_error(403, "security_exception");
    }
}

#[tokio::test]
async fn changes_of_roles_and_privileges_bypass_the_cache() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    let key = elastic
        .create_key(
            json!({"name": "k", "role_descriptors": {"x": {"applications": [
                {"application": "apm", "privileges": ["feature"], "resources": ["*"]},
            ]}}}),
        )
        .await;
    let me = engine.key(&key);
    let may_write = async || {
        let body = application(json!(["event:write"]), json!(["-"]));
        let answers = [check(&me, body.clone()).await, check(&me, body).await];
        let held = answers.map(|answer| answer["has_all_requested"].as_bool().unwrap());
        assert_eq!(held[0], held[1]);
        held[0]
    };
    assert!(!may_write().await);
    let feature = json!({"apm": {"feature": {"actions": ["event:*"]}}});
    elastic
        .put("/_security/privilege", feature)
        .await
        .assert_ok();
    assert!(may_write().await, "the privilege was registered");
    elastic
        .send("DELETE", "/_security/privilege/apm/feature", None)
        .await
        .assert_ok();
    assert!(!may_write().await, "the privilege was deleted");
    let path = format!("/_security/api_key/{}", key.id);
    let wider = json!({"role_descriptors": {"x": {"applications": [
        {"application": "apm", "privileges": ["event:write"], "resources": ["*"]},
    ]}}});
    elastic.put(&path, wider).await.assert_ok();
    assert!(may_write().await, "the key was given more");
    elastic.invalidate(&key).await.assert_ok();
    let body = application(json!(["event:write"]), json!(["-"]));
    assert_eq!(me.post(PATH, body).await.status, 401);
}
