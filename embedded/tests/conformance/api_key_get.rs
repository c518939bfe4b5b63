//! Contract §5.2 and §3.2: getting keys.

use crate::support::*;

async fn get(person: &Person, query: &str) -> Response {
    person.get(&format!("/_security/api_key?{query}")).await
}

async fn count(person: &Person, query: &str) -> usize {
    get(person, query).await.assert_ok()["api_keys"]
        .as_array()
        .unwrap()
        .len()
}

#[tokio::test]
async fn a_key_is_shown_without_its_secret() {
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
async fn limits_are_shown_when_asked_for() {
    let engine = TestEngine::start().await.since(8, 5);
    let ann = engine.person_with("ann", &["manage_own_api_key"]).await;
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
async fn an_invalidated_key_stays_visible() {
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
async fn an_id_that_finds_nothing_is_404_and_a_name_is_not() {
    let engine = TestEngine::start().await.since(8, 10);
    let missing = get(&engine.elastic(), "id=nope").await;
    assert_eq!(
        (missing.status, missing.json()),
        (404, json!({"api_keys": []}))
    );
    assert_eq!(count(&engine.elastic(), "name=nope").await, 0);
    let ann = engine.person_with("ann", &["manage_own_api_key"]).await;
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
async fn a_name_may_end_with_a_star() {
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
async fn owners_can_be_asked_for() {
    let engine = TestEngine::start().await;
    engine.elastic().create_key(json!({"name": "k"})).await;
    let ann = engine.person_with("ann", &["manage_api_key"]).await;
    ann.create_key(json!({"name": "a"})).await;
    assert_eq!(count(&ann, "").await, 2);
    assert_eq!(count(&ann, "username=ann").await, 1);
    assert_eq!(count(&ann, "realm_name=reserved").await, 1);
    assert_eq!(count(&ann, "username=ann&realm_name=reserved").await, 0);
    assert_eq!(count(&ann, "owner=true").await, 1);
}

#[tokio::test]
async fn active_only_leaves_out_what_ended() {
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
