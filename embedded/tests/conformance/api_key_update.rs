//! Updating keys.

use crate::support::*;

async fn update(client: &Client, id: &str, body: Value) -> Response {
    client.put(&format!("/_security/api_key/{id}"), body).await
}

#[tokio::test]
async fn update_changes_only_the_given_fields() {
    let engine = TestEngine::start().await.since(8, 4);
    let elastic = engine.elastic();
    let key = elastic.create_key(json!({"name": "k", "metadata": {"a": 1, "application": "x"}, "role_descriptors": {"x": {"cluster": ["monitor"]}}})).await;
    assert_eq!(
        update(&elastic, &key.id, json!({"metadata": {"b": 2}}))
            .await
            .assert_ok(),
        json!({"updated": true})
    );
    let shown = elastic
        .get(&format!("/_security/api_key?id={}", key.id))
        .await
        .at("/api_keys/0");
    assert_eq!(shown["metadata"], json!({"b": 2}));
    assert_eq!(
        shown["role_descriptors"]["x"]["cluster"],
        json!(["monitor"])
    );
    assert_eq!(
        elastic
            .names(json!({"query": {"exists": {"field": "metadata.application"}}}))
            .await,
        [""; 0]
    );
    assert_eq!(
        elastic
            .names(json!({"query": {"term": {"metadata.b": 2}}}))
            .await,
        ["k"]
    );
}

#[tokio::test]
async fn identical_update_is_a_noop() {
    let engine = TestEngine::start().await.since(8, 4);
    let elastic = engine.elastic();
    let descriptors = json!({"x": {"cluster": ["monitor"]}});
    let key = elastic
        .create_key(json!({"name": "k", "metadata": {"a": 1}, "role_descriptors": descriptors}))
        .await;
    for body in [
        json!({}),
        json!({"metadata": {"a": 1}}),
        json!({"role_descriptors": descriptors}),
    ] {
        assert_eq!(
            update(&elastic, &key.id, body).await.assert_ok(),
            json!({"updated": false})
        );
    }
    let without_body = elastic
        .send("PUT", &format!("/_security/api_key/{}", key.id), None)
        .await;
    assert_eq!(without_body.assert_ok(), json!({"updated": false}));
}

#[tokio::test]
async fn updated_expiration_must_be_in_the_future() {
    let engine = TestEngine::start().await.since(8, 13);
    let elastic = engine.elastic();
    let key = elastic.create_key(json!({"name": "k"})).await;
    for expiration in ["0", "-1", "0d", "0nanos"] {
        let reason = update(&elastic, &key.id, json!({"expiration": expiration}))
            .await
            .assert_error(400, "action_request_validation_exception");
        assert_eq!(
            reason,
            "Validation Failed: 1: API key expiration must be in the future;"
        );
    }
    assert_eq!(engine.key(&key).authentication_status().await, 200);
    // More than zero counts, although it is rounded down to now.
    let shortest = json!({"expiration": "1nanos"});
    update(&elastic, &key.id, shortest).await.assert_ok();
    assert_eq!(engine.key(&key).authentication_status().await, 401);
}

#[tokio::test]
async fn updated_expiration_starts_now_and_is_never_a_noop() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    let key = elastic
        .create_key(json!({"name": "k", "expiration": "1h"}))
        .await;
    engine.clock().advance(std::time::Duration::from_secs(60));
    assert_eq!(
        update(&elastic, &key.id, json!({"expiration": "1h"}))
            .await
            .assert_ok(),
        json!({"updated": true})
    );
    let shown = elastic
        .get(&format!("/_security/api_key?id={}", key.id))
        .await;
    assert_eq!(
        shown.at("/api_keys/0/expiration"),
        engine.start_ms() + 60_000 + 3_600_000
    );
    update(&elastic, &key.id, json!({"expiration": null}))
        .await
        .assert_error(400, "x_content_parse_exception");
}

