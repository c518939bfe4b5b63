//! Events for the audit log: made up, or of one action of each kind.

use super::{Answer, App, Browser, NOW, PASSWORD, eventually};
use app::model::{audit::Action, new_agent_key::CreatedAgentKey, role_mapping::RoleMapping};
use http::{Method, StatusCode};
use serde_json::json;
use server::{
    audit::{Event, EventContext, EventSource, Outcome, Target},
    identifier::RequestId,
};

/// Time and origin of the event with this number.
pub(crate) fn event_context(number: i64) -> EventContext {
    EventContext {
        at: NOW.plus_ms(number),
        request_id: RequestId::new("request"),
        origin: EventSource::default(),
    }
}

/// The intent to create the key with this number.
pub(crate) fn intent(number: i64) -> Event<'static> {
    Event::new(Action::AgentKeyCreate)
        .outcome(Outcome::Unknown)
        .on(Target {
            id: None,
            name: Some(format!("k-{number}")),
        })
        .operation("operation")
        .details(json!({ "n": number }))
}

/// Carries out one action of each kind.
pub(crate) async fn one_of_every_action(app: &App) {
    let admin = app.as_admin().await;
    let ok = |answer: Answer| assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let wrong = app.nobody().sign_in("elastic", "wrong").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    ok(admin.post("put_agent_key_role", &[]).await);
    let newcomer = [
        ("form[username]", "newcomer"),
        ("form[password]", PASSWORD),
        ("form[agent_key_role]", "on"),
    ];
    ok(admin.post("create_user", &newcomer).await);
    let ada = app.as_user("newcomer").await;
    let created: CreatedAgentKey = ada.create("checkout").await.value();
    secrets_are_sent(app).await;
    let operation = [("operation", created.operation.as_str())];
    ok(ada.post("acknowledge_agent_key", &operation).await);
    ok(ada
        .post("revoke_agent_key", &[("id", created.id.as_str())])
        .await);
    let user = ("username", "newcomer");
    ok(admin
        .post("assign_agent_key_role", &[user, ("assigned", "false")])
        .await);
    let refused = ada.create("too late").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    ok(admin
        .post(
            "reset_password",
            &[user, ("password", "another good one here")],
        )
        .await);
    // The old password is worth nothing any more, and the session with it.
    assert_eq!(ada.list(|_| {}).await.status, StatusCode::UNAUTHORIZED);
    ok(admin
        .post("set_user_enabled", &[user, ("enabled", "false")])
        .await);
    ok(admin
        .post("set_user_enabled", &[user, ("enabled", "true")])
        .await);
    ok(admin.post("delete_user", &[user]).await);
    let mapping = [
        ("form[name]", "agents"),
        ("form[realm]", "saml1"),
        ("form[values]", "apm-writers"),
    ];
    ok(admin.post("create_role_mapping", &mapping).await);
    let mappings: Vec<RoleMapping> = admin.post("list_role_mappings", &[]).await.value();
    let version = ("version", mappings[0].version.as_str());
    ok(admin
        .post("delete_role_mapping", &[("name", "agents"), version])
        .await);
    let settings = [("form[server_url]", ""), ("form[api_key_limit]", "100")];
    ok(admin.post("save_apm_settings", &settings).await);
    let export = admin.request(Method::GET, "/settings/audit/export.jsonl");
    ok(Answer::of(export).await);
    let again = admin
        .post("reauthenticate", &[("password", PASSWORD)])
        .await;
    let admin = Browser {
        cookie: again.cookie(),
        ..admin
    };
    ok(again);
    ok(admin.post("sign_out", &[]).await);
}

/// Waits for the events that follow an answer: the secret of each new key was sent.
pub(crate) async fn secrets_are_sent(app: &App) {
    eventually("the secrets are sent", async || {
        let events = app.events().await;
        let count = |action: &str| {
            let happened = events
                .iter()
                .filter(|event| event.action == action && event.outcome == "success");
            happened.count()
        };
        count("agent_key_create") == count("agent_key_secret_sent")
    })
    .await;
}
