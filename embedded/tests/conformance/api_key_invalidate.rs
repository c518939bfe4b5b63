//! Invalidating keys.

use crate::support::*;

const PATH: &str = "/_security/api_key";

async fn refused(body: Value) -> String {
    let engine = TestEngine::start().await;
    engine
        .elastic()
        .delete(PATH, body)
        .await
        .assert_error(400, "action_request_validation_exception")
}

#[tokio::test]
async fn invalidate_requires_a_selection() {
    let reason = refused(json!({})).await;
    assert!(reason.contains("One of [api key id(s), api key name, username, realm name] must be specified if [owner] flag is false"));
}

#[tokio::test]
async fn contradicting_fields_are_refused() {
    let by_owner = "username or realm name must not be specified when the api key id(s) or api key name are specified";
    for (body, rule) in [
        (json!({"ids": ["a"], "username": "b"}), by_owner),
        (json!({"name": "a", "realm_name": "b"}), by_owner),
        (
            json!({"owner": true, "username": "b"}),
            "neither username nor realm-name may be specified when invalidating owned API keys",
        ),
        (
            json!({"ids": ["a"], "name": "b"}),
            "only one of [api key id(s), api key name] can be specified",
        ),
    ] {
        assert_eq!(
            refused(body).await,
            format!("Validation Failed: 1: {rule};")
        );
    }
}

#[tokio::test]
async fn invalidate_refuses_empty_and_blank_ids() {
    assert!(
        refused(json!({"ids": []}))
            .await
            .contains("Field [ids] cannot be an empty array")
    );
    assert!(
        refused(json!({"ids": ["a", " ", ""]}))
            .await
            .contains("must not contain blank id, but got blank ids at index positions: [1, 2];")
    );
    assert!(
        refused(json!({"ids": ["a", ""]}))
            .await
            .contains("must not contain blank id, but got blank id at index position: [1];")
    );
}

#[tokio::test]
async fn invalidate_refuses_the_removed_id_field() {
    let engine = TestEngine::start().await;
    engine
        .elastic()
        .delete(PATH, json!({"id": "a"}))
        .await
        .assert_error(400, "x_content_parse_exception");
}

#[tokio::test]
async fn unknown_and_invalidated_keys_are_ignored() {
    let engine = TestEngine::start().await;
    let nothing = json!({"invalidated_api_keys": [], "previously_invalidated_api_keys": [], "error_count": 0});
    let unknown = engine
        .elastic()
        .delete(PATH, json!({"ids": ["kibana-api-key-service-test"]}))
        .await;
    assert_eq!(unknown.assert_ok(), nothing);
    let key = engine.elastic().create_key(json!({"name": "k"})).await;
    assert_eq!(
        engine.elastic().invalidate(&key).await.assert_ok()["invalidated_api_keys"],
        json!([key.id])
    );
    assert_eq!(engine.elastic().invalidate(&key).await.assert_ok(), nothing);
}

#[tokio::test]
async fn invalidated_key_is_refused_on_its_next_request() {
    let engine = TestEngine::start().await;
    for _ in 0..50 {
        let key = engine.elastic().create_key(json!({"name": "k"})).await;
        assert_eq!(engine.key(&key).authentication_status().await, 200);
        engine.elastic().invalidate(&key).await.assert_ok();
        assert_eq!(engine.key(&key).authentication_status().await, 401);
    }
}

#[tokio::test]
async fn star_invalidates_every_key_in_scope() {
    let engine = TestEngine::start().await;
    let ann = engine
        .user_with_privileges("ann", &["manage_own_api_key"])
        .await;
    let of_elastic = engine.elastic().create_key(json!({"name": "k"})).await;
    for _ in 0..3 {
        ann.create_key(json!({"name": "a"})).await;
    }
    let done = ann
        .delete(PATH, json!({"name": "*", "owner": true}))
        .await
        .assert_ok();
    assert_eq!(done["invalidated_api_keys"].as_array().unwrap().len(), 3);
    assert_eq!(engine.key(&of_elastic).authentication_status().await, 200);
}

#[tokio::test]
async fn keys_of_a_user_or_realm_can_be_invalidated() {
    let engine = TestEngine::start().await;
    let ann = engine
        .user_with_privileges("ann", &["manage_own_api_key"])
        .await;
    ann.create_key(json!({"name": "a"})).await;
    engine.elastic().create_key(json!({"name": "k"})).await;
    let by_user = engine
        .elastic()
        .delete(PATH, json!({"username": "ann"}))
        .await
        .assert_ok();
    assert_eq!(by_user["invalidated_api_keys"].as_array().unwrap().len(), 1);
    let by_realm = engine
        .elastic()
        .delete(PATH, json!({"realm_name": "reserved"}))
        .await
        .assert_ok();
    assert_eq!(
        by_realm["invalidated_api_keys"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn expired_key_can_be_invalidated() {
    let engine = TestEngine::start().await;
    let key = engine
        .elastic()
        .create_key(json!({"name": "k", "expiration": "0"}))
        .await;
    assert_eq!(
        engine.elastic().invalidate(&key).await.assert_ok()["invalidated_api_keys"],
        json!([key.id])
    );
}
