//! OAuth2 tokens.

use crate::support::*;

const PATH: &str = "/_security/oauth2/token";

async fn with_tokens() -> TestEngine {
    TestEngine::start_with_tokens(true).await
}

fn by_password() -> Value {
    json!({"grant_type": "password", "username": "elastic", "password": ELASTIC_PASSWORD, "scope": "FULL"})
}

fn bearer(engine: &TestEngine, answer: &Response) -> Client {
    engine.with(format!(
        "Bearer {}",
        answer.at("/access_token").as_str().unwrap()
    ))
}

#[tokio::test]
async fn tokens_are_off_by_default() {
    let engine = TestEngine::start_with_tokens(false).await;
    let response = engine.elastic().post(PATH, by_password()).await;
    response.assert_error(400, "feature_not_enabled_exception");
    assert_eq!(response.at("/error/disabled.feature"), "security_tokens");
}

#[tokio::test]
async fn bearer_scheme_is_listed_only_with_token_service() {
    let engine = with_tokens().await.since(8, 15);
    let schemes = engine.anonymous().get("/").await;
    assert_eq!(
        schemes.header("www-authenticate"),
        [
            r#"Basic realm="security", charset="UTF-8""#,
            r#"Bearer realm="security""#,
            "ApiKey"
        ]
    );
}

#[tokio::test]
async fn password_grant_issues_a_token_for_twenty_minutes() {
    let engine = with_tokens().await;
    let answer = engine.elastic().post(PATH, by_password()).await;
    let body = answer.assert_ok();
    assert_eq!(
        (&body["type"], &body["expires_in"], &body["scope"]),
        (&json!("Bearer"), &json!(1200), &json!("FULL"))
    );
    assert_eq!(body["authentication"]["username"], "elastic");
    let me = bearer(&engine, &answer)
        .get("/_security/_authenticate")
        .await
        .assert_ok();
    assert_eq!(me["authentication_type"], "token");
    engine
        .clock()
        .advance(std::time::Duration::from_secs(1_200));
    assert_eq!(bearer(&engine, &answer).authentication_status().await, 401);
}

#[tokio::test]
async fn refresh_token_is_valid_once() {
    let engine = with_tokens().await;
    let first = engine.elastic().post(PATH, by_password()).await;
    let refresh =
        json!({"grant_type": "refresh_token", "refresh_token": first.at("/refresh_token")});
    let second = engine.elastic().post(PATH, refresh.clone()).await;
    assert_eq!(bearer(&engine, &second).authentication_status().await, 200);
    let again = engine.elastic().post(PATH, refresh).await;
    assert_eq!(
        (again.status, again.at("/error")),
        (400, json!("invalid_grant"))
    );
}

#[tokio::test]
async fn client_credentials_have_no_refresh_token() {
    let engine = with_tokens().await;
    let answer = engine
        .elastic()
        .post(PATH, json!({"grant_type": "client_credentials"}))
        .await
        .assert_ok();
    assert!(answer.get("refresh_token").is_none());
}

#[tokio::test]
async fn token_errors_have_oauth_format() {
    let engine = with_tokens().await;
    for (body, error) in [
        (json!({"grant_type": "magic"}), "unsupported_grant_type"),
        (json!({"grant_type": "password"}), "invalid_request"),
        (
            json!({"grant_type": "refresh_token", "refresh_token": "nope"}),
            "invalid_grant",
        ),
    ] {
        let response = engine.elastic().post(PATH, body).await;
        assert_eq!(
            (response.status, response.at("/error")),
            (400, json!(error))
        );
        assert!(response.at("/error_description").is_string());
    }
    let wrong = json!({"grant_type": "password", "username": "elastic", "password": "wrong"});
    engine
        .elastic()
        .post(PATH, wrong)
        .await
        .assert_error(401, "security_exception");
}

#[tokio::test]
async fn unknown_token_is_404() {
    let engine = with_tokens().await;
    for body in [
        json!({"token": "nope"}),
        json!({"refresh_token": "nope"}),
        json!({"username": "elsewhere"}),
    ] {
        let response = engine.elastic().delete(PATH, body).await;
        let none =
            json!({"invalidated_tokens": 0, "previously_invalidated_tokens": 0, "error_count": 0});
        assert_eq!((response.status, response.json()), (404, none));
    }
}

#[tokio::test]
async fn expired_tokens_are_not_invalidated_by_user() {
    let engine = with_tokens().await;
    engine.elastic().post(PATH, by_password()).await.assert_ok();
    engine
        .clock()
        .advance(std::time::Duration::from_secs(25 * 3_600));
    let response = engine
        .elastic()
        .delete(PATH, json!({"username": "elastic"}))
        .await;
    assert_eq!(response.status, 404);
}

#[tokio::test]
async fn tokens_are_invalidated_singly_or_by_user() {
    let engine = with_tokens().await;
    let one = engine.elastic().post(PATH, by_password()).await;
    let two = engine.elastic().post(PATH, by_password()).await;
    let body = json!({"token": one.at("/access_token")});
    let counts = |invalidated: i64, previously: i64| json!({"invalidated_tokens": invalidated, "previously_invalidated_tokens": previously, "error_count": 0});
    assert_eq!(
        engine
            .elastic()
            .delete(PATH, body.clone())
            .await
            .assert_ok(),
        counts(1, 0)
    );
    assert_eq!(
        engine.elastic().delete(PATH, body).await.assert_ok(),
        counts(0, 1)
    );
    assert_eq!(bearer(&engine, &one).authentication_status().await, 401);
    assert_eq!(bearer(&engine, &two).authentication_status().await, 200);
    // The access token of `one` is invalidated already, but could be refreshed.
    let by_user = json!({"username": "elastic", "realm_name": "reserved"});
    assert_eq!(
        engine
            .elastic()
            .delete(PATH, by_user.clone())
            .await
            .assert_ok(),
        counts(3, 1)
    );
    let none = engine.elastic().delete(PATH, by_user).await;
    assert_eq!((none.status, none.json()), (404, counts(0, 0)));
    assert_eq!(bearer(&engine, &two).authentication_status().await, 401);
    engine
        .elastic()
        .delete(PATH, json!({}))
        .await
        .assert_error(400, "action_request_validation_exception");
}
