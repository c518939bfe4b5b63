//! Role mappings that give the agent key role.

use crate::support::{App, Browser, PASSWORD, proxy::Fault, shown};
use app::model::{
    problem::ProblemKind,
    role_mapping::{
        MappingNameError, MappingRules, MappingValueError, MappingWarning, MatchesViewer,
        RealmError, RoleMapping,
    },
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

const ROLE: &str = "apm_agent_key_role";
const PATH: &str = "/_security/role_mapping";

async fn put(app: &App, name: &str, mapping: Value) {
    let path = format!("{PATH}/{name}");
    app.engine.ask(Method::PUT, &path, Some(mapping)).await;
}

async fn stored(app: &App) -> Value {
    app.engine.ask(Method::GET, PATH, None).await
}

async fn list(browser: &Browser) -> Vec<RoleMapping> {
    browser.post("list_role_mappings", &[]).await.value()
}

async fn version(browser: &Browser, name: &str) -> String {
    let mappings = list(browser).await;
    let found = mappings.into_iter().find(|mapping| mapping.name == name);
    found.unwrap().version
}

/// Mapping of one group of one realm, as the form writes it.
fn simple(group: &str) -> Value {
    json!({
        "enabled": true,
        "roles": [ROLE],
        "rules": { "all": [{ "field": { "realm.name": "saml1" } }, { "field": { "groups": [group] } }] },
        "metadata": { "team": "platform" },
    })
}

const FORM: [(&str, &str); 5] = [
    ("form[name]", "agents"),
    ("form[realm]", "saml1"),
    ("form[subject]", "groups"),
    ("form[values]", "apm-writers\napm-leads"),
    ("form[enabled]", "on"),
];

fn with<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let fields = FORM.into_iter().filter(|(field, _)| *field != name);
    fields.chain([(name, value)]).collect()
}

#[tokio::test]
async fn mapping_is_created_changed_and_deleted_and_each_is_recorded() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let created = admin.post("create_role_mapping", &FORM).await;
    assert_eq!(created.status, StatusCode::OK, "{}", created.text());
    let rules = |field: &str, values: Value| json!({ "all": [{ "field": { "realm.name": "saml1" } }, { "field": { field: values } }] });
    let expected = json!({ "agents": {
        "enabled": true, "roles": [ROLE], "metadata": { "agent_keys": true },
        "rules": rules("groups", json!(["apm-writers", "apm-leads"])),
    }});
    assert_eq!(stored(&app).await, expected);

    let version = version(&admin, "agents").await;
    let mut fields = with("form[subject]", "users");
    fields.retain(|(name, _)| *name != "form[enabled]");
    fields.push(("version", &version));
    let changed = admin.post("change_role_mapping", &fields).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    let now = stored(&app).await;
    assert_eq!(now["agents"]["enabled"], false);
    let users = rules("username", json!(["apm-writers", "apm-leads"]));
    assert_eq!(now["agents"]["rules"], users);
    assert_eq!(now["agents"]["metadata"], json!({ "agent_keys": true }));

    let version = self::version(&admin, "agents").await;
    let fields = [("name", "agents"), ("version", version.as_str())];
    let deleted = admin.post("delete_role_mapping", &fields).await;
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.text());
    assert_eq!(stored(&app).await, json!({}));

    let events = app.events().await;
    let mappings = events
        .iter()
        .filter(|event| event.action.starts_with("role_mapping"));
    let recorded: Vec<_> = mappings
        .map(|event| {
            (
                event.action.as_str(),
                event.outcome.as_str(),
                event.target_name.as_deref(),
            )
        })
        .collect();
    let name = Some("agents");
    let put = "role_mapping_put";
    assert_eq!(
        recorded,
        [
            (put, "unknown", name),
            (put, "success", name),
            (put, "unknown", name),
            (put, "success", name),
            ("role_mapping_delete", "unknown", name),
            ("role_mapping_delete", "success", name),
        ]
    );
}

#[tokio::test]
async fn change_keeps_other_roles_and_metadata() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let mut mapping = simple("a");
    mapping["roles"] = json!([ROLE, "viewer"]);
    put(&app, "odd, name", mapping.clone()).await;
    let listed = list(&admin).await;
    assert_eq!(listed[0].other_roles, ["viewer"]);
    let mut fields = with("form[name]", "odd, name");
    fields.push(("version", &listed[0].version));
    let changed = admin.post("change_role_mapping", &fields).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    let now = stored(&app).await;
    assert_eq!(now["odd, name"]["roles"], mapping["roles"]);
    assert_eq!(now["odd, name"]["metadata"], mapping["metadata"]);
}

