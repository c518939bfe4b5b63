//! Cluster information.

use crate::support::*;

#[tokio::test]
async fn root_returns_name_and_version() {
    let engine = TestEngine::start().await;
    let info = engine.elastic().get("/").await.assert_ok();
    assert_eq!(info["tagline"], "You Know, for Search");
    assert_eq!(info["cluster_uuid"].as_str().unwrap().len(), 22);
    assert_eq!(info["version"]["build_flavor"], "default");
    let number = info["version"]["number"].as_str().unwrap();
    let major = number.split('.').next().unwrap().parse::<u32>().unwrap();
    assert!(major >= 8, "{number}");
}

#[tokio::test]
async fn head_response_has_no_body() {
    let engine = TestEngine::start().await;
    let head = engine.elastic().send("HEAD", "/", None).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(head.header("x-elastic-product"), ["Elasticsearch"]);
    assert_eq!(engine.anonymous().send("HEAD", "/", None).await.status, 401);
}

#[tokio::test]
async fn cluster_health_is_green() {
    let engine = TestEngine::start().await;
    let health = engine
        .elastic()
        .get("/_cluster/health?wait_for_status=yellow&timeout=5s")
        .await
        .assert_ok();
    assert_eq!(
        (&health["status"], &health["timed_out"]),
        (&json!("green"), &json!(false))
    );
    engine
        .elastic()
        .get("/_cluster/health?wait_for_status=blue")
        .await
        .assert_error(400, "illegal_argument_exception");
}

#[tokio::test]
async fn license_is_basic_and_does_not_expire() {
    let engine = TestEngine::start().await;
    let license = engine.elastic().get("/_license").await.assert_ok();
    assert_eq!(license["license"]["type"], "basic");
    assert_eq!(license["license"]["expiry_date"], Value::Null);
}

#[tokio::test]
async fn xpack_info_is_filtered_by_category() {
    let engine = TestEngine::start_with_tokens(false).await;
    let all = engine.elastic().get("/_xpack").await.assert_ok();
    assert_eq!(
        all["features"]["security"],
        json!({"available": true, "enabled": true})
    );
    let some = engine
        .elastic()
        .get("/_xpack?categories=license")
        .await
        .assert_ok();
    assert!(some["build"].is_null() && some["license"].is_object());
    let usage = engine.elastic().get("/_xpack/usage").await.assert_ok();
    assert_eq!(usage["security"]["api_key_service"]["enabled"], true);
    assert_eq!(usage["security"]["token_service"]["enabled"], false);
}

#[tokio::test]
async fn nodes_info_contains_the_address() {
    let engine = TestEngine::start().await;
    for path in ["/_nodes/http", "/_nodes/_all/http"] {
        let nodes = engine.elastic().get(path).await.assert_ok();
        let node = nodes["nodes"]
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .clone();
        assert_eq!(
            node["http"]["publish_address"],
            engine.address().to_string()
        );
    }
}
