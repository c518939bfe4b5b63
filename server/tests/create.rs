//! Making agent keys.

use crate::support::{
    App, Browser, PASSWORD, eventually, key_form,
    proxy::{Fault, Gate},
};
use app::model::{
    agent_key::MissingPrivilege,
    new_agent_key::{CreatedAgentKey, ExpirationError, KeyNameError, NewAgentKeyErrors},
    problem::ProblemKind,
    timestamp::{DAY_MS, Timestamp},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn created_key_equals_one_of_kibana() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let answer = ada.create_as("op-1", "checkout é 🚀").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let created: CreatedAgentKey = answer.value();
    assert_eq!(created.name.as_str(), "checkout é 🚀");
    let pair = format!("{}:{}", created.id, created.api_key.expose());
    assert_eq!(created.encoded.expose(), BASE64_STANDARD.encode(pair));
    let keys = app.engine.keys().await;
    assert_eq!(keys.len(), 1);
    let key = &keys[0];
    assert_eq!(key["id"], created.id.as_str());
    assert_eq!(key["username"], "ada");
    let until = Timestamp(key["expiration"].as_i64().unwrap());
    assert_eq!(Some(until), created.expiration);
    assert_eq!(until.0 - key["creation"].as_i64().unwrap(), 90 * DAY_MS);
    assert_eq!(
        key["metadata"],
        json!({
            "application": "apm",
            "agent_keys": { "v": 1, "operation": "op-1", "service": "checkout" },
        })
    );
    let applications = &key["role_descriptors"]["apm"]["applications"];
    assert_eq!(
        *applications,
        json!([{ "application": "apm", "privileges": ["config_agent:read", "event:write"], "resources": ["*"] }])
    );
}

#[tokio::test]
async fn created_key_passes_the_check_of_apm_server() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let form = [
        ("form[operation]", "op-1"),
        ("form[name]", "one privilege"),
        ("form[event_write]", "on"),
        ("form[expires]", "never"),
    ];
    let created: CreatedAgentKey = ada.post("create_agent_key", &form).await.value();
    assert_eq!(created.expiration, None);
    // The very request that APM Server sends.
    let asked = json!({ "application": [{
        "application": "apm",
        "privileges": ["config_agent:read", "event:write", "sourcemap:write"],
        "resources": ["-"],
    }] });
    let answer: serde_json::Value = crate::support::client()
        .get(format!(
            "{}/_security/user/_has_privileges",
            app.engine.url()
        ))
        .header(
            "authorization",
            format!("ApiKey {}", created.encoded.expose()),
        )
        .json(&asked)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        answer["application"]["apm"]["-"],
        json!({ "config_agent:read": false, "event:write": true, "sourcemap:write": false })
    );
}

