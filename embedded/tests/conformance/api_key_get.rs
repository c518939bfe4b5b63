//! Getting keys.

use crate::support::*;

async fn get(client: &Client, query: &str) -> Response {
    client.get(&format!("/_security/api_key?{query}")).await
}

async fn count(client: &Client, query: &str) -> usize {
    get(client, query).await.assert_ok()["api_keys"]
        .as_array()
        .unwrap()
        .len()
}

#[tokio::test]
async fn key_is_shown_without_its_secret() {
    let engine = TestEngine::start().await;
    let key = engine
        .elastic()
        .create_key(json!({"name": "k", "metadata": {"a": {"b": [1]}}}))
        .await;
    let shown = get(&engine.elastic(), &format!("id={}", key.id))
        .await
        .at("/api_keys/0");
    assert_eq!(
        shown,
        json!({
            "id": key.id, "name": "k", "type": "rest", "creation": engine.start_ms(), "invalidated": false,
            "username": "elastic", "realm": "reserved", "realm_type": "reserved",
            "metadata": {"a": {"b": [1]}}, "role_descriptors": {},
        })
    );
}

#[tokio::test]
async fn limited_by_is_returned_on_request() {
    let engine = TestEngine::start().await.since(8, 5);
    let ann = engine
        .user_with_privileges("ann", &["manage_own_api_key"])
        .await;
    let key = ann.create_key(json!({"name": "k"})).await;
    let shown = get(
        &engine.elastic(),
        &format!("id={}&with_limited_by=true", key.id),
    )
    .await;
    assert_eq!(
        shown.at("/api_keys/0/limited_by/0/ann/cluster"),
        json!(["manage_own_api_key"])
    );
}

#[tokio::test]
async fn invalidated_key_stays_visible() {
    let engine = TestEngine::start().await;
    let key = engine.elastic().create_key(json!({"name": "k"})).await;
    engine.elastic().invalidate(&key).await.assert_ok();
    let shown = get(&engine.elastic(), &format!("id={}", key.id))
        .await
        .at("/api_keys/0");
    assert_eq!(
        (&shown["invalidated"], &shown["invalidation"]),
        (&json!(true), &json!(engine.start_ms()))
    );
}

#[tokio::test]
async fn contradicting_parameters_are_refused() {
    let engine = TestEngine::start().await;
    for query in [
        "id=a&username=b",
        "name=a&realm_name=b",
        "owner=true&username=b",
        "owner=true&realm_name=b",
        "id=a&name=b",
    ] {
        get(&engine.elastic(), query)
            .await
            .assert_error(400, "action_request_validation_exception");
    }
}

#[tokio::test]
async fn blank_parameters_count_as_absent() {
    let engine = TestEngine::start().await;
    engine.elastic().create_key(json!({"name": "k"})).await;
    assert_eq!(count(&engine.elastic(), "id=&name=%20&username=").await, 1);
}

#[tokio::test]
async fn unknown_id_is_404_and_unknown_name_is_200() {
    let engine = TestEngine::start().await.since(8, 10);
    let missing = get(&engine.elastic(), "id=nope").await;
    assert_eq!(
        (missing.status, missing.json()),
        (404, json!({"api_keys": []}))
    );
    assert_eq!(count(&engine.elastic(), "name=nope").await, 0);
    let ann = engine
        .user_with_privileges("ann", &["manage_own_api_key"])
        .await;
    let key = ann.create_key(json!({"name": "k"})).await;
    assert_eq!(
        get(&engine.elastic(), &format!("id={}&owner=true", key.id))
            .await
            .status,
        404
    );
    engine.elastic().invalidate(&key).await.assert_ok();
    assert_eq!(
        get(
            &engine.elastic(),
            &format!("id={}&active_only=true", key.id)
        )
        .await
        .status,
        404
    );
}

#[tokio::test]
async fn key_name_with_trailing_star_is_a_prefix() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    for name in ["apm-1", "apm-2", "ap*m", "APM-3"] {
        elastic.create_key(json!({"name": name})).await;
    }
    assert_eq!(count(&elastic, "name=apm-1").await, 1);
    assert_eq!(count(&elastic, "name=apm-*").await, 2);
    assert_eq!(count(&elastic, "name=*").await, 4);
    assert_eq!(count(&elastic, "name=ap*m").await, 1);
}

#[tokio::test]
async fn keys_are_selected_by_owner() {
    let engine = TestEngine::start().await;
    engine.elastic().create_key(json!({"name": "k"})).await;
    let ann = engine
        .user_with_privileges("ann", &["manage_api_key"])
        .await;
    ann.create_key(json!({"name": "a"})).await;
    assert_eq!(count(&ann, "").await, 2);
    assert_eq!(count(&ann, "username=ann").await, 1);
    assert_eq!(count(&ann, "realm_name=reserved").await, 1);
    assert_eq!(count(&ann, "username=ann&realm_name=reserved").await, 0);
    assert_eq!(count(&ann, "owner=true").await, 1);
}

#[tokio::test]
async fn active_only_omits_expired_and_invalidated_keys() {
    let engine = TestEngine::start().await.since(8, 10);
    let elastic = engine.elastic();
    elastic.create_key(json!({"name": "lives"})).await;
    elastic
        .create_key(json!({"name": "expires", "expiration": "1h"}))
        .await;
    let key = elastic.create_key(json!({"name": "revoked"})).await;
    elastic.invalidate(&key).await.assert_ok();
    assert_eq!(count(&elastic, "active_only=true").await, 2);
    engine
        .clock()
        .advance(std::time::Duration::from_secs(3_600));
    assert_eq!(count(&elastic, "active_only=true").await, 1);
}