#[tokio::test]
async fn mapping_of_another_client_is_not_overwritten() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    put(&app, "agents", simple("a")).await;
    let taken = admin.post("create_role_mapping", &FORM).await;
    let ProblemKind::RoleMapping(errors) = taken.problem() else {
        panic!("{}", taken.text());
    };
    assert_eq!(errors.name, Some(MappingNameError::Taken));

    let version = version(&admin, "agents").await;
    put(&app, "agents", simple("b")).await;
    let before = stored(&app).await;
    let mut fields = FORM.to_vec();
    fields.push(("version", &version));
    let changed = admin.post("change_role_mapping", &fields).await;
    assert_eq!(changed.problem(), ProblemKind::ChangedMeanwhile);
    let fields = [("name", "agents"), ("version", version.as_str())];
    let deleted = admin.post("delete_role_mapping", &fields).await;
    assert_eq!(deleted.problem(), ProblemKind::ChangedMeanwhile);
    assert_eq!(stored(&app).await, before);
    // The control: with the version of now, it is changed.
    let version = self::version(&admin, "agents").await;
    let mut fields = FORM.to_vec();
    fields.push(("version", &version));
    assert_eq!(
        admin.post("change_role_mapping", &fields).await.status,
        StatusCode::OK
    );
}

/// Every shape of rules that Elasticsearch takes.
#[tokio::test]
async fn mapping_that_the_form_cannot_write_is_shown_and_never_written() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let field = |name: &str, value: Value| json!({ "field": { name: value } });
    let realm = field("realm.name", json!("saml1"));
    let mapping = |rules: &Value| json!({ "enabled": true, "roles": [ROLE], "rules": rules });
    let templates =
        json!([{ "template": { "source": "{{#tojson}}groups{{/tojson}}" }, "format": "json" }]);
    #[rustfmt::skip]
    let others = [
        ("any", mapping(&json!({ "any": [realm, field("groups", json!("a"))] })), vec![]),
        ("empty-all", mapping(&json!({ "all": [] })), vec![MappingWarning::MatchesEveryUser]),
        ("empty-any", mapping(&json!({ "any": [] })), vec![MappingWarning::AnyRealm]),
        ("except", mapping(&json!({ "all": [realm, { "except": field("groups", json!("a")) }] })), vec![]),
        ("pattern", mapping(&json!({ "all": [realm, field("groups", json!("apm-*"))] })), vec![MappingWarning::GroupPattern]),
        ("group-alone", mapping(&field("groups", json!(["a", "b"]))), vec![MappingWarning::AnyRealm]),
        ("metadata", mapping(&field("metadata.level", json!(3))), vec![MappingWarning::AnyRealm]),
        ("null", mapping(&json!({ "all": [realm, field("metadata.left", json!(null))] })), vec![]),
        ("template", json!({ "enabled": true, "role_templates": templates, "rules": realm }), vec![]),
        ("x-read-only-operator-config", simple("a"), vec![]),
    ];
    for (name, mapping, _) in &others {
        put(&app, name, mapping.clone()).await;
    }
    let mut elsewhere = simple("a");
    elsewhere["roles"] = json!(["viewer"]);
    put(&app, "gives-another-role", elsewhere).await;
    put(&app, "simple", simple("a")).await;
    let before = stored(&app).await;
    let listed = list(&admin).await;
    assert_eq!(listed.len(), others.len() + 1);
    let page = admin.get("/settings/users").await.text();
    for (name, _, warnings) in &others {
        let found = listed.iter().find(|mapping| mapping.name == *name).unwrap();
        assert_eq!(found.warnings, *warnings, "{name}");
        assert!(found.editable().is_none(), "{name}");
        assert!(shown(&page).contains(name), "{name}");
        if let MappingRules::Other(json) = &found.rules {
            let shown: Value = serde_json::from_str(json).unwrap();
            let rules = shown.get("rules").unwrap_or(&shown);
            assert_eq!(*rules, before[name]["rules"], "{name}");
        }
        let mut fields = with("form[name]", name);
        fields.push(("version", &found.version));
        let changed = admin.post("change_role_mapping", &fields).await;
        assert_eq!(changed.problem(), ProblemKind::MappingNotEditable, "{name}");
        let fields = [("name", *name), ("version", &found.version)];
        let deleted = admin.post("delete_role_mapping", &fields).await;
        assert_eq!(deleted.problem(), ProblemKind::MappingNotEditable, "{name}");
    }
    let version = version(&admin, "simple").await;
    let mut other_role = with("form[name]", "gives-another-role");
    other_role.push(("version", &version));
    let refused = admin.post("change_role_mapping", &other_role).await;
    assert_eq!(refused.problem(), ProblemKind::NotFound);
    assert_eq!(stored(&app).await, before);
    // The control: a mapping that the form can write is changed.
    let mut fields = with("form[name]", "simple");
    fields.push(("version", &version));
    assert_eq!(
        admin.post("change_role_mapping", &fields).await.status,
        StatusCode::OK
    );
    let simple = list(&admin)
        .await
        .into_iter()
        .find(|mapping| mapping.name == "simple")
        .unwrap();
    // `elastic` is of the reserved realm.
    assert_eq!(simple.matches_viewer, MatchesViewer::OwnRealm);
}

