//! Refused requests in the audit log.

use crate::support::{Answer, App, Browser, PASSWORD};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Actor, reason, address and count of each recorded refusal.
async fn refusals(app: &App) -> Vec<(Option<String>, Value, Value)> {
    let mut events = app.events().await;
    events.retain(|event| event.action == "request_refused");
    events
        .into_iter()
        .map(|event| {
            assert_eq!(event.outcome, "failure");
            let record: Value = serde_json::from_str(&event.record).unwrap();
            assert_eq!(record["source"]["ip"], "127.0.0.1");
            let details: Value = serde_json::from_str(&event.details).unwrap();
            (
                event.actor.clone(),
                details["reason"].clone(),
                details["refusals"].clone(),
            )
        })
        .collect()
}

async fn cross_origin(browser: &Browser, origin: Option<&str>) -> Answer {
    let mut request = browser.request(Method::POST, "/api/sign_out");
    if let Some(origin) = origin {
        request = request
            .header("origin", origin)
            .header("sec-fetch-site", "cross-site");
    }
    Answer::of(request).await
}

#[tokio::test]
async fn missing_permission_is_recorded_with_the_user_and_aggregated() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    // What a user may do, and reading, records nothing.
    let before = app.events().await.len();
    for page in [
        "/settings/agent-keys",
        "/settings/agent-keys/new",
        "/settings/sessions",
    ] {
        assert_eq!(ada.get(page).await.status, StatusCode::OK, "{page}");
    }
    assert_eq!(app.events().await.len(), before);
    // A page, a form, and a download.
    assert_eq!(
        ada.get("/settings/audit").await.status,
        StatusCode::FORBIDDEN
    );
    let form = [("form[username]", "mallory"), ("form[password]", PASSWORD)];
    assert_eq!(
        ada.post("create_user", &form).await.status,
        StatusCode::FORBIDDEN
    );
    ada.get("/settings/audit/export.csv").await;
    let recorded = refusals(&app).await;
    assert!(recorded.len() >= 2, "{recorded:?}");
    for (actor, reason, _) in &recorded {
        assert_eq!(
            (actor.as_deref(), reason),
            (Some("ada"), &json!("forbidden"))
        );
    }
    for _ in 0..60 {
        ada.post("create_user", &form).await;
    }
    let counts: Vec<Value> = refusals(&app)
        .await
        .into_iter()
        .map(|(.., count)| count)
        .collect();
    assert_eq!(counts, [1, 2, 4, 8, 16, 32, 64].map(Value::from));
    // An administrator who reads changes nothing.
    let admin = app.as_admin().await;
    let before = app.events().await.len();
    for page in [
        "/settings/agent-keys",
        "/settings/users",
        "/settings/audit",
        "/settings/sessions",
    ] {
        assert_eq!(admin.get(page).await.status, StatusCode::OK, "{page}");
    }
    assert_eq!(app.events().await.len(), before);
}

#[tokio::test]
async fn form_of_another_site_is_recorded_with_the_address_and_aggregated() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    for _ in 0..20 {
        let refused = cross_origin(&ada, Some("https://evil.example")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
    let refused = cross_origin(&ada, None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let counts = [1, 2, 4, 8, 16].map(|count| (None, json!("cross_origin"), json!(count)));
    let expected = [counts.as_slice(), &[(None, json!("no_origin"), json!(1))]].concat();
    assert_eq!(refusals(&app).await, expected);
}
