//! Agent keys that neither this application nor Kibana has marked, and users and roles as real clusters hold them.

use crate::support::{
    App, Browser, PASSWORD, Setup,
    engine::Engine,
    eventually,
    proxy::{Fault, Gate},
    shown,
};
use app::model::{
    agent_key::{FoundAgentKey, KeyRights, KeySource, KeyStatus},
    apm_settings::{KeysInUse, MadeElsewhere, Uncounted},
    key_list::{KeyListPage, SortField, StatusFilter},
    problem::ProblemKind,
    user_list::UserList,
};
use http::{Method, StatusCode};
use platform::Clock;
use serde_json::{Value, json};
use std::{borrow::Cow, sync::Arc, time::Duration};
use url::Url;

fn granting(application: &str) -> Value {
    json!({ "x": { "applications": [
        { "application": application, "privileges": ["event:write"], "resources": ["*"] },
    ] } })
}

fn in_use(counted: u64, uncounted: Option<Uncounted>) -> KeysInUse {
    KeysInUse { counted, uncounted }
}

async fn make(app: &App, owner: &str, body: Value) -> String {
    let path = "/_security/api_key";
    let key = app.engine.ask_as(owner, Method::POST, path, Some(body));
    key.await["id"].as_str().unwrap().to_owned()
}

async fn list(browser: &Browser, elsewhere: bool) -> KeyListPage {
    let answer = browser.list(|query| query.elsewhere = elsewhere).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.value()
}

