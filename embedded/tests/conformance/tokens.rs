//! OAuth2 tokens.

use crate::support::{remote::PASSWORD, *};

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
async fn ended_token_is_told_from_an_unknown_one() {
    let engine = with_tokens().await;
    let answer = engine.elastic().post(PATH, by_password()).await;
    let body = json!({"token": answer.at("/access_token")});
    engine.elastic().delete(PATH, body).await.assert_ok();
    let ended = bearer(&engine, &answer)
        .get("/_security/_authenticate")
        .await;
    ended.assert_error(401, "security_exception");
    assert_eq!(ended.at("/error/reason"), "token expired");
    let challenge = r#"Bearer realm="security", error="invalid_token", error_description="The access token expired""#;
    assert_eq!(ended.header("www-authenticate"), [challenge]);
    let unknown = engine.with("Bearer nothing".to_owned());
    let unknown = unknown.get("/_security/_authenticate").await;
    unknown.assert_error(401, "security_exception");
    let reason = "unable to authenticate with provided credentials and anonymous access is not allowed for this request";
    assert_eq!(unknown.at("/error/reason"), reason);
    assert!(unknown.header("www-authenticate").len() > 1);
}

fn refresh(answer: &Response) -> Value {
    json!({"grant_type": "refresh_token", "refresh_token": answer.at("/refresh_token")})
}

fn assert_refused(answer: &Response, description: &str) {
    assert_eq!(
        (
            answer.status,
            answer.at("/error"),
            answer.at("/error_description")
        ),
        (400, json!("invalid_grant"), json!(description))
    );
}

#[tokio::test]
async fn refresh_token_used_again_within_thirty_seconds_gives_the_same_pair() {
    let engine = with_tokens().await;
    let first = engine.elastic().post(PATH, by_password()).await;
    let second = engine.elastic().post(PATH, refresh(&first)).await;
    second.assert_ok();
    for field in ["/access_token", "/refresh_token"] {
        assert_ne!(first.at(field), second.at(field));
    }
    assert_eq!(bearer(&engine, &second).authentication_status().await, 200);
    let seconds = std::time::Duration::from_secs;
    engine.clock().advance(seconds(30));
    let again = engine.elastic().post(PATH, refresh(&first)).await;
    for field in ["/access_token", "/refresh_token"] {
        assert_eq!(again.at(field), second.at(field));
    }
    engine.clock().advance(seconds(1));
    assert_refused(
        &engine.elastic().post(PATH, refresh(&first)).await,
        "token has already been refreshed more than 30 seconds in the past",
    );
    engine
        .elastic()
        .post(PATH, refresh(&second))
        .await
        .assert_ok();
}

#[tokio::test]
async fn refresh_at_the_same_moment_gives_one_pair() {
    let engine = with_tokens().await;
    let first = engine.elastic().post(PATH, by_password()).await;
    let elastic = engine.elastic();
    let (one, two) = tokio::join!(
        elastic.post(PATH, refresh(&first)),
        elastic.post(PATH, refresh(&first))
    );
    one.assert_ok();
    assert_eq!(one.at("/access_token"), two.at("/access_token"));
}

#[tokio::test]
async fn refused_refresh_gives_its_reason() {
    let engine = with_tokens().await;
    let elastic = engine.elastic();
    let unknown = json!({"grant_type": "refresh_token", "refresh_token": "nope"});
    assert_refused(
        &elastic.post(PATH, unknown).await,
        "could not refresh the requested token",
    );
    let ended = elastic.post(PATH, by_password()).await;
    let body = json!({"refresh_token": ended.at("/refresh_token")});
    elastic.delete(PATH, body).await.assert_ok();
    assert_refused(
        &elastic.post(PATH, refresh(&ended)).await,
        "token has been invalidated",
    );
    // The other half of the pair is not invalidated with it.
    assert_eq!(bearer(&engine, &ended).authentication_status().await, 200);
    let expired = elastic.post(PATH, by_password()).await;
    engine
        .clock()
        .advance(std::time::Duration::from_secs(24 * 3_600));
    assert_refused(
        &elastic.post(PATH, refresh(&expired)).await,
        "token document has expired",
    );
}

#[tokio::test]
async fn only_the_creating_client_refreshes_a_token() {
    let engine = with_tokens().await;
    let elastic = engine.elastic();
    let service = engine
        .user_with_privileges("service", &["manage_token"])
        .await;
    let token = service.post(PATH, by_password()).await;
    assert_eq!(token.at("/authentication/username"), "elastic");
    assert_refused(
        &elastic.post(PATH, refresh(&token)).await,
        "tokens must be refreshed by the creating client",
    );
    // A new password of the same user changes nothing.
    let password = json!({"password": "another password"});
    let path = "/_security/user/service/_password";
    elastic.put(path, password).await.assert_ok();
    let service = engine.user("service", "another password");
    service.post(PATH, refresh(&token)).await.assert_ok();
}

async fn create_ada(engine: &TestEngine) {
    let user = json!({"password": PASSWORD, "roles": ["viewer"]});
    let created = engine.elastic().put("/_security/user/ada", user).await;
    created.assert_ok();
}

#[tokio::test]
async fn token_keeps_the_roles_of_the_sign_in() {
    let engine = with_tokens().await;
    let elastic = engine.elastic();
    create_ada(&engine).await;
    let grant = json!({"grant_type": "password", "username": "ada", "password": PASSWORD});
    let first = elastic.post(PATH, grant).await;
    let user = json!({"roles": ["editor"]});
    elastic.put("/_security/user/ada", user).await.assert_ok();
    let me = "/_security/_authenticate";
    let second = elastic.post(PATH, refresh(&first)).await;
    for token in [&first, &second] {
        let roles = bearer(&engine, token).get(me).await;
        assert_eq!(roles.at("/roles"), json!(["viewer"]));
    }
    assert_eq!(
        engine.user("ada", PASSWORD).get(me).await.at("/roles"),
        json!(["editor"])
    );
}

#[tokio::test]
async fn token_of_a_disabled_user_ends() {
    let engine = TestEngine::start_with(|config| config.token_service = true).await;
    let elastic = engine.elastic();
    create_ada(&engine).await;
    let grant = json!({"grant_type": "password", "username": "ada", "password": PASSWORD});
    let token = elastic.post(PATH, grant).await;
    assert_eq!(bearer(&engine, &token).authentication_status().await, 200);
    let path = "/_security/user/ada/_disable";
    elastic.send("PUT", path, None).await.assert_ok();
    assert_eq!(bearer(&engine, &token).authentication_status().await, 401);
    assert_refused(
        &elastic.post(PATH, refresh(&token)).await,
        "token has been invalidated",
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
