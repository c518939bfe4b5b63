//! Users and the agent key role.

use crate::support::{App, PASSWORD, proxy::Fault, shown};
use app::model::{
    problem::ProblemKind,
    role::{AgentKeyRole, DiffSide, RoleState},
    user::{PasswordError, UserList, UsernameError},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn the_role_is_created_repaired_and_recognised() {
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
    let changed = json!({
        "cluster": ["manage_own_api_key", "monitor"],
        "applications": [{ "application": "apm", "privileges": ["event:write"], "resources": ["*"] }],
        "metadata": { "owner": "platform" },
    });
    app.engine.put_role("apm_agent_key_role", changed).await;
    let RoleState::Differs { diff } = role().await.state else {
        panic!("the role differs");
    };
    let text = |side| {
        let lines = diff.iter().filter(|line| line.side == side);
        lines.map(|line| line.text.trim()).collect::<Vec<_>>()
    };
    assert!(text(DiffSide::Removed).contains(&"\"monitor\""));
    assert!(text(DiffSide::Added).contains(&"\"feature_apm.all\""));
    assert_eq!(
        admin.post("put_agent_key_role", &[]).await.status,
        StatusCode::OK
    );
    assert_eq!(role().await.state, RoleState::AsDocumented);
    let stored = app
        .engine
        .ask(Method::GET, "/_security/role/apm_agent_key_role", None)
        .await;
    assert_eq!(
        stored["apm_agent_key_role"]["metadata"],
        json!({ "owner": "platform" })
    );
}

#[tokio::test]
async fn whoever_may_not_see_roles_is_shown_the_request() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let role: AgentKeyRole = ada.post("read_agent_key_role", &[]).await.value();
    assert_eq!(role.state, RoleState::Unknown);
    assert!(role.request.contains("space:default"));
}

#[tokio::test]
async fn assigning_the_role_leaves_the_rest_of_the_user_alone() {
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
async fn a_user_is_created_disabled_enabled_given_a_password_and_deleted() {
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
    assert_eq!(
        answer.header("location"),
        Some("/settings/users?created=d%2Ewhitfield")
    );
    let dana = app.as_user("d.whitfield").await;
    assert_eq!(dana.create("of dana").await.status, StatusCode::OK);
    let list: UserList = admin.post("list_users", &[]).await.value();
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
async fn a_new_user_is_judged_by_field() {
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
async fn reserved_users_and_ones_own_account_are_out_of_reach() {
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
async fn a_field_of_a_later_version_in_the_role_is_shown_and_stays_when_it_is_repaired() {
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
    assert!(matches!(role().await.state, RoleState::Differs { .. }));
    let answer = admin.post("put_agent_key_role", &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(role().await.state, RoleState::AsDocumented);
    assert_eq!(*field.lock().unwrap(), value, "it was written back");
}

/// A dialog of the users page: its server function, its page, its fields, and how the list names the change.
type DialogRow = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

#[rustfmt::skip]
const DIALOGS: [DialogRow; 3] = [
    ("create_user", "/settings/users/new?", &[("form[username]", "dave"), ("form[password]", PASSWORD)], "created=dave"),
    ("reset_password", "/settings/users/password?user=dana&", &[("username", "dana"), ("password", PASSWORD)], "password=dana"),
    ("delete_user", "/settings/users/delete?user=dana&", &[("username", "dana")], "deleted=dana"),
];

#[tokio::test]
async fn a_dialog_stands_over_the_search_it_was_opened_from_and_leads_back_to_it() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    for name in ["dana", "zoe"] {
        app.engine.put_user(name, &["viewer"]).await;
    }
    let list = shown(&admin.get("/settings/users?q=dan").await.text());
    for (function, page, fields, change) in DIALOGS {
        let page = format!("{page}q=dan");
        assert!(list.contains(&format!("href=\"{page}\"")), "{page}: {list}");
        let dialog = shown(&admin.get(&page).await.text());
        // Close and Cancel.
        let close = dialog.matches("href=\"/settings/users?q=dan\"").count();
        assert_eq!(close, 2, "{page}: {dialog}");
        assert!(dialog.contains("name=\"search\" value=\"dan\""), "{page}");
        assert!(dialog.contains("Agent key role for dana"), "{page}");
        assert!(!dialog.contains("Agent key role for zoe"), "{page}");

        let fields = [fields, &[("search", "dan")]].concat();
        let after = format!("/settings/users?{change}&q=dan");
        for by_script in [true, false] {
            app.engine.put_user("dana", &["viewer"]).await;
            let path = "/_security/user/dave";
            app.engine.ask(Method::DELETE, path, None).await;
            let answer = if by_script {
                admin.post(function, &fields).await
            } else {
                admin.submit(&page, function, &fields).await
            };
            assert_eq!(
                answer.header("location"),
                Some(&*after),
                "{}",
                answer.text()
            );
        }
        assert_eq!(admin.get(&after).await.status, StatusCode::OK);
    }
    // A form that is refused, and drawn again without a script.
    app.engine.put_user("dana", &["viewer"]).await;
    let fields = [
        ("username", "dana"),
        ("password", "short"),
        ("search", "dan"),
    ];
    let page = "/settings/users/password?user=dana&q=dan";
    let refused = admin.submit(page, "reset_password", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = shown(&refused.text());
    assert!(text.contains("name=\"search\" value=\"dan\""), "{text}");
    assert!(text.contains("Agent key role for dana") && !text.contains("Agent key role for zoe"));
    // The control: without a search, everybody is there.
    let dialog = shown(&admin.get("/settings/users/delete?user=dana").await.text());
    assert!(dialog.contains("Agent key role for zoe"));
    assert_eq!(
        dialog.matches("href=\"/settings/users\"").count(),
        3,
        "{dialog}"
    );
}

#[tokio::test]
async fn a_search_leads_to_no_other_address_than_the_users_page() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    app.engine.put_user("dana", &["viewer"]).await;
    for (search, sent) in [
        ("//evil.example", "%2F%2Fevil%2Eexample"),
        ("a\r\nSet-Cookie: b=c", "aSet%2DCookie%3A%20b%3Dc"),
        ("a&created=eve#b", "a%26created%3Deve%23b"),
        ("é%0d%0a", "%C3%A9%250d%250a"),
    ] {
        let fields = [
            ("username", "dana"),
            ("password", "another good passphrase"),
            ("search", search),
        ];
        let scripted = admin.post("reset_password", &fields).await;
        let page = "/settings/users/password?user=dana";
        let posted = admin.submit(page, "reset_password", &fields).await;
        for answer in [scripted, posted] {
            let expected = format!("/settings/users?password=dana&q={sent}");
            assert_eq!(
                answer.header("location"),
                Some(&*expected),
                "{}",
                answer.text()
            );
            assert!(answer.cookie().is_none());
        }
    }
}

#[tokio::test]
async fn a_search_without_matches_says_so_and_offers_all_users() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let page = async |query: &str| {
        let page = admin.get(&format!("/settings/users{query}")).await;
        shown(&page.text())
    };
    let none = page("?q=nobody+at+all").await;
    assert!(
        none.contains("0 of 7 users") && none.contains("No user matches"),
        "{none}"
    );
    assert!(
        none.contains("<a href=\"/settings/users\" class=\"button\">Show all users</a>"),
        "{none}"
    );
    assert!(!none.contains("<table"), "{none}");
    assert!(none.contains("placeholder=\"Search by user, name or email\""));
    let all = page("").await;
    assert!(
        all.contains("<table") && !all.contains("No user matches"),
        "{all}"
    );
}
