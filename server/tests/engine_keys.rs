//! What an agent key may do, and until when.

use crate::support::{Answer, App, Browser, NOW, client};
use app::model::{
    new_agent_key::CreatedAgentKey,
    new_agent_key::ExpirationError,
    problem::ProblemKind,
    timestamp::{DAY_MS, Timestamp},
};
use http::{Method, StatusCode};
use leptos::server_fn::axum::server_fn_paths;
use serde_json::json;
use std::time::Duration;

/// Asks the engine with the key alone.
async fn ask(
    app: &App,
    key: &CreatedAgentKey,
    method: &str,
    path: &str,
    body: Option<serde_json::Value>,
) -> StatusCode {
    let method = method.parse().unwrap();
    let header = format!("ApiKey {}", key.encoded.expose());
    let mut request = client()
        .request(method, format!("{}{path}", app.engine.url()))
        .header("authorization", header);
    if let Some(body) = body {
        request = request.json(&body);
    }
    request.send().await.unwrap().status()
}

async fn works(app: &App, key: &CreatedAgentKey) -> bool {
    let path = "/_security/_authenticate";
    ask(app, key, "GET", path, None).await == StatusCode::OK
}

#[tokio::test]
async fn key_creates_no_keys_users_or_roles() {
    let app = App::start().await;
    app.engine.put_user("dana", &[]).await;
    let of_others = app.engine.kibana_key("elastic", "another").await;
    // Of somebody who may do everything.
    let admin = app.as_admin().await;
    let key: CreatedAgentKey = admin.create("of a superuser").await.value();
    let password = json!({ "password": "a good one for dana" });
    let user = json!({ "password": "a good one for eve", "roles": ["superuser"] });
    let mapping = json!({ "roles": ["superuser"], "enabled": true, "rules": { "field": { "username": "*" } } });
    let all = json!({ "x": { "cluster": ["all"] } });
    let made = json!({ "name": "derived", "role_descriptors": all });
    let calls = [
        ("POST", "/_security/api_key", Some(made.clone())),
        ("PUT", "/_security/api_key", Some(json!({ "name": "same" }))),
        (
            "POST",
            "/_security/api_key/grant",
            Some(json!({
                "grant_type": "password", "username": "dana", "password": crate::support::PASSWORD,
                "api_key": made,
            })),
        ),
        ("GET", "/_security/api_key", None),
        (
            "PUT",
            &format!("/_security/api_key/{of_others}"),
            Some(json!({ "role_descriptors": all })),
        ),
        (
            "POST",
            "/_security/api_key/_bulk_update",
            Some(json!({ "ids": [of_others], "role_descriptors": all })),
        ),
        (
            "DELETE",
            "/_security/api_key",
            Some(json!({ "ids": [of_others] })),
        ),
        ("GET", "/_security/user", None),
        ("PUT", "/_security/user/eve", Some(user)),
        (
            "PUT",
            "/_security/user/dana/_password",
            Some(password.clone()),
        ),
        ("PUT", "/_security/user/_password", Some(password)),
        ("PUT", "/_security/user/dana/_disable", None),
        ("DELETE", "/_security/user/dana", None),
        ("GET", "/_security/role", None),
        (
            "PUT",
            "/_security/role/mine",
            Some(json!({ "cluster": ["all"] })),
        ),
        ("DELETE", "/_security/role/mine", None),
        ("PUT", "/_security/role_mapping/mine", Some(mapping)),
        ("DELETE", "/_security/role_mapping/mine", None),
        (
            "PUT",
            "/_security/privilege",
            Some(json!({ "apmx": { "read": { "actions": ["a:b"] } } })),
        ),
        ("DELETE", "/_security/privilege/apmx/read", None),
    ];
    for (method, path, body) in calls {
        let status = ask(&app, &key, method, path, body.clone()).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    // The controls: it is a key that works, and what it asked for can be had by whoever made it.
    assert!(works(&app, &key).await);
    let role = Some(json!({ "cluster": ["all"] }));
    app.engine
        .ask(Method::PUT, "/_security/role/mine", role)
        .await;
    assert_eq!(app.engine.user("eve").await, serde_json::Value::Null);
    assert_eq!(app.engine.keys().await.len(), 2);
}

#[tokio::test]
async fn key_opens_no_page() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let key: CreatedAgentKey = admin.create("of a superuser").await.value();
    let nobody = app.nobody();
    let paths: Vec<_> = server_fn_paths().map(|(path, _)| path).collect();
    let with_key = async |browser: &Browser, path: &str| {
        let header = format!("ApiKey {}", key.encoded.expose());
        let request = browser
            .request(Method::POST, path)
            .header("origin", &browser.url)
            .header("accept", "application/x-postcard")
            .header("authorization", header)
            .header("content-type", "application/x-www-form-urlencoded");
        Answer::of(request).await
    };
    let without = async |browser: &Browser, path: &str| {
        let request = browser
            .request(Method::POST, path)
            .header("origin", &browser.url)
            .header("accept", "application/x-postcard")
            .header("content-type", "application/x-www-form-urlencoded");
        Answer::of(request).await
    };
    for path in &paths {
        let (one, other) = (with_key(&nobody, path).await, without(&nobody, path).await);
        assert_eq!(one.status, other.status, "{path}");
    }
    // The controls: with a session the key does no harm either, and a page is not shown to it.
    let viewer = with_key(&admin, "/api/read_viewer").await;
    assert_eq!(viewer.status, StatusCode::OK);
    let viewer = with_key(&nobody, "/api/read_viewer").await;
    assert_eq!(viewer.problem(), ProblemKind::SignedOut);
}

