//! Who may call what: every server function and every file, as nobody, as a person without rights, as an owner of keys, and as
//! an administrator. A server function without a row fails the test.

use crate::support::{Answer, App, Browser, mark};
use app::{
    api::WITHOUT_USER,
    model::{
        audit::AuditQuery,
        key_list::KeyListQuery,
        problem::ProblemKind,
        session::{SessionList, Viewer},
    },
};
use http::{Method, StatusCode};
use leptos::server_fn::axum::server_fn_paths;
use serde_json::json;
use std::collections::BTreeMap;

/// What is sent, and what each of the four is answered.
struct Row {
    path: &'static str,
    fields: Vec<(&'static str, String)>,
    /// Nobody, somebody without rights, an owner, an administrator.
    statuses: [u16; 4],
}

fn row(path: &'static str, fields: &[(&'static str, &str)], statuses: [u16; 4]) -> Row {
    let owned = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
    Row {
        path,
        fields: fields.iter().map(owned).collect(),
        statuses,
    }
}

fn table(key: &str, session: &str) -> Vec<Row> {
    let key_form = [
        ("form[operation]", "access-table"),
        ("form[name]", "made by the access table"),
        ("form[event_write]", "on"),
        ("form[expires]", "30"),
    ];
    let rotation_form = [
        ("form[operation]", "access-table-rotation"),
        ("form[key]", key),
        ("form[name]", "rotated by the access table"),
        ("form[expires]", "30"),
        ("form[overlap]", "24h"),
    ];
    let user_form = [
        ("form[username]", "newcomer"),
        ("form[password]", "long enough by far"),
    ];
    let mapping_form = [
        ("form[name]", "agents"),
        ("form[realm]", "saml1"),
        ("form[values]", "apm-writers"),
    ];
    let settings_form = [("form[server_url]", ""), ("form[api_key_limit]", "100")];
    let wrong = [("username", "elastic"), ("password", "wrong")];
    let bystander = ("username", "bystander");
    vec![
        row("/api/read_login_info", &[], [200; 4]),
        row("/api/sign_in", &wrong, [401; 4]),
        row("/api/sign_out", &[], [200; 4]),
        row("/api/set_theme", &[("theme", "dark")], [200; 4]),
        row("/api/read_viewer", &[], [401, 200, 200, 200]),
        row("/api/reauthenticate", &[("password", "wrong")], [401; 4]),
        row("/api/list_own_sessions", &[], [401, 200, 200, 200]),
        row("/api/list_others_sessions", &[], [401, 403, 403, 200]),
        // Somebody else's: only who manages security learns that there is one.
        row("/api/end_session", &[("id", session)], [401, 404, 404, 200]),
        row("/api/end_other_sessions", &[], [401, 200, 200, 200]),
        row("/api/list_agent_keys", &[], [401, 403, 200, 200]),
        row("/api/find_agent_key", &[("id", key)], [401, 403, 404, 200]),
        row("/api/find_agent_keys", &[], [401, 403, 200, 200]),
        row("/api/prepare_agent_key", &[], [401, 403, 200, 200]),
        row("/api/create_agent_key", &key_form, [401, 403, 200, 200]),
        row(
            "/api/acknowledge_agent_key",
            &[("operation", "nobody-began-it")],
            [401, 403, 404, 404],
        ),
        row(
            "/api/prepare_rotation",
            &[("id", key)],
            [401, 403, 404, 200],
        ),
        row(
            "/api/rotate_agent_key",
            &rotation_form,
            [401, 403, 404, 200],
        ),
        // No key's end was set.
        row("/api/undo_rotation", &[("id", key)], [401, 403, 404, 409]),
        row(
            "/api/revoke_agent_key",
            &[("id", key)],
            [401, 403, 404, 200],
        ),
        // Each key is answered for itself: the owner learns that there is no such key.
        row(
            "/api/revoke_agent_keys",
            &[("ids[]", key)],
            [401, 403, 200, 200],
        ),
        row("/api/find_matching_keys", &[], [401, 403, 200, 200]),
        // Nothing matches in the number that is confirmed.
        row(
            "/api/revoke_matching_keys",
            &[
                ("form[query]", "?q=no-such-key"),
                ("form[typed]", "5"),
                ("form[read_at]", "1797244927000"),
            ],
            [401, 403, 422, 422],
        ),
        row("/api/read_agent_key_role", &[], [401, 200, 200, 200]),
        row("/api/put_agent_key_role", &[], [401, 403, 403, 200]),
        row("/api/list_users", &[], [401, 403, 403, 200]),
        row("/api/create_user", &user_form, [401, 403, 403, 200]),
        row(
            "/api/assign_agent_key_role",
            &[bystander, ("assigned", "true")],
            [401, 403, 403, 200],
        ),
        row(
            "/api/set_user_enabled",
            &[bystander, ("enabled", "false")],
            [401, 403, 403, 200],
        ),
        row(
            "/api/reset_password",
            &[bystander, ("password", "long enough by far")],
            [401, 403, 403, 200],
        ),
        row("/api/delete_user", &[bystander], [401, 403, 403, 200]),
        row("/api/list_role_mappings", &[], [401, 403, 403, 200]),
        row(
            "/api/create_role_mapping",
            &mapping_form,
            [401, 403, 403, 200],
        ),
        row(
            "/api/change_role_mapping",
            &[&mapping_form[..], &[("version", "of another")]].concat(),
            [401, 403, 403, 409],
        ),
        row(
            "/api/delete_role_mapping",
            &[("name", "agents"), ("version", "of another")],
            [401, 403, 403, 409],
        ),
        // The fields are checked first; what they need is the user's own.
        row(
            "/api/change_own_password",
            &[
                ("current_password", ""),
                ("new_password", ""),
                ("repeated_password", ""),
            ],
            [401, 422, 422, 422],
        ),
        row("/api/read_apm_integration", &[], [401, 200, 200, 200]),
        row(
            "/api/save_apm_settings",
            &settings_form,
            [401, 403, 403, 200],
        ),
        row("/api/read_audit", &[], [401, 403, 403, 200]),
        row("/settings/audit/export.jsonl", &[], [401, 403, 403, 200]),
        row("/settings/audit/export.csv", &[], [401, 403, 403, 200]),
    ]
}