#[tokio::test]
async fn invalid_mapping_is_refused_at_its_field_and_nothing_is_written() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let fields = [
        ("form[name]", "a,b"),
        ("form[realm]", "native"),
        ("form[values]", "apm-*"),
    ];
    let answer = admin.post("create_role_mapping", &fields).await;
    let ProblemKind::RoleMapping(errors) = answer.problem() else {
        panic!("{}", answer.text());
    };
    assert_eq!(errors.name, Some(MappingNameError::Characters));
    assert_eq!(errors.realm, Some(RealmError::UsesNoMappings));
    let pattern = MappingValueError::Pattern("apm-*".to_owned());
    assert_eq!(errors.values, Some(pattern));
    assert_eq!(stored(&app).await, json!({}));
    // Without script, the page shows the errors and keeps what was typed.
    let page = admin
        .submit(
            "/settings/users/mappings/new",
            "create_role_mapping",
            &fields,
        )
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = page.text();
    for kept in ["value=\"a,b\"", "value=\"native\"", "apm-*"] {
        assert!(text.contains(kept), "{kept}");
    }
    assert!(shown(&text).contains("Elasticsearch reads “apm-*” as a pattern."));
}

#[tokio::test]
async fn changes_of_mappings_require_a_recent_password() {
    let app = App::start().await;
    put(&app, "simple", simple("a")).await;
    let mut admin = app.as_admin().await;
    let version = version(&admin, "simple").await;
    let version = ("version", version.as_str());
    let changes = [
        ("create_role_mapping", FORM.to_vec()),
        (
            "change_role_mapping",
            [with("form[name]", "simple"), vec![version]].concat(),
        ),
        ("delete_role_mapping", vec![("name", "simple"), version]),
    ];
    app.clock.advance(Duration::from_secs(301));
    let before = stored(&app).await;
    for (function, fields) in &changes {
        let refused = admin.post(function, fields).await;
        assert_eq!(refused.problem(), ProblemKind::ReauthRequired, "{function}");
    }
    assert_eq!(stored(&app).await, before);
    // The control: with it, the first is made.
    admin.sign_in("elastic", PASSWORD).await;
    let (function, fields) = &changes[0];
    assert_eq!(admin.post(function, fields).await.status, StatusCode::OK);
}

#[tokio::test]
async fn unreadable_mappings_leave_the_list_of_users_usable() {
    let (app, proxy) = App::behind_proxy().await;
    let admin = app.as_admin().await;
    let refused = "HTTP/1.1 500 Internal Server Error\r\nX-Elastic-Product: Elasticsearch\r\nContent-Length: 0\r\n\r\n";
    proxy.fail("GET /_security/role_mapping", Fault::Answer(refused));
    let page = admin.get("/settings/users").await;
    let text = page.text();
    assert!(shown(&text).contains("Role mappings"));
    assert!(shown(&text).contains("Create user"));
    assert!(!shown(&text).contains("No role mapping gives"));
}
