//! Granting keys.

use crate::support::*;

const PATH: &str = "/_security/api_key/grant";

fn grant(password: &str) -> Value {
    json!({"grant_type": "password", "username": "ann", "password": password, "api_key": {"name": "granted", "expiration": "1d"}})
}

#[tokio::test]
async fn granted_key_belongs_to_the_end_user() {
    let engine = TestEngine::start().await;
    engine.user_with_privileges("ann", &["monitor"]).await;
    let granter = engine
        .user_with_privileges("granter", &["grant_api_key"])
        .await;
    let created = granter
        .post(PATH, grant("password of theirs"))
        .await
        .assert_ok();
    let key = Key {
        id: created["id"].as_str().unwrap().into(),
        encoded: created["encoded"].as_str().unwrap().into(),
    };
    let me = engine
        .key(&key)
        .get("/_security/_authenticate")
        .await
        .assert_ok();
    assert_eq!(me["username"], "ann");
    engine.key(&key).get("/").await.assert_ok();
}

#[tokio::test]
async fn grant_with_wrong_credentials_is_403() {
    let engine = TestEngine::start().await;
    let response = engine.elastic().post(PATH, grant("wrong one")).await;
    assert_eq!(
        response.assert_error(403, "security_exception"),
        "Failed to authenticate api key grant"
    );
    assert_eq!(response.at("/error/caused_by/type"), "security_exception");
}

#[tokio::test]
async fn grant_may_run_as_another_user() {
    let engine = TestEngine::start().await;
    engine.user_with_privileges("ben", &["monitor"]).await;
    engine
        .user_with_role("ann", json!({"run_as": ["ben"]}))
        .await;
    let mut body = grant("password of theirs");
    body["run_as"] = json!("ben");
    let created = engine.elastic().post(PATH, body.clone()).await.assert_ok();
    let shown = engine
        .elastic()
        .get(&format!(
            "/_security/api_key?id={}",
            created["id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(shown.at("/api_keys/0/username"), "ben");
    body["run_as"] = json!("elastic");
    let refused = engine.elastic().post(PATH, body.clone()).await;
    assert_eq!(
        refused.assert_error(403, "security_exception"),
        "action [cluster:admin/xpack/security/user/authenticate] is unauthorized for user [ann] with effective roles [ann], because user [ann] is unauthorized to run as [elastic]"
    );
    // Running as a disabled user fails the authentication.
    engine
        .elastic()
        .send("PUT", "/_security/user/ben/_disable", None)
        .await
        .assert_ok();
    body["run_as"] = json!("ben");
    let refused = engine.elastic().post(PATH, body).await;
    assert_eq!(
        refused.assert_error(403, "security_exception"),
        "Failed to authenticate api key grant"
    );
    assert_eq!(
        refused.at("/error/caused_by/reason"),
        "unable to authenticate user [ann] for action [cluster:admin/xpack/security/api_key/grant]"
    );
}

#[tokio::test]
async fn access_token_is_accepted_for_a_grant() {
    let engine = TestEngine::start_with_tokens(true).await;
    engine.user_with_privileges("ann", &["monitor"]).await;
    let token = engine
        .elastic()
        .post(
            "/_security/oauth2/token",
            json!({"grant_type": "password", "username": "ann", "password": "password of theirs"}),
        )
        .await;
    let body = json!({"grant_type": "access_token", "access_token": token.at("/access_token"), "api_key": {"name": "k"}});
    engine.elastic().post(PATH, body.clone()).await.assert_ok();
    let mut with_client = body;
    with_client["client_authentication"] = json!({"scheme": "SharedSecret", "value": "x"});
    let reason = engine
        .elastic()
        .post(PATH, with_client)
        .await
        .assert_error(400, "security_exception");
    assert_eq!(
        reason,
        "[client_authentication] not supported with the supplied access_token type"
    );
}

#[tokio::test]
async fn grant_without_a_key_requires_a_name() {
    let engine = TestEngine::start().await;
    let body = json!({"grant_type": "password", "username": "ann", "password": "x"});
    let reason = engine
        .elastic()
        .post(PATH, body)
        .await
        .assert_error(400, "action_request_validation_exception");
    assert!(reason.contains("api key name is required"));
}

#[tokio::test]
async fn grant_fields_must_match_grant_type() {
    let engine = TestEngine::start().await;
    let key = json!({"name": "k"});
    for body in [
        json!({"grant_type": "password", "username": "a", "api_key": key}),
        json!({"grant_type": "password", "username": "a", "password": "b", "access_token": "c", "api_key": key}),
        json!({"grant_type": "access_token", "api_key": key}),
        json!({"grant_type": "magic", "api_key": key}),
    ] {
        engine
            .elastic()
            .post(PATH, body)
            .await
            .assert_error(400, "action_request_validation_exception");
    }
}
