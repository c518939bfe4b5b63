//! Roles.

use crate::support::*;

async fn put(client: &Client, name: &str, role: Value) -> Response {
    client.put(&format!("/_security/role/{name}"), role).await
}

#[tokio::test]
async fn roles_are_created_replaced_read_and_deleted() {
    let engine = TestEngine::start().await.since(8, 15);
    let elastic = engine.elastic();
    let role = json!({"cluster": ["monitor"], "description": "watches", "metadata": {"a": 1}});
    assert_eq!(
        put(&elastic, "r", role).await.assert_ok(),
        json!({"role": {"created": true}})
    );
    let shown = elastic.get("/_security/role/r").await.assert_ok();
    assert_eq!(
        shown,
        json!({"r": {
            "cluster": ["monitor"], "indices": [], "applications": [], "run_as": [], "metadata": {"a": 1},
            "transient_metadata": {"enabled": true}, "description": "watches",
        }})
    );
    assert_eq!(
        put(&elastic, "r", json!({})).await.assert_ok(),
        json!({"role": {"created": false}})
    );
    let deleted = elastic.send("DELETE", "/_security/role/r", None).await;
    assert_eq!(
        (deleted.status, deleted.json()),
        (200, json!({"found": true}))
    );
    let again = elastic.send("DELETE", "/_security/role/r", None).await;
    assert_eq!((again.status, again.json()), (404, json!({"found": false})));
}

#[tokio::test]
async fn role_lookup_is_404_only_if_none_exists() {
    let engine = TestEngine::start().await;
    let some = engine
        .elastic()
        .get("/_security/role/viewer,nope")
        .await
        .assert_ok();
    assert_eq!(some.as_object().unwrap().len(), 1);
    let none = engine.elastic().get("/_security/role/nope,nada").await;
    assert_eq!((none.status, none.json()), (404, json!({})));
}