fn names(page: &KeyListPage) -> Vec<&str> {
    let mut names: Vec<_> = page.keys.iter().map(|key| key.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn unmarked_keys_are_listed_by_the_filter_and_count_for_the_limit() {
    let app = App::start().await;
    let body = |name: &str, grants: &Value, metadata: Value| json!({ "name": name, "role_descriptors": grants, "metadata": metadata });
    let apm = granting("apm");
    for (name, grants, metadata) in [
        ("plain", apm.clone(), json!({})),
        ("any application", granting("*"), json!({})),
        (
            "prefix",
            granting("ap*"),
            json!({ "application": "terraform" }),
        ),
        ("another application", granting("kibana-.kibana"), json!({})),
        ("apm-like application", granting("apmx"), json!({})),
        ("nothing", json!({ "x": {} }), json!({})),
        ("unrestricted", json!({}), json!({})),
        (
            "of Fleet",
            apm.clone(),
            json!({ "managed": true, "managed_by": "fleet" }),
        ),
        ("of Kibana itself", apm.clone(), json!({ "system": true })),
    ] {
        make(&app, "elastic", body(name, &grants, metadata)).await;
    }
    let mut short = body("short", &apm, json!({}));
    short["expiration"] = json!("1m");
    make(&app, "elastic", short).await;
    app.engine.kibana_key("elastic", "of Kibana's page").await;

    let admin = app.as_admin().await;
    let marked = list(&admin, false).await;
    assert_eq!(names(&marked), ["of Kibana's page"]);
    let counted = |total, active| MadeElsewhere::Counted {
        total,
        active,
        all_read: true,
    };
    assert_eq!(marked.summary.elsewhere, counted(4, 4));
    assert_eq!(marked.summary.active, 1);
    assert_eq!(marked.summary.in_use(), in_use(5, None));

    let elsewhere = list(&admin, true).await;
    assert_eq!(
        names(&elsewhere),
        ["any application", "plain", "prefix", "short"]
    );
    assert_eq!(elsewhere.total, 4);
    assert!(
        elsewhere
            .keys
            .iter()
            .all(|key| key.source == KeySource::Elsewhere && key.revocable)
    );
    // Search, sort and status work in it as in the list of the others.
    let found: KeyListPage = admin
        .list(|query| {
            query.elsewhere = true;
            query.search = "PREF".to_owned();
            query.sort = SortField::Expires;
            query.status = vec![StatusFilter::Active];
        })
        .await
        .value();
    assert_eq!(names(&found), ["prefix"]);
    let page = admin
        .get("/settings/agent-keys?source=elsewhere")
        .await
        .text();
    assert!(page.contains("Kibana or API, unmarked") && page.contains("any application"));

    // Time ends one, and with it its part of the limit.
    app.clock.advance(Duration::from_mins(2));
    let later = list(&admin, false).await;
    assert_eq!(later.summary.elsewhere, counted(4, 3));
}

#[tokio::test]
async fn unmarked_key_is_shown_and_revoked_like_others() {
    let app = App::start().await;
    let body = |grants: Value| json!({ "name": "terraform", "role_descriptors": grants });
    let id = make(&app, "elastic", body(granting("apm"))).await;
    let foreign = make(
        &app,
        "elastic",
        body(json!({ "x": { "cluster": ["monitor"] } })),
    )
    .await;
    let admin = app.as_admin().await;
    let look = async |id: &str| admin.post("find_agent_key", &[("id", id)]).await;
    let found: FoundAgentKey = look(&id).await.value();
    assert_eq!(found.key.source, KeySource::Elsewhere);
    assert_eq!(list(&admin, true).await.summary.in_use(), in_use(1, None));
    assert_eq!(
        admin.post("revoke_agent_key", &[("id", &id)]).await.status,
        StatusCode::OK
    );
    let found: FoundAgentKey = look(&id).await.value();
    assert!(matches!(found.key.status, KeyStatus::Revoked { .. }));
    // Its part of the limit is free at once.
    assert_eq!(list(&admin, true).await.summary.in_use(), in_use(0, None));
    // A key that has nothing to do with APM stays out of reach.
    assert_eq!(look(&foreign).await.problem(), ProblemKind::NotFound);
    let answer = admin.post("revoke_agent_key", &[("id", &foreign)]).await;
    assert_eq!(answer.problem(), ProblemKind::NotFound);
    let keys = app.engine.keys().await;
    let foreign = keys
        .iter()
        .find(|key| key["id"] == foreign.as_str())
        .unwrap();
    assert_eq!(foreign["invalidated"], json!(false));
}

#[tokio::test]
async fn revocation_of_a_disconnected_browser_updates_the_count_of_unmarked_keys() {
    let (app, proxy) = App::behind_proxy().await;
    let body = json!({ "name": "terraform", "role_descriptors": granting("apm") });
    let id = make(&app, "elastic", body).await;
    let admin = app.as_admin().await;
    assert_eq!(list(&admin, false).await.summary.in_use(), in_use(1, None));
    let gate = Gate::default();
    proxy.fail("DELETE /_security/api_key", Fault::Late(gate.clone()));
    let revoking = tokio::spawn({
        let admin = admin.clone();
        async move { admin.try_post("revoke_agent_key", &[("id", &id)]).await }
    });
    eventually(
        "the key is revoked, and the response is held back",
        async || app.engine.keys().await[0]["invalidated"] == true,
    )
    .await;
    revoking.abort();
    assert!(revoking.await.is_err());
    eventually("the server has noticed it", async || {
        app.application.connections() == 0
    })
    .await;
    gate.open();
    app.application.state().drain().await;
    assert_eq!(list(&admin, false).await.summary.in_use(), in_use(0, None));
}

#[tokio::test]
async fn own_scope_shows_only_own_unmarked_keys() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let body = |name: &str| json!({ "name": name, "role_descriptors": granting("apm") });
    make(&app, "elastic", body("of another")).await;
    make(&app, "ada", body("of ada")).await;
    let page = list(&ada, true).await;
    assert_eq!(names(&page), ["of ada"]);
    assert_eq!(
        page.summary.in_use(),
        in_use(1, Some(Uncounted::OtherOwners))
    );
}

#[tokio::test]
async fn before_8_5_keys_made_elsewhere_are_shown_as_uncounted() {
    let clock = Clock::manual(crate::support::NOW.0);
    let version = embedded::Version::new(8, 0);
    let engine = Arc::new(Engine::start_as(&clock, version).await);
    let app = App::start_at(engine, clock, Setup::default()).await;
    let body = json!({ "name": "unknown", "role_descriptors": granting("apm") });
    make(&app, "elastic", body).await;
    let admin = app.as_admin().await;
    let page = list(&admin, true).await;
    assert!(page.keys.is_empty());
    assert_eq!(page.summary.elsewhere, MadeElsewhere::NotTold);
    assert_eq!(
        page.summary.in_use(),
        in_use(0, Some(Uncounted::MadeElsewhere))
    );
}

#[tokio::test]
async fn failed_count_of_keys_made_elsewhere_is_shown_as_such() {
    const ANSWERS: [&str; 2] = [
        "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\
         Content-Type: application/json\r\n\r\n{\"error\":{\"type\":\"security_exception\",\"reason\":\"no\"},\"status\":403}",
        "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\
         Content-Type: application/json\r\n\r\n{\"error\":{\"type\":\"es_rejected_execution_exception\",\"reason\":\"no\"},\"status\":429}",
    ];
    let (app, proxy) = App::behind_proxy().await;
    app.engine.kibana_key("elastic", "marked").await;
    let admin = app.as_admin().await;
    for answer in ANSWERS {
        let unmarked = r#""size":1000,"#;
        proxy.fail(
            "POST /_security/_query/api_key",
            Fault::AnswerTo(unmarked, answer),
        );
        let text = shown(&admin.get("/settings/agent-keys").await.text());
        assert!(text.contains("At least 1 of 100"), "{text}");
        assert!(text.contains("Keys made elsewhere could not be counted."));
        assert!(!text.contains("does not report their privileges"));
    }
    // The control: once they can be counted, they are.
    proxy.heal();
    let text = shown(&admin.get("/settings/agent-keys").await.text());
    assert!(text.contains("1 of 100") && !text.contains("At least"));
}

#[tokio::test]
async fn key_without_descriptors_is_a_finding_and_every_descriptor_field_is_kept() {
    let app = App::start().await;
    let metadata = json!({ "application": "apm" });
    let descriptors = json!({
        "one": { "cluster": ["monitor"], "restriction": { "workflows": ["search_application_query"] } },
    });
    let several = json!({
        "a": granting("apm")["x"],
        "b": { "indices": [{ "names": ["logs-*"], "privileges": ["read"] }] },
    });
    let admin = app.as_admin().await;
    for (name, grants, finding, shown) in [
        (
            "none",
            json!({}),
            Some("All privileges of its owner"),
            vec![],
        ),
        (
            "absent",
            Value::Null,
            Some("All privileges of its owner"),
            vec![],
        ),
        (
            "restricted",
            descriptors,
            Some("More than an agent needs"),
            vec!["search_application_query", "monitor"],
        ),
        (
            "several",
            several,
            Some("More than an agent needs"),
            vec!["logs-*", "event:write"],
        ),
        ("empty", json!({ "apm": {} }), None, vec![]),
    ] {
        let mut body = json!({ "name": name, "metadata": metadata });
        if !grants.is_null() {
            body["role_descriptors"] = grants;
        }
        let id = make(&app, "elastic", body).await;
        let found: FoundAgentKey = admin.post("find_agent_key", &[("id", &id)]).await.value();
        assert_eq!(found.key.rights.finding(), finding, "{name}");
        let is_all = found.key.rights == KeyRights::OwnersAll;
        assert_eq!(is_all, matches!(name, "none" | "absent"), "{name}");
        let page = admin
            .get(&format!("/settings/agent-keys/{id}"))
            .await
            .text();
        for text in shown.into_iter().chain(finding) {
            assert!(page.contains(text), "{name}: {text}");
        }
    }
}

#[tokio::test]
async fn users_with_any_printable_name_are_listed_and_changed() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let every: String = (b' '..=b'~').map(char::from).collect();
    let every = format!("x{every}x");
    for name in [
        "a/b",
        "100%",
        "%2F",
        "\"quoted\" <u>",
        "a+b&c=d",
        every.as_str(),
    ] {
        let path: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let body = json!({ "password": PASSWORD, "roles": [], "full_name": null, "email": null });
        app.engine
            .ask(Method::PUT, &format!("/_security/user/{path}"), Some(body))
            .await;
        for (function, fields) in [
            ("put_agent_key_role", vec![]),
            (
                "assign_agent_key_role",
                vec![("username", name), ("assigned", "true")],
            ),
            (
                "set_user_enabled",
                vec![("username", name), ("enabled", "false")],
            ),
        ] {
            let answer = admin.post(function, &fields).await;
            assert_eq!(
                answer.status,
                StatusCode::OK,
                "{name}: {function}: {}",
                answer.text()
            );
        }
        let users: UserList = admin.post("list_users", &[]).await.value();
        let user = users.users.iter().find(|user| user.username == name);
        let user = user.unwrap_or_else(|| panic!("{name} is not listed"));
        assert!(!user.enabled && user.has_agent_key_role(), "{name}");
    }
    let page = admin.get("/settings/users").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text().contains("<u>"), "a name is text");
}

