//! Users and the agent key role.

use crate::support::{App, PASSWORD, proxy::Fault, shown};
use app::{
    components::problem::privilege_text,
    model::{
        problem::ProblemKind,
        user::{AgentKeyRole, DiffSide, PasswordError, RoleState, UsernameError},
        user_list::UserList,
    },
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn role_is_created_as_documented() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let role = async || -> AgentKeyRole { admin.post("read_agent_key_role", &[]).await.value() };
    let missing = role().await;
    assert_eq!(missing.state, RoleState::Missing);
    assert!(
        missing
            .request
            .starts_with("PUT /_security/role/apm_agent_key_role\n{")
    );
    assert_eq!(
        admin.post("put_agent_key_role", &[]).await.status,
        StatusCode::OK
    );
    assert_eq!(role().await.state, RoleState::AsDocumented);
    // The request that others are shown makes the same role.
    let body = missing.request.split_once('\n').unwrap().1;
    app.engine
        .put_role("apm_agent_key_role", serde_json::from_str(body).unwrap())
        .await;
    assert_eq!(role().await.state, RoleState::AsDocumented);
}

/// Puts the role as this descriptor says, reads its state, repairs it, and reads its state and descriptor again.
async fn repaired(app: &App, descriptor: Value) -> (RoleState, RoleState, Value) {
    let admin = app.as_admin().await;
    let state = async || -> RoleState {
        let role: AgentKeyRole = admin.post("read_agent_key_role", &[]).await.value();
        role.state
    };
    app.engine.put_role("apm_agent_key_role", descriptor).await;
    let before = state().await;
    let answer = admin.post("put_agent_key_role", &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let path = "/_security/role/apm_agent_key_role";
    let mut stored = app.engine.ask(Method::GET, path, None).await;
    (before, state().await, stored["apm_agent_key_role"].take())
}

#[tokio::test]
async fn repair_adds_what_the_role_lacks_and_takes_nothing_away() {
    let app = App::start().await;
    let changed = json!({
        "cluster": ["manage_own_api_key", "monitor"],
        "applications": [{ "application": "apm", "privileges": ["event:write"], "resources": ["*"] }],
        "indices": [{ "names": ["logs-*"], "privileges": ["read"] }],
        "run_as": ["ada"],
        "metadata": { "owner": "platform" },
    });
    let (before, after, stored) = repaired(&app, changed.clone()).await;
    let RoleState::NeedsRepair { missing, diff } = before else {
        panic!("{before:?}");
    };
    let missing: Vec<_> = missing.iter().map(privilege_text).collect();
    assert_eq!(
        missing,
        [
            "feature_apm.all (application kibana-.kibana, space:default)",
            "config_agent:read (application apm)",
        ]
    );
    let text = |side| {
        let lines = diff.iter().filter(|line| line.side == side);
        lines.map(|line| line.text.trim()).collect::<Vec<_>>()
    };
    assert!(text(DiffSide::Added).contains(&"\"feature_apm.all\""));
    assert_eq!(text(DiffSide::Removed), [""; 0]);
    assert!(matches!(after, RoleState::GrantsMore { .. }), "{after:?}");
    for (field, value) in changed.as_object().unwrap() {
        for (at, item) in value.as_array().into_iter().flatten().enumerate() {
            if item.is_string() {
                assert_eq!(&stored[field][at], item, "{stored}");
            }
        }
    }
    assert_eq!(stored["indices"][0]["names"], json!(["logs-*"]));
    assert_eq!(stored["metadata"], json!({ "owner": "platform" }));
    assert_eq!(stored["applications"].as_array().unwrap().len(), 2);
    let ada = app.with_user("ada", &["apm_agent_key_role"]).await;
    assert_eq!(ada.create("works").await.status, StatusCode::OK);
}

/// Wider roles work, and so does every user who has one.
#[tokio::test]
async fn role_that_grants_more_than_the_recipe_works() {
    let app = App::start().await;
    let entry = |application: &str, privileges: &[&str], resource: &str| json!({ "application": application, "privileges": privileges, "resources": [resource] });
    let apm = entry("apm", &["event:write", "config_agent:read"], "*");
    let kibana = entry("kibana-.kibana", &["feature_apm.all"], "space:default");
    let own = "manage_own_api_key";
    #[rustfmt::skip]
    let rows = [
        ("every resource", own, vec![apm.clone(), entry("kibana-.kibana", &["feature_apm.all"], "*")]),
        ("every space by pattern", own, vec![apm.clone(), entry("kibana-.kibana", &["feature_apm.all"], "space:*")]),
        ("another space", own, vec![apm.clone(), kibana.clone(), entry("kibana-.kibana", &["feature_apm.all"], "space:other")]),
        ("space_all", own, vec![apm.clone(), entry("kibana-.kibana", &["space_all"], "space:default")]),
        ("all", own, vec![apm, entry("kibana-.kibana", &["all"], "*")]),
        ("every application", own, vec![entry("*", &["*"], "*")]),
        ("pattern of actions", own, vec![entry("apm", &["event:*", "config_agent:*"], "*"), kibana.clone()]),
        ("wider cluster privilege", "manage_api_key", vec![entry("apm", &["*"], "*"), kibana]),
    ];
    for (at, (name, cluster, applications)) in rows.into_iter().enumerate() {
        let descriptor = json!({ "cluster": [cluster], "applications": applications });
        let (before, after, stored) = repaired(&app, descriptor.clone()).await;
        assert!(
            matches!(before, RoleState::GrantsMore { .. }),
            "{name}: {before:?}"
        );
        assert_eq!(before, after, "{name}");
        assert_eq!(stored["cluster"], descriptor["cluster"], "{name}");
        assert_eq!(stored["applications"], descriptor["applications"], "{name}");
        let user = app
            .with_user(&format!("user{at}"), &["apm_agent_key_role"])
            .await;
        let answer = user.create("works").await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text());
    }
}