#[tokio::test]
async fn built_in_roles_exist_and_are_reserved() {
    let engine = TestEngine::start().await;
    let roles = engine.elastic().get("/_security/role").await.assert_ok();
    for name in [
        "superuser",
        "viewer",
        "editor",
        "kibana_admin",
        "kibana_system",
        "apm_system",
        "monitoring_user",
    ] {
        assert_eq!(roles[name]["metadata"]["_reserved"], true, "{name}");
    }
    let reason = put(&engine.elastic(), "superuser", json!({}))
        .await
        .assert_error(400, "action_request_validation_exception");
    assert!(reason.contains("Role [superuser] is reserved and may not be used."));
    assert_eq!(
        engine
            .elastic()
            .send("DELETE", "/_security/role/viewer", None)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn only_superuser_has_apm_privileges_among_built_in_roles() {
    let engine = TestEngine::start().await;
    let check = json!({"application": [{"application": "apm", "privileges": ["event:write"], "resources": ["*"]}]});
    for role in [
        "viewer",
        "editor",
        "kibana_admin",
        "kibana_system",
        "apm_system",
        "apm_user",
        "superuser",
    ] {
        engine
            .elastic()
            .put(
                "/_security/user/u",
                json!({"password": "password", "roles": [role]}),
            )
            .await
            .assert_ok();
        let answer = engine
            .user("u", "password")
            .post("/_security/user/_has_privileges", check.clone())
            .await;
        assert_eq!(
            answer.at("/has_all_requested"),
            role == "superuser",
            "{role}"
        );
    }
}

#[tokio::test]
async fn invalid_role_names_are_refused() {
    let engine = TestEngine::start().await;
    for name in ["%20x", "x%20", "caf%C3%A9", &"x".repeat(508)] {
        put(&engine.elastic(), name, json!({}))
            .await
            .assert_error(400, "action_request_validation_exception");
    }
    put(&engine.elastic(), &"x".repeat(507), json!({}))
        .await
        .assert_ok();
}

#[tokio::test]
async fn invalid_roles_are_refused() {
    let engine = TestEngine::start().await.since(8, 15);
    for role in [
        json!({"cluster": ["nonsense"]}),
        json!({"indices": [{"names": ["a"], "privileges": ["nonsense"]}]}),
        json!({"metadata": {"_a": 1}}),
        json!({"description": "x".repeat(1_001)}),
    ] {
        put(&engine.elastic(), "r", role)
            .await
            .assert_error(400, "action_request_validation_exception");
    }
}

#[tokio::test]
async fn malformed_roles_are_parse_exceptions() {
    let engine = TestEngine::start().await;
    for role in [
        json!({"x": 1}),
        json!({"cluster": 1}),
        json!({"indices": [{"names": [], "privileges": ["read"]}]}),
        json!({"indices": [{"privileges": ["read"]}]}),
        json!({"indices": [{"names": "a"}]}),
        json!({"indices": [{"names": "a", "privileges": ["read"], "field_security": {"except": ["b"]}}]}),
        json!({"indices": [{"names": "a", "privileges": ["read"], "field_security": {"grant": ["a*"], "except": ["b"]}}]}),
        json!({"applications": [{"application": "apm", "privileges": ["a:b"]}]}),
        json!([]),
    ] {
        put(&engine.elastic(), "r", role.clone())
            .await
            .assert_error(400, "parse_exception");
    }
    let lookup = json!({"indices": [{"names": "a", "privileges": ["read"], "query": {"terms": {"u": {"index": "i", "id": "1", "path": "p"}}}}]});
    assert_eq!(put(&engine.elastic(), "r", lookup).await.status, 400);
}

#[tokio::test]
async fn deleted_role_grants_nothing_at_once() {
    let engine = TestEngine::start().await;
    let ann = engine.user_with_privileges("ann", &["monitor"]).await;
    ann.get("/").await.assert_ok();
    engine
        .elastic()
        .send("DELETE", "/_security/role/ann", None)
        .await
        .assert_ok();
    let reason = ann.get("/").await.assert_error(403, "security_exception");
    assert!(reason.contains("(assigned roles [ann] were not found)"));
}

#[tokio::test]
async fn role_description_is_limited_to_1000_characters() {
    let engine = TestEngine::start().await.since(8, 15);
    let put = async |length| {
        let role = json!({"description": "d".repeat(length)});
        engine.elastic().put("/_security/role/r", role).await
    };
    put(1000).await.assert_ok();
    assert_eq!(
        put(1001)
            .await
            .assert_error(400, "action_request_validation_exception"),
        "Validation Failed: 1: Role description must be less than 1000 characters.;"
    );
}

#[tokio::test]
async fn application_privileges_of_a_role_are_any_printable_ascii() {
    let engine = TestEngine::start().await;
    let role = |application: &str, privilege: &str| json!({"applications": [{"application": application, "privileges": [privilege], "resources": ["*"]}]});
    let put = async |role: Value| engine.elastic().put("/_security/role/r", role).await;
    for privilege in ["event:write", "Read", "!", "a[b]{c}", "~/x?*", "0"] {
        put(role("apm", privilege)).await.assert_ok();
    }
    let names = r"Application privilege names and actions must match the pattern ^\p{Graph}*$ (";
    #[rustfmt::skip]
    let refused = [
        ("apm", "a b", names),
        ("apm", "caf\u{e9}", names),
        ("", "a", "Application names cannot be blank;"),
        ("a*m", "a", "Application name patterns only support trailing wildcards (found '"),
        ("apm x", "a", "Application names may not contain whitespace (found '"),
        ("Apm-x", "a", "An application name prefix must match the pattern ^[a-z][A-Za-z0-9]*$ (found '"),
        ("ap", "a", "An application name prefix must be at least 3 characters long (found 'ap"),
        ("apm-a/b", "a", r#"An application name suffix may not contain any of the characters '\/*?"<>|,' (found '"#),
    ];
    for (application, privilege, rule) in refused {
        let refused = put(role(application, privilege)).await;
        let reason = refused.assert_error(400, "action_request_validation_exception");
        let expected = format!("Validation Failed: 1: {rule}");
        assert!(reason.starts_with(&expected), "{reason}");
    }
}

#[tokio::test]
async fn unknown_global_privileges_are_refused() {
    let engine = TestEngine::start().await;
    let put = async |global: Value| {
        let role = json!({"global": global});
        engine.elastic().put("/_security/role/r", role).await
    };
    for global in [
        json!({}),
        json!({"application": {"manage": {"applications": ["kibana-*"]}}}),
        json!({"profile": {"write": {"applications": ["kibana-*"]}}}),
    ] {
        put(global).await.assert_ok();
    }
    #[rustfmt::skip]
    let refused = [
        (json!({"x": {}}), "one of [application,profile,role] but found [x]"),
        (json!({"application": {"read": {}}}), "field name [manage] but found [read]"),
        (json!({"application": {"manage": {"names": []}}}), "field name [applications] but found [names]"),
        (json!({"application": {"manage": {"applications": "*"}}}), "[START_ARRAY] but found [VALUE_STRING]"),
        (json!({"application": []}), "[START_OBJECT] but found [START_ARRAY]"),
        (json!("all"), "[START_OBJECT] but found [VALUE_STRING]"),
    ];
    for (global, expected) in refused {
        let reason = put(global)
            .await
            .assert_error(400, "x_content_parse_exception");
        let expected = format!("failed to parse privilege. expected {expected} instead");
        assert!(reason.ends_with(&expected), "{reason}");
    }
}