async fn errors_of(browser: &Browser, change: &[(&str, &str)]) -> NewAgentKeyErrors {
    let mut fields = key_form("op-1", "checkout").to_vec();
    for (name, value) in change {
        fields.retain(|(known, _)| known != name);
        if *value != "(absent)" {
            fields.push((name, value));
        }
    }
    match browser.post("create_agent_key", &fields).await.problem() {
        ProblemKind::NewAgentKey(errors) => errors,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn invalid_input_is_refused_at_its_field() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let long = "a".repeat(257);
    let emoji = "🚀".repeat(129);
    let names = [
        ("", vec![KeyNameError::Empty]),
        (" ", vec![KeyNameError::Empty]),
        ("_x", vec![KeyNameError::LeadingUnderscore]),
        ("check\u{202E}tuo", vec![KeyNameError::Invisible]),
        ("a\nb", vec![KeyNameError::ControlCharacter]),
        (long.as_str(), vec![KeyNameError::TooLong { units: 257 }]),
        (emoji.as_str(), vec![KeyNameError::TooLong { units: 258 }]),
    ];
    for (name, expected) in names {
        assert_eq!(
            errors_of(&ada, &[("form[name]", name)]).await.name,
            expected,
            "{name:?}"
        );
    }
    let none = [
        ("form[event_write]", "(absent)"),
        ("form[config_agent_read]", "(absent)"),
    ];
    assert!(errors_of(&ada, &none).await.no_privilege);
    let ends = [
        ("custom", "", ExpirationError::NotADate),
        ("custom", "2026-12-14", ExpirationError::NotInTheFuture),
        ("custom", "9999-12-31", ExpirationError::TooFar),
        ("1e9", "", ExpirationError::UnknownChoice),
        ("-1", "", ExpirationError::UnknownChoice),
    ];
    for (choice, date, expected) in ends {
        let change = [("form[expires]", choice), ("form[expires_on]", date)];
        assert_eq!(
            errors_of(&ada, &change).await.expiration,
            Some(expected),
            "{choice} {date}"
        );
    }
    assert!(errors_of(&ada, &[("form[team]", "a\u{7}")]).await.team);
    for operation in ["", "a b", "../x", &"a".repeat(65)] {
        assert!(
            errors_of(&ada, &[("form[operation]", operation)])
                .await
                .operation
        );
    }
    assert!(app.engine.keys().await.is_empty());
}

#[tokio::test]
async fn malformed_form_bodies_are_refused() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let huge = format!("form[name]={}", "a".repeat(70_000));
    let bodies = [
        ("application/x-www-form-urlencoded", String::new(), 422),
        (
            "application/x-www-form-urlencoded",
            "form=x".to_owned(),
            422,
        ),
        (
            "application/x-www-form-urlencoded",
            "%ff%fe=%00".to_owned(),
            422,
        ),
        (
            "application/x-www-form-urlencoded",
            "form[name][deep][er]=x".to_owned(),
            422,
        ),
        ("application/x-www-form-urlencoded", huge, 413),
    ];
    for (kind, body, expected) in bodies {
        let request = ada
            .request(http::Method::POST, "/api/create_agent_key")
            .header("origin", &ada.url)
            .header("content-type", kind)
            .body(body.clone());
        let answer = crate::support::Answer::of(request).await;
        assert_eq!(
            answer.status.as_u16(),
            expected,
            "{body:.40} {}",
            answer.text()
        );
    }
    assert!(app.engine.keys().await.is_empty());
}

#[tokio::test]
async fn missing_privileges_are_named_before_the_key_is_created() {
    let app = App::start().await;
    let role = json!({
        "cluster": ["manage_own_api_key"],
        "applications": [
            { "application": "apm", "privileges": ["event:write"], "resources": ["*"] },
            { "application": "kibana-.kibana", "privileges": ["feature_apm.all"], "resources": ["*"] },
        ],
    });
    app.engine.put_role("half", role).await;
    let half = app.with_user("half", &["half"]).await;
    let missing = MissingPrivilege::Application {
        application: "apm".to_owned(),
        privilege: "config_agent:read".to_owned(),
        resource: "*".to_owned(),
    };
    assert_eq!(
        half.create_as("op-1", "both").await.problem(),
        ProblemKind::Forbidden(vec![missing])
    );
    assert!(app.engine.keys().await.is_empty());
    // It certainly did nothing, so the same form may be sent again with one privilege less.
    let form = [
        ("form[operation]", "op-1"),
        ("form[name]", "one"),
        ("form[event_write]", "on"),
        ("form[expires]", "30"),
    ];
    assert_eq!(
        half.post("create_agent_key", &form).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn repeated_operation_creates_no_second_key() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    for pair in 0..50 {
        let operation = format!("pair-{pair}");
        let (one, two) = tokio::join!(
            ada.create_as(&operation, "double click"),
            ada.create_as(&operation, "double click")
        );
        let (made, refused) = if one.status == StatusCode::OK {
            (one, two)
        } else {
            (two, one)
        };
        assert_eq!(made.status, StatusCode::OK, "{}", made.text());
        let problem = refused.problem();
        let expected = [ProblemKind::InProgress, ProblemKind::AlreadyDone];
        assert!(expected.contains(&problem), "{problem:?}");
    }
    assert_eq!(app.engine.keys().await.len(), 50);
    // Afterwards as well; and another person's operation is another operation.
    assert_eq!(
        ada.create_as("pair-0", "double click").await.problem(),
        ProblemKind::AlreadyDone
    );
    let ben = app.with_user("ben", &["apm_agent_key_role"]).await;
    assert_eq!(
        ben.create_as("pair-0", "of ben").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn repeated_operation_in_flight_is_reported_as_in_progress() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let gate = Gate::default();
    proxy.fail("POST /_security/api_key", Fault::Late(gate.clone()));
    let first = tokio::spawn({
        let ada = ada.clone();
        async move { ada.create_as("op-1", "once").await.status }
    });
    eventually(
        "the key is created, and its response is held back",
        async || app.engine.keys().await.len() == 1,
    )
    .await;
    let second = ada.create_as("op-1", "once").await;
    assert_eq!(second.problem(), ProblemKind::InProgress);
    gate.open();
    assert_eq!(first.await.unwrap(), StatusCode::OK);
    let third = ada.create_as("op-1", "once").await;
    assert_eq!(third.problem(), ProblemKind::AlreadyDone, "the control");
}

#[tokio::test]
async fn disconnected_browser_cancels_nothing() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    for number in 0..10 {
        let operation = format!("gone-{number}");
        let create = ada.create_as(&operation, "left alone");
        let _ = tokio::time::timeout(std::time::Duration::from_millis(number * 2), create).await;
    }
    let store = app.application.state().store.clone();
    let (engine, application) = (app.engine.clone(), app.application);
    application.state().drain().await;
    let events = store.audit_events(0, 1_000).await.unwrap();
    let count = |outcome: &str| {
        let of_keys = events
            .iter()
            .filter(|event| event.action == "agent_key_create");
        of_keys.filter(|event| event.outcome == outcome).count()
    };
    assert_eq!(
        count("unknown"),
        count("success"),
        "every intent has its outcome"
    );
    assert_eq!(engine.keys().await.len(), count("success"));
}

#[tokio::test]
async fn secret_is_in_one_response_and_nowhere_else() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let created: CreatedAgentKey = ada.create("secret").await.value();
    let id = created.id.as_str().to_owned();
    let answers = [
        ada.list(|_| {}).await,
        ada.post("find_agent_key", &[("id", &id)]).await,
        ada.get("/settings/agent-keys").await,
        ada.get(&format!("/settings/agent-keys/{id}")).await,
    ];
    let on_disk = app.bytes_on_disk();
    for secret in [created.api_key.expose(), created.encoded.expose(), PASSWORD] {
        for answer in &answers {
            assert!(!answer.text().contains(secret));
        }
        let bytes = secret.as_bytes();
        assert!(!on_disk.windows(bytes.len()).any(|window| window == bytes));
    }
}