#[tokio::test]
async fn role_that_grants_less_than_the_recipe_needs_repair() {
    let app = App::start().await;
    let entry = |application: &str, privileges: &[&str], resource: &str| json!({ "application": application, "privileges": privileges, "resources": [resource] });
    let apm = entry("apm", &["event:write", "config_agent:read"], "*");
    let kibana = entry("kibana-.kibana", &["feature_apm.all"], "space:default");
    #[rustfmt::skip]
    let rows = [
        ("nothing", json!({})),
        ("no cluster privilege", json!({ "applications": [apm, kibana] })),
        ("one space for another", json!({ "cluster": ["manage_own_api_key"],
            "applications": [apm, entry("kibana-.kibana", &["feature_apm.all"], "space:other")] })),
        ("one resource of apm", json!({ "cluster": ["manage_own_api_key"],
            "applications": [entry("apm", &["*"], "-"), kibana] })),
        ("another application", json!({ "cluster": ["manage_own_api_key"],
            "applications": [entry("apm2", &["*"], "*"), kibana] })),
        ("unregistered name", json!({ "cluster": ["manage_own_api_key"],
            "applications": [entry("apm", &["writer"], "*"), kibana] })),
    ];
    for (name, descriptor) in rows {
        let (before, after, _) = repaired(&app, descriptor).await;
        assert!(
            matches!(before, RoleState::NeedsRepair { .. }),
            "{name}: {before:?}"
        );
        assert!(
            matches!(
                after,
                RoleState::AsDocumented | RoleState::GrantsMore { .. }
            ),
            "{name}: {after:?}"
        );
    }
}

#[tokio::test]
async fn role_is_judged_by_the_privileges_that_are_registered() {
    let app = App::start().await;
    let descriptor = json!({
        "cluster": ["manage_own_api_key"],
        "applications": [
            { "application": "apm", "privileges": ["agent"], "resources": ["*"] },
            { "application": "kibana-.kibana", "privileges": ["everything"], "resources": ["space:default"] },
        ],
    });
    app.engine.put_role("apm_agent_key_role", descriptor).await;
    let admin = app.as_admin().await;
    let state = async || -> RoleState {
        let role: AgentKeyRole = admin.post("read_agent_key_role", &[]).await.value();
        role.state
    };
    assert!(matches!(state().await, RoleState::NeedsRepair { .. }));
    let registered = json!({
        "apm": { "agent": { "actions": ["event:write", "config_agent:read"] } },
        "kibana-.kibana": {
            "everything": { "actions": ["api:*", "ui:*"] },
            "feature_apm.all": { "actions": ["api:apm", "ui:apm/save"] },
        },
    });
    app.engine
        .ask(Method::PUT, "/_security/privilege", Some(registered))
        .await;
    let registered = state().await;
    assert!(
        matches!(registered, RoleState::GrantsMore { .. }),
        "{registered:?}"
    );
    let ada = app.with_user("ada", &["apm_agent_key_role"]).await;
    assert_eq!(ada.create("works").await.status, StatusCode::OK);
}