#[tokio::test]
async fn malformed_kibana_privileges_grant_nothing() {
    let app = App::start().await;
    app.engine.register_kibana_privileges().await;
    let role = |kibana: Value| {
        json!({
            "cluster": ["manage_own_api_key"],
            "applications": [
                { "application": "apm", "privileges": ["event:write"], "resources": ["*"] },
                { "application": "kibana-.kibana", "privileges": kibana, "resources": ["space:default"] },
            ],
        })
    };
    for (name, privileges, opens) in [
        ("malformed", json!(["feature_x.a;;"]), false),
        ("both", json!(["feature_x.a;;", "feature_apm.all"]), true),
    ] {
        app.engine.put_role(name, role(privileges)).await;
        let person = app.with_user(&format!("{name}-user"), &[name]).await;
        let answer = person.list(|_| {}).await;
        assert_eq!(
            answer.status == StatusCode::OK,
            opens,
            "{name}: {}",
            answer.text()
        );
        if !opens {
            assert!(
                matches!(answer.problem(), ProblemKind::Forbidden(_)),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn user_links_work_for_any_printable_name() {
    const NEW_PASSWORD: &str = "a new passphrase, long enough";
    let app = App::start().await;
    let admin = app.as_admin().await;
    let every: String = (b' '..=b'~').map(char::from).collect();
    let every = format!("x{every}x");
    let every_but_colon = every.replace(':', "");
    let names = [
        "a/b",
        "100%",
        "%2F",
        "\"quoted\" <b>",
        "a+b&c=d",
        &every,
        &every_but_colon,
    ];
    for name in names {
        let path: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let body = json!({ "password": PASSWORD, "roles": [], "full_name": null, "email": null });
        app.engine
            .ask(Method::PUT, &format!("/_security/user/{path}"), Some(body))
            .await;
    }
    let page = shown(&admin.get("/settings/users").await.text());
    for (form, function, title, done) in [
        (
            "password",
            "reset_password",
            "New password for ",
            "Set a new password for ",
        ),
        ("disable", "set_user_enabled", "Disable ", "Disabled "),
        ("delete", "delete_user", "Delete ", "Deleted "),
    ] {
        for name in names {
            let link = link_of(&page, &format!("/settings/users/{form}?"), name);
            let link = link.unwrap_or_else(|| panic!("no link to {form} {name}"));
            let dialog = shown(&admin.get(&link).await.text());
            assert!(
                dialog.contains(&format!("{title}{name}")),
                "{name}: {dialog}"
            );
            let field = format!(r#"name="username" value="{name}""#);
            assert!(dialog.contains(&field), "{name}: {dialog}");
            let fields = [
                ("username", name),
                ("password", NEW_PASSWORD),
                ("enabled", "false"),
            ];
            let answer = admin.submit(&link, function, &fields).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
            let location = answer.header("location").unwrap();
            let after = admin.get_after(&answer, location).await;
            let after = shown(&after.text());
            assert!(after.contains(&format!("{done}{name}.")), "{name}: {after}");
            let is_there = link_of(&after, "/settings/users/delete?", name).is_some();
            assert_eq!(is_there, form != "delete", "{name}");
            // Basic authentication cannot carry a colon in a name.
            if form == "password" && !name.contains(':') {
                let answer = app.nobody().sign_in(name, NEW_PASSWORD).await;
                assert_eq!(answer.status, StatusCode::OK, "{name}");
            }
        }
    }
}

/// The address of the link on the page that leads to this form for this user.
fn link_of(page: &str, form: &str, name: &str) -> Option<String> {
    let mut links = page.split("href=\"").skip(1);
    let link = links.find(|link| {
        let address = link.split('"').next().unwrap_or_default();
        let address = Url::parse("http://localhost").unwrap().join(address);
        let is_of = |(field, user): (Cow<str>, Cow<str>)| field == "user" && user == name;
        link.starts_with(form) && address.is_ok_and(|address| address.query_pairs().any(is_of))
    })?;
    link.split('"').next().map(str::to_owned)
}

/// A field that a later version of Elasticsearch might have.
fn with_a_field_of_a_later_version(answer: &mut Value) {
    for key in answer["api_keys"].as_array_mut().into_iter().flatten() {
        key["role_descriptors"]["apm"]["remote_things"] = json!([{ "clusters": ["far-away"] }]);
    }
}

#[tokio::test]
async fn unknown_descriptor_field_is_a_finding_and_shown() {
    let (app, proxy) = App::behind_proxy().await;
    let id = app.engine.kibana_key("elastic", "later").await;
    let admin = app.as_admin().await;
    let look =
        async || -> FoundAgentKey { admin.post("find_agent_key", &[("id", &id)]).await.value() };
    assert_eq!(look().await.key.rights.finding(), None);
    proxy.fail(
        "POST /_security/_query/api_key",
        Fault::Edited(with_a_field_of_a_later_version),
    );
    let finding = look().await.key.rights.finding();
    assert_eq!(finding, Some("More than an agent needs"));
    let page = admin.get(&format!("/settings/agent-keys/{id}")).await;
    let page = shown(&page.text());
    assert!(
        page.contains("remote_things") && page.contains("far-away"),
        "{page}"
    );
}

#[tokio::test]
async fn ten_thousand_unmarked_keys_are_read_and_more_are_reported() {
    const READ_MAX: usize = 10_000;
    let app = App::start().await;
    let body = json!({ "name": "newest", "role_descriptors": granting("apm") });
    let id = make(&app, "elastic", body).await;
    app.engine.copy_key(&id, 1..=READ_MAX - 1).await;
    let admin = app.as_admin().await;
    let counted = |all_read| MadeElsewhere::Counted {
        total: READ_MAX as u64,
        active: READ_MAX as u64,
        all_read,
    };
    let page = list(&admin, true).await;
    assert_eq!(page.summary.elsewhere, counted(true));
    assert_eq!(page.summary.in_use(), in_use(READ_MAX as u64, None));
    assert_eq!(page.total, READ_MAX as u64);
    // One more, which is the oldest, when the keys are read again.
    app.engine.copy_key(&id, READ_MAX..=READ_MAX).await;
    app.clock.advance(Duration::from_secs(31));
    let page = list(&admin, true).await;
    assert_eq!(page.summary.elsewhere, counted(false));
    let too_many = in_use(READ_MAX as u64, Some(Uncounted::TooMany));
    assert_eq!(page.summary.in_use(), too_many);
    assert_eq!(page.total, READ_MAX as u64);
    let text = shown(
        &admin
            .get("/settings/agent-keys?source=elsewhere")
            .await
            .text(),
    );
    assert!(text.contains("At least 10,000 of 100"), "{text}");
    assert!(text.contains("There are too many keys to count all of them."));
}