#[tokio::test]
async fn empty_descriptors_give_the_key_its_owners_privileges() {
    let engine = TestEngine::start().await.since(8, 4);
    let elastic = engine.elastic();
    let key = elastic
        .create_key(json!({"name": "k", "role_descriptors": {"x": {}}}))
        .await;
    engine
        .key(&key)
        .get("/")
        .await
        .assert_error(403, "security_exception");
    update(&elastic, &key.id, json!({"role_descriptors": {}}))
        .await
        .assert_ok();
    engine.key(&key).get("/").await.assert_ok();
}

#[tokio::test]
async fn keys_of_other_users_are_unknown_even_to_a_superuser() {
    let engine = TestEngine::start().await.since(8, 4);
    let key = engine
        .user_with_privileges("ann", &["manage_own_api_key"])
        .await
        .create_key(json!({"name": "k"}))
        .await;
    for id in ["nope", &key.id] {
        let reason = update(&engine.elastic(), id, json!({}))
            .await
            .assert_error(404, "resource_not_found_exception");
        assert_eq!(
            reason,
            format!("no API key owned by requesting user found for ID [{id}]")
        );
    }
}

#[tokio::test]
async fn invalidated_and_expired_keys_cannot_be_updated() {
    let engine = TestEngine::start().await.since(8, 4);
    let elastic = engine.elastic();
    let revoked = elastic.create_key(json!({"name": "k"})).await;
    elastic.invalidate(&revoked).await.assert_ok();
    let reason = update(&elastic, &revoked.id, json!({}))
        .await
        .assert_error(400, "illegal_argument_exception");
    assert_eq!(
        reason,
        format!("cannot update invalidated API key [{}]", revoked.id)
    );
    let expired = elastic
        .create_key(json!({"name": "k", "expiration": "0"}))
        .await;
    update(&elastic, &expired.id, json!({}))
        .await
        .assert_error(400, "illegal_argument_exception");
}

#[tokio::test]
async fn key_cannot_update_keys() {
    let engine = TestEngine::start().await.since(8, 4);
    let key = engine.elastic().create_key(json!({"name": "k"})).await;
    let reason = update(&engine.key(&key), &key.id, json!({}))
        .await
        .assert_error(400, "illegal_argument_exception");
    assert!(reason.contains("only the owner user can update an API key"));
}

#[tokio::test]
async fn update_checks_metadata_and_descriptors() {
    let engine = TestEngine::start().await.since(8, 4);
    let key = engine.elastic().create_key(json!({"name": "k"})).await;
    update(&engine.elastic(), &key.id, json!({"metadata": {"_a": 1}}))
        .await
        .assert_error(400, "action_request_validation_exception");
    update(&engine.elastic(), &key.id, json!({"name": "other"}))
        .await
        .assert_error(400, "x_content_parse_exception");
}

#[tokio::test]
async fn bulk_update_reports_each_key() {
    let engine = TestEngine::start().await.since(8, 5);
    let elastic = engine.elastic();
    let changed = elastic.create_key(json!({"name": "a"})).await;
    let same = elastic
        .create_key(json!({"name": "b", "metadata": {"x": 1}}))
        .await;
    let body = json!({"ids": [changed.id, same.id, "nope"], "metadata": {"x": 1}});
    let done = elastic
        .post("/_security/api_key/_bulk_update", body)
        .await
        .assert_ok();
    assert_eq!(
        (&done["updated"], &done["noops"]),
        (&json!([changed.id]), &json!([same.id]))
    );
    assert_eq!(done["errors"]["count"], 1);
    assert_eq!(
        done["errors"]["details"]["nope"]["type"],
        "resource_not_found_exception"
    );
    let again = elastic
        .post("/_security/api_key/_bulk_update", json!({"ids": same.id}))
        .await
        .assert_ok();
    assert!(again.get("errors").is_none());
}

#[tokio::test]
async fn bulk_update_requires_ids() {
    let engine = TestEngine::start().await.since(8, 5);
    let path = "/_security/api_key/_bulk_update";
    engine
        .elastic()
        .post(path, json!({}))
        .await
        .assert_error(400, "illegal_argument_exception");
    engine
        .elastic()
        .post(path, json!({"ids": []}))
        .await
        .assert_error(400, "action_request_validation_exception");
}