#[tokio::test]
async fn each_form_has_its_own_operation() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    ada.create("first").await;
    let prepare = async || -> app::backend::AgentKeyPreparation {
        ada.post("prepare_agent_key", &[]).await.value()
    };
    let (one, two) = (prepare().await, prepare().await);
    assert_ne!(one.operation, two.operation);
    assert_eq!(
        (
            one.active_keys.counted,
            one.limit,
            one.authorization_enabled
        ),
        (1, 100, false)
    );
    assert_eq!(
        ada.create_as(&one.operation, "second").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn response_with_a_secret_is_not_cached() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let page = "/settings/agent-keys/new";
    let rounds = 10;
    for round in 0..rounds {
        let operation = format!("op-{round}");
        let form = ada.form(&key_form(&operation, "kept nowhere"));
        let request = |accept: &str| {
            ada.request(http::Method::POST, "/api/create_agent_key")
                .header("origin", &ada.url)
                .header("referer", format!("{}{page}", ada.url))
                .header("accept", accept)
                .header("accept-encoding", "gzip, br")
                .header("if-none-match", "*")
                .header("range", "bytes=0-10")
                .form(&form)
        };
        // By the script, and by a browser without one.
        let accept = ["application/x-postcard", "text/html"][round % 2];
        let answer = crate::support::Answer::of(request(accept)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        // Nothing to ask for it again by, and no compression, whose length would tell of what is in it.
        for absent in ["etag", "last-modified", "location", "content-encoding"] {
            assert_eq!(answer.header(absent), None, "{accept}");
        }
        // The control: this is the answer with the secret.
        let keys = app.engine.keys().await;
        let ids = keys.iter().map(|key| key["id"].as_str().unwrap());
        let encoded = |id: &str| BASE64_STANDARD.encode(format!("{id}:"))[..28].to_owned();
        let shown = ids.filter(|id| answer.text().contains(&encoded(id)));
        assert_eq!(shown.count(), 1, "{accept}");
    }
}