/// A set of names that are not registered is compared as a whole, so this role can be repaired only with Kibana.
#[tokio::test]
async fn role_for_reading_in_kibana_is_repaired_where_kibana_registered_its_privileges() {
    let app = App::start().await;
    let registered = json!({ "kibana-.kibana": {
        "feature_apm.read": { "actions": ["api:apm"] },
        "feature_apm.all": { "actions": ["api:apm", "ui:apm/save"] },
    } });
    app.engine
        .ask(Method::PUT, "/_security/privilege", Some(registered))
        .await;
    let descriptor = json!({
        "cluster": ["manage_own_api_key"],
        "applications": [
            { "application": "apm", "privileges": ["event:write", "config_agent:read"], "resources": ["*"] },
            { "application": "kibana-.kibana", "privileges": ["feature_apm.read"], "resources": ["space:default"] },
        ],
    });
    let (before, after, _) = repaired(&app, descriptor).await;
    assert!(
        matches!(before, RoleState::NeedsRepair { .. }),
        "{before:?}"
    );
    assert!(matches!(after, RoleState::GrantsMore { .. }), "{after:?}");
}

#[tokio::test]
async fn users_page_without_permission_shows_the_request() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let role: AgentKeyRole = ada.post("read_agent_key_role", &[]).await.value();
    assert_eq!(role.state, RoleState::Unknown);
    assert!(role.request.contains("space:default"));
}

#[tokio::test]
async fn assigning_the_role_keeps_the_rest_of_the_user() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let body = json!({
        "password": PASSWORD, "roles": ["viewer", "another"], "full_name": "Dana W.",
        "email": "dana@example.com", "metadata": { "team": { "name": "payments", "size": 4 } },
    });
    app.engine
        .ask(Method::PUT, "/_security/user/dana", Some(body))
        .await;
    app.engine
        .ask(Method::PUT, "/_security/user/dana/_disable", None)
        .await;
    let before = app.engine.user("dana").await;
    let assign = async |assigned: &str| {
        let fields = [("username", "dana"), ("assigned", assigned)];
        let answer = admin.post("assign_agent_key_role", &fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        app.engine.user("dana").await
    };
    let mut after = assign("true").await;
    let roles = after["roles"].as_array().unwrap().clone();
    assert_eq!(roles.len(), 3);
    assert!(roles.contains(&json!("apm_agent_key_role")));
    after["roles"] = before["roles"].clone();
    assert_eq!(after, before);
    assert_eq!(assign("true").await["roles"].as_array().unwrap().len(), 3);
    assert_eq!(assign("false").await, before);
    // The password is still the same.
    app.engine
        .ask(Method::PUT, "/_security/user/dana/_enable", None)
        .await;
    app.as_user("dana").await;
}

#[tokio::test]
async fn user_is_created_disabled_enabled_and_deleted() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    admin.post("put_agent_key_role", &[]).await;
    let form = [
        ("form[username]", "d.whitfield"),
        ("form[password]", PASSWORD),
        ("form[full_name]", "Dana Whitfield"),
        ("form[email]", "dana@example.com"),
        ("form[agent_key_role]", "on"),
    ];
    let answer = admin.post("create_user", &form).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("location"), Some("/settings/users"));
    let dana = app.as_user("d.whitfield").await;
    assert_eq!(dana.create("of dana").await.status, StatusCode::OK);
    let all = [("list", "reserved=true")];
    let list: UserList = admin.post("list_users", &all).await.value();
    let user = list
        .users
        .iter()
        .find(|user| user.username == "d.whitfield")
        .unwrap();
    assert_eq!(user.active_keys, Some(1));
    assert_eq!(user.full_name.as_deref(), Some("Dana Whitfield"));
    assert!(user.enabled && !user.reserved && user.has_agent_key_role());
    assert!(
        list.users
            .iter()
            .any(|user| user.username == "elastic" && user.reserved)
    );
    let enable = async |enabled: &str| {
        let fields = [("username", "d.whitfield"), ("enabled", enabled)];
        assert_eq!(
            admin.post("set_user_enabled", &fields).await.status,
            StatusCode::OK
        );
        app.nobody().sign_in("d.whitfield", PASSWORD).await.status
    };
    assert_eq!(enable("false").await, StatusCode::UNAUTHORIZED);
    assert_eq!(dana.list(|_| {}).await.problem(), ProblemKind::SignInEnded);
    assert_eq!(enable("true").await, StatusCode::OK);
    let fields = [
        ("username", "d.whitfield"),
        ("password", "another good one here"),
    ];
    assert_eq!(
        admin.post("reset_password", &fields).await.status,
        StatusCode::OK
    );
    assert_eq!(
        app.nobody().sign_in("d.whitfield", PASSWORD).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        app.nobody()
            .sign_in("d.whitfield", "another good one here")
            .await
            .status,
        StatusCode::OK
    );
    let fields = [("username", "d.whitfield")];
    assert_eq!(
        admin.post("delete_user", &fields).await.status,
        StatusCode::OK
    );
    assert_eq!(
        admin.post("delete_user", &fields).await.problem(),
        ProblemKind::NotFound
    );
    // Their key goes on working.
    assert_eq!(app.engine.keys().await[0]["invalidated"], false);
}