async fn call(browser: &Browser, row: &Row) -> StatusCode {
    let Some(function) = row.path.strip_prefix("/api/") else {
        return Answer::of(browser.request(Method::GET, row.path))
            .await
            .status;
    };
    if function == "read_audit" {
        let query = AuditQuery::default();
        let body = postcard::to_allocvec(&app::api::audit::ReadAudit { query }).unwrap();
        return browser.post_bytes(function, body).await.status;
    }
    if function == "list_others_sessions" {
        let name = "".into();
        let question = app::api::sessions::ListOthersSessions { name };
        let body = postcard::to_allocvec(&question).unwrap();
        return browser.post_bytes(function, body).await.status;
    }
    if function == "find_agent_keys" {
        let ids = vec!["unknown".to_owned()];
        let question = app::api::agent_keys::FindAgentKeys { ids };
        let body = postcard::to_allocvec(&question).unwrap();
        return browser.post_bytes(function, body).await.status;
    }
    if function == "find_matching_keys" {
        let query = KeyListQuery::default();
        let question = app::api::agent_keys::FindMatchingKeys { query };
        let body = postcard::to_allocvec(&question).unwrap();
        return browser.post_bytes(function, body).await.status;
    }
    if function == "list_agent_keys" {
        return browser.list(|_| {}).await.status;
    }
    let fields: Vec<_> = row
        .fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    browser.post(function, &fields).await.status
}