#[tokio::test]
async fn key_expires_exactly_at_its_expiration() {
    // A number of days counts from the creation; a date means the last second of its day, here in UTC.
    let choices = [
        ("30", "", NOW.0 + 30 * DAY_MS),
        ("365", "", NOW.0 + 365 * DAY_MS),
        // The day before a leap day, the day itself, and the one after.
        ("custom", "2028-02-28", 1_835_395_199_000),
        ("custom", "2028-02-29", 1_835_481_599_000),
        ("custom", "2028-03-01", 1_835_567_999_000),
        ("custom", "2036-12-10", 2_112_566_399_000),
    ];
    for (choice, date, end) in choices {
        let app = App::start().await;
        let ada = app.with_key_user("ada").await;
        let fields = [
            ("form[operation]", "op-1"),
            ("form[name]", "ends"),
            ("form[event_write]", "on"),
            ("form[expires]", choice),
            ("form[expires_on]", date),
        ];
        let key: CreatedAgentKey = ada.post("create_agent_key", &fields).await.value();
        let until = key.expiration.unwrap();
        assert_eq!(until, Timestamp(end), "{choice} {date}");
        let go_to = |at: i64| {
            let by = u64::try_from(at - app.clock.now_ms()).unwrap();
            app.clock.advance(Duration::from_millis(by));
        };
        let mut seen = Vec::new();
        for off in [-1_000, -1, 0, 1, 1_000] {
            go_to(until.0 + off);
            seen.push(works(&app, &key).await);
        }
        assert_eq!(seen, [true, true, false, false, false], "{choice} {date}");
    }
}

#[tokio::test]
async fn invalid_expiration_is_refused_at_its_field() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let ends = [
        ("custom", "2027-02-29", ExpirationError::NotADate),
        ("custom", "2100-02-29", ExpirationError::NotADate),
        ("custom", "2027-13-01", ExpirationError::NotADate),
        ("custom", "2027-00-10", ExpirationError::NotADate),
        (
            "custom",
            "99999999999999999999-01-01",
            ExpirationError::NotADate,
        ),
        ("custom", "2026-12-14", ExpirationError::NotInTheFuture),
        ("custom", "-9999-01-01", ExpirationError::NotADate),
        ("custom", "0000-01-01", ExpirationError::NotInTheFuture),
        ("custom", "2036-12-11", ExpirationError::TooFar),
        ("custom", "9999-12-31", ExpirationError::TooFar),
        ("-1", "", ExpirationError::UnknownChoice),
        ("1e999", "", ExpirationError::UnknownChoice),
        ("9223372036854775808", "", ExpirationError::UnknownChoice),
    ];
    for (choice, date, expected) in ends {
        let fields = [
            ("form[operation]", "op-1"),
            ("form[name]", "ends"),
            ("form[event_write]", "on"),
            ("form[expires]", choice),
            ("form[expires_on]", date),
        ];
        let answer = ada.post("create_agent_key", &fields).await;
        let ProblemKind::NewAgentKey(errors) = answer.problem() else {
            panic!("{}", answer.text());
        };
        assert_eq!(errors.expiration, Some(expected), "{choice} {date}");
    }
    assert!(app.engine.keys().await.is_empty());
}