#[tokio::test]
async fn new_user_errors_are_at_their_fields() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let errors =
        async |fields: &[(&str, &str)]| match admin.post("create_user", fields).await.problem() {
            ProblemKind::NewUser(errors) => errors,
            other => panic!("{other:?}"),
        };
    let bad = errors(&[
        ("form[username]", "a:b"),
        ("form[password]", "12345"),
        ("form[email]", "nowhere"),
        ("form[full_name]", "a\u{1}"),
    ])
    .await;
    assert_eq!(bad.username, Some(UsernameError::Colon));
    assert_eq!(bad.password, Some(PasswordError::TooShort));
    assert!(bad.email && bad.full_name);
    let invisible = errors(&[
        ("form[username]", "dana"),
        ("form[password]", PASSWORD),
        ("form[email]", "dana\u{200B}@example.com"),
        ("form[full_name]", "Dana \u{202E}W."),
    ])
    .await;
    assert!(invisible.email && invisible.full_name);
    app.engine.put_user("taken", &["viewer"]).await;
    for taken in ["taken", "elastic"] {
        let fields = [
            ("form[username]", taken),
            ("form[password]", "long enough by far"),
        ];
        assert!(errors(&fields).await.username_taken, "{taken}");
    }
    assert_eq!(app.engine.user("taken").await["roles"], json!(["viewer"]));
}

#[tokio::test]
async fn reserved_users_and_the_own_account_cannot_be_changed() {
    let app = App::start().await;
    let boss = app.with_user("boss", &["superuser"]).await;
    let change = async |function: &str, username: &str, more: &[(&str, &str)]| {
        let mut fields = vec![("username", username)];
        fields.extend_from_slice(more);
        boss.post(function, &fields).await.problem()
    };
    let off = [("enabled", "false")];
    let on = [("assigned", "true")];
    assert_eq!(
        change("delete_user", "boss", &[]).await,
        ProblemKind::OwnAccount
    );
    assert_eq!(
        change("set_user_enabled", "boss", &off).await,
        ProblemKind::OwnAccount
    );
    assert_eq!(
        change("delete_user", "elastic", &[]).await,
        ProblemKind::ReservedUser
    );
    assert_eq!(
        change("set_user_enabled", "elastic", &off).await,
        ProblemKind::ReservedUser
    );
    assert_eq!(
        change("assign_agent_key_role", "elastic", &on).await,
        ProblemKind::ReservedUser
    );
    for nobody in ["unknown", "..", "a/b", "a,b", "*", "a:b", ""] {
        assert_eq!(
            change("assign_agent_key_role", nobody, &on).await,
            ProblemKind::NotFound,
            "{nobody}"
        );
        assert_eq!(
            change("delete_user", nobody, &[]).await,
            ProblemKind::NotFound,
            "{nobody}"
        );
    }
    app.as_admin().await;
}

#[tokio::test]
async fn unknown_role_field_is_shown_and_survives_a_repair() {
    let (app, proxy) = App::behind_proxy().await;
    let admin = app.as_admin().await;
    let role = async || -> AgentKeyRole { admin.post("read_agent_key_role", &[]).await.value() };
    let page = async || shown(&admin.get("/settings/users").await.text());
    app.engine.put_agent_key_role().await;
    assert_eq!(role().await.unknown_fields, None);
    assert!(!page().await.contains("does not know"));

    let value = json!([{ "clusters": ["far-away"] }]);
    let field = Arc::new(Mutex::new(value.clone()));
    proxy.fail("", Fault::RoleField("remote_things", Arc::clone(&field)));
    let documented = role().await;
    assert_eq!(documented.state, RoleState::AsDocumented);
    let shown_fields: Value = serde_json::from_str(&documented.unknown_fields.unwrap()).unwrap();
    assert_eq!(shown_fields, json!({ "remote_things": value }));
    let text = page().await;
    assert!(
        text.contains("fields that this version of Agent Keys does not know"),
        "{text}"
    );
    assert!(text.contains("remote_things") && text.contains("far-away"));

    let changed = json!({ "cluster": ["manage_own_api_key", "monitor"] });
    app.engine.put_role("apm_agent_key_role", changed).await;
    assert!(matches!(role().await.state, RoleState::NeedsRepair { .. }));
    let answer = admin.post("put_agent_key_role", &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert!(matches!(role().await.state, RoleState::GrantsMore { .. }));
    assert_eq!(*field.lock().unwrap(), value, "it was written back");
}