#[tokio::test]
async fn server_function_answers_each_role_as_the_table_says() {
    let app = App::start().await;
    app.engine.put_agent_key_role().await;
    app.engine.put_user("stranger", &[]).await;
    app.engine.put_user("owner", &["apm_agent_key_role"]).await;
    app.engine.put_user("bystander", &[]).await;
    let key = app.engine.kibana_key("elastic", "of elastic").await;
    let bystander = app.as_user("bystander").await;
    let sessions: SessionList = bystander.post("list_own_sessions", &[]).await.value();
    let table = table(&key, &sessions.sessions[0].id);
    let rows: BTreeMap<_, _> = table.iter().map(|row| (row.path, row)).collect();
    let mut wrong = Vec::new();
    for (path, _) in server_fn_paths() {
        if !rows.contains_key(path) {
            wrong.push(format!("{path} has no row"));
        }
    }
    let people = [None, Some("stranger"), Some("owner"), Some("elastic")];
    for (who, expected_at) in people.into_iter().zip(0..) {
        for row in &table {
            // Each time a new session: signing out is one of the rows. And some time later: a wrong password is another.
            app.clock.advance(std::time::Duration::from_secs(10));
            let browser = match who {
                None => app.nobody(),
                Some(name) => app.as_user(name).await,
            };
            let status = call(&browser, row).await.as_u16();
            let expected: u16 = row.statuses[expected_at];
            if status != expected {
                wrong.push(format!("{} as {who:?}: {status}, not {expected}", row.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn form_of_another_user_changes_nothing() {
    let app = App::start().await;
    app.engine.put_agent_key_role().await;
    app.engine.put_user("bystander", &[]).await;
    let key = app.engine.kibana_key("elastic", "of elastic").await;
    let bystander = app.as_user("bystander").await;
    let sessions: SessionList = bystander.post("list_own_sessions", &[]).await.value();
    let admin = app.as_admin().await;
    let nameless = Browser {
        user: None,
        ..admin.clone()
    };
    let events = app.events().await.len();
    let other = mark("bystander");
    let expected = ProblemKind::OtherUser {
        username: "elastic".to_owned(),
        mark: mark("elastic"),
    };
    let mut checked = 0;
    for row in table(&key, &sessions.sessions[0].id) {
        let function = row.path.strip_prefix("/api/");
        let Some(function) = function.filter(|_| !WITHOUT_USER.contains(&row.path)) else {
            continue;
        };
        let fields: Vec<_> = row
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let of_other = [fields.as_slice(), &[("user", &other)]].concat();
        let answer = admin.post(function, &of_other).await;
        assert_eq!(answer.problem(), expected, "{function}");
        let plain = admin.submit("/settings/users", function, &of_other).await;
        // No page shows the outcome of signing out: the list does.
        let expected_status = match function {
            "sign_out" => StatusCode::SEE_OTHER,
            _ => StatusCode::CONFLICT,
        };
        assert_eq!(plain.status, expected_status, "{function}");
        let answer = nameless.post(function, &fields).await;
        assert_eq!(answer.problem(), ProblemKind::BadForm, "{function}");
        checked += 1;
    }
    // The control: with their own mark, the test above gets each of them done.
    let functions: Vec<_> = server_fn_paths().map(|(path, _)| path).collect();
    assert_eq!(checked, functions.len() - WITHOUT_USER.len());
    assert!(WITHOUT_USER.iter().all(|path| functions.contains(path)));
    assert_eq!(app.events().await.len(), events);
    assert_eq!(app.engine.keys().await[0]["invalidated"], false);
}

#[tokio::test]
async fn server_functions_accept_only_post() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    for (path, _) in server_fn_paths() {
        let status = admin.get(path).await.status;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    assert_eq!(
        admin.get("/api/no_such_function").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn signed_out_pages_redirect_to_sign_in() {
    let app = App::start().await;
    let nobody = app.nobody();
    for page in [
        "/settings/agent-keys",
        "/settings/agent-keys/new",
        "/settings/users?q=a",
        "/settings/apm-integration",
        "/settings/audit",
        "/settings/sessions",
        "/settings/no-such-page",
    ] {
        let answer = nobody.get(page).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{page}");
        let location = answer.header("location").unwrap();
        let encoded = page
            .replace('/', "%2F")
            .replace('?', "%3F")
            .replace('=', "%3D");
        assert_eq!(location, format!("/login?next={encoded}"));
    }
    let admin = app.as_admin().await;
    assert_eq!(
        admin.get("/settings/agent-keys").await.status,
        StatusCode::OK
    );
    assert_eq!(
        admin.get("/login").await.header("location"),
        Some("/settings/agent-keys")
    );
    assert_eq!(
        nobody.get("/").await.header("location"),
        Some("/settings/agent-keys")
    );
    assert_eq!(
        nobody.get("/no-such-page").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn page_with_a_problem_has_its_status() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let key = admin.get("/settings/agent-keys/unknown").await;
    assert_eq!(key.status, StatusCode::NOT_FOUND);
    assert!(key.text().contains("All agent keys"), "there is a way back");
    let id = app.engine.kibana_key("elastic", "checkout").await;
    let key = admin.get(&format!("/settings/agent-keys/{id}")).await;
    assert!(key.text().contains("<title>checkout · Agent Keys</title>"));
    let stranger = app.with_user("stranger", &[]).await;
    for page in ["/settings/agent-keys", "/settings/users", "/settings/audit"] {
        let refused = stranger.get(page).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{page}");
    }
    let list = stranger.get("/settings/agent-keys").await.text();
    assert!(
        list.contains("manage_own_api_key"),
        "what is missing is named"
    );
    let ada = app.with_key_user("ada").await;
    for page in [
        "/settings/agent-keys",
        "/settings/agent-keys/new",
        "/settings/apm-integration",
        "/settings/sessions",
        "/reauthenticate",
    ] {
        assert_eq!(ada.get(page).await.status, StatusCode::OK, "{page}");
    }
}

#[tokio::test]
async fn missing_privileges_are_named() {
    let app = App::start().await;
    let stranger = app.with_user("stranger", &[]).await;
    let viewer: Viewer = stranger.post("read_viewer", &[]).await.value();
    let viewer = serde_json::to_value(viewer).unwrap();
    let kibana = |privilege: &str| {
        json!({ "Application": {
            "application": "kibana-.kibana", "privilege": privilege, "resource": "space:default",
        } })
    };
    let own = json!({ "Cluster": "manage_own_api_key" });
    assert_eq!(
        viewer["access"]["list"],
        json!({ "Missing": [own, kibana("feature_apm.read")] })
    );
    assert_eq!(
        viewer["access"]["revoke"],
        json!({ "Missing": [own, kibana("feature_apm.all")] })
    );
    assert_eq!(
        viewer["access"]["manage_security"],
        json!({ "Missing": [{ "Cluster": "manage_security" }] })
    );
}

#[tokio::test]
async fn viewer_role_of_kibana_reads_and_changes_nothing() {
    let app = App::start().await;
    let role = json!({
        "cluster": ["manage_own_api_key"],
        "applications": [
            { "application": "apm", "privileges": ["event:write"], "resources": ["*"] },
            { "application": "kibana-.kibana", "privileges": ["read"], "resources": ["*"] },
        ],
    });
    app.engine.put_role("looker", role).await;
    let looker = app.with_user("looker", &["looker"]).await;
    assert_eq!(looker.list(|_| {}).await.status, StatusCode::OK);
    assert_eq!(looker.create("refused").await.status, StatusCode::FORBIDDEN);
    assert!(app.engine.keys().await.is_empty());
}

#[tokio::test]
async fn kibana_feature_check_can_be_turned_off() {
    let setup = crate::support::Setup {
        without_kibana: true,
        ..Default::default()
    };
    let app = App::start_with(setup).await;
    let role = json!({
        "cluster": ["manage_own_api_key"],
        "applications": [
            { "application": "apm", "privileges": ["event:write", "config_agent:read"], "resources": ["*"] },
        ],
    });
    app.engine.put_role("plain", role).await;
    let person = app.with_user("plain", &["plain"]).await;
    assert_eq!(person.create("allowed").await.status, StatusCode::OK);
}

/// Whether a person whose role names these Kibana privileges may look at keys, and may make one.
async fn kibana_access(app: &App, name: &str, privileges: &[&str], resource: &str) -> (bool, bool) {
    let role = json!({
        "cluster": ["manage_own_api_key"],
        "applications": [
            { "application": "apm", "privileges": ["event:write", "config_agent:read"], "resources": ["*"] },
            { "application": "kibana-.kibana", "privileges": privileges, "resources": [resource] },
        ],
    });
    app.engine.put_role(name, role).await;
    let person = app.with_user(name, &[name]).await;
    let looks = person.list(|_| {}).await.status == StatusCode::OK;
    let makes = person.create("a key").await.status == StatusCode::OK;
    (looks, makes)
}

/// As Kibana 8.16 and later resolves them. A malformed name, as an old Kibana wrote them, opens nothing.
#[tokio::test]
async fn kibanas_feature_privileges_permit_as_in_kibana() {
    let app = App::start().await;
    app.engine.register_kibana_privileges().await;
    #[rustfmt::skip]
    let rows: &[(&str, &[&str], (bool, bool))] = &[
        ("all-of-apm", &["feature_apm.all"], (true, true)),
        ("all", &["all"], (true, true)),
        ("space-all", &["space_all"], (true, true)),
        ("settings", &["feature_apm.minimal_read", "feature_apm.settings_save"], (true, true)),
        ("minimal-all-settings", &["feature_apm.minimal_all", "feature_apm.settings_save"], (true, true)),
        ("read-of-apm", &["feature_apm.read"], (true, false)),
        ("minimal-read", &["feature_apm.minimal_read"], (true, false)),
        ("read", &["read"], (true, false)),
        ("settings-alone", &["feature_apm.settings_save"], (false, false)),
        ("malformed", &["feature_x.a;;"], (false, false)),
    ];
    for (name, privileges, expected) in rows {
        let access = kibana_access(&app, name, privileges, "space:default").await;
        assert_eq!(access, *expected, "{name}");
    }
}

#[tokio::test]
async fn star_checks_every_space_that_roles_name() {
    let setup = crate::support::Setup {
        kibana_space: Some("*"),
        ..Default::default()
    };
    let app = App::start_with(setup).await;
    let all: &[&str] = &["feature_apm.all"];
    assert_eq!(
        kibana_access(&app, "a", all, "space:team-a").await,
        (true, true)
    );
    assert_eq!(kibana_access(&app, "b", all, "*").await, (true, true));
    assert_eq!(
        kibana_access(&app, "c", &["feature_apm.read"], "space:c").await,
        (true, false)
    );
    assert_eq!(
        kibana_access(&app, "d", &["feature_ml.all"], "space:d").await,
        (false, false)
    );
    // The control: where one space counts, another does not.
    let default = App::start().await;
    assert_eq!(
        kibana_access(&default, "a", all, "space:team-a").await,
        (false, false)
    );
}

#[tokio::test]
async fn removed_role_takes_effect_at_the_next_request() {
    let app = App::start().await;
    let person = app.with_key_user("ada").await;
    assert_eq!(person.create("before").await.status, StatusCode::OK);
    app.engine.put_user("ada", &[]).await;
    assert_eq!(person.create("after").await.status, StatusCode::FORBIDDEN);
    assert_eq!(app.engine.keys().await.len(), 1);
}

#[tokio::test]
async fn user_sees_links_only_to_pages_that_they_may_open() {
    let app = App::start().await;
    let links = ["href=\"/settings/users\"", "href=\"/settings/audit\""];
    let admin = app.as_admin().await.get("/settings/sessions").await.text();
    let ada = app.with_key_user("ada").await;
    let ada = ada.get("/settings/sessions").await.text();
    for link in links {
        assert!(admin.contains(link) && !ada.contains(link), "{link}");
    }
    assert!(ada.contains("href=\"/settings/apm-integration\""));
}

#[tokio::test]
async fn user_who_may_not_change_the_settings_sees_so_and_what_to_ask_for() {
    let app = App::start().await;
    let sentence = "ask an administrator for the privilege manage_api_key";
    let page = async |browser: Browser| {
        let page = browser.get("/settings/apm-integration").await.text();
        let text = crate::support::shown(&page);
        let form = text.split("<form").find(|form| form.contains("server-url"));
        let fields = form.unwrap().split("<fieldset").nth(1).unwrap();
        let disabled = fields.split('>').next().unwrap().contains("disabled");
        (
            disabled,
            text.contains(sentence),
            text.contains("manage_api_key (cluster)"),
        )
    };
    let ada = app.with_key_user("ada").await;
    assert_eq!(page(ada).await, (true, true, true));
    assert_eq!(page(app.as_admin().await).await, (false, false, false));
    // The list names the role, with the privileges behind a disclosure.
    let reader = json!({
        "cluster": ["manage_own_api_key"],
        "applications": [{ "application": "kibana-.kibana", "privileges": ["read"], "resources": ["*"] }],
    });
    app.engine.put_role("reader", reader).await;
    let reader = app.with_user("reader", &["reader"]).await;
    let list = crate::support::shown(&reader.get("/settings/agent-keys").await.text());
    assert!(
        list.contains("ask an administrator for the role apm_agent_key_role"),
        "{list}"
    );
    let details = list.split("Show missing privileges").nth(1).unwrap();
    assert!(details.contains("event:write (application apm)"), "{list}");
}
