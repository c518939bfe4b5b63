//! Content negotiation by `Accept` and `Content-Type`.

use crate::support::*;

const ME: &str = "/_security/_authenticate";

#[tokio::test]
async fn response_media_type_follows_accept() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    assert_eq!(
        elastic.get(ME).await.header("content-type"),
        ["application/json"]
    );
    for version in [8, 9] {
        let accept = format!("application/vnd.elasticsearch+json; compatible-with={version}");
        let response = elastic.clone().header("Accept", &accept).get(ME).await;
        let expected = format!("application/vnd.elasticsearch+json;compatible-with={version}");
        assert_eq!(response.header("content-type"), [expected]);
    }
    // A list of types, `*/*`, and an unknown type count as absent.
    for accept in [
        "application/vnd.elasticsearch+json; compatible-with=9,text/plain",
        "*/*",
        "text/html",
    ] {
        let response = elastic.clone().header("Accept", accept).get(ME).await;
        assert_eq!(
            response.header("content-type"),
            ["application/json"],
            "{accept}"
        );
    }
}

#[tokio::test]
async fn incompatible_media_type_versions_are_refused() {
    let engine = TestEngine::start().await;
    let accept = "application/vnd.elasticsearch+json;compatible-with=7";
    let response = engine.elastic().header("Accept", accept).get(ME).await;
    let reason = response.assert_error(400, "media_type_header_exception");
    assert_eq!(
        reason,
        "Invalid media-type value on headers [Accept, Content-Type]"
    );
    let cause = response.at("/error/caused_by");
    assert_eq!(cause["type"], "status_exception");
    let expected =
        format!("Accept version must be either version 9 or 8, but found 7. Accept={accept}");
    assert_eq!(cause["reason"], expected);
}

#[tokio::test]
async fn malformed_media_types_are_refused_with_the_header_name() {
    let engine = TestEngine::start().await;
    for (header, value, reason) in [
        ("Accept", "json", "invalid media-type [json]"),
        (
            "Accept",
            "application/json;q",
            "invalid media-type [application/json;q]",
        ),
        ("Content-Type", "a b/c", "invalid media-type [a b/c]"),
        ("Accept", "", "Header [Accept] cannot be empty."),
    ] {
        let response = engine.elastic().header(header, value).get(ME).await;
        let refused = response.assert_error(400, "media_type_header_exception");
        assert_eq!(
            refused,
            format!("Invalid media-type value on headers [{header}]")
        );
        let cause = response.at("/error/caused_by");
        assert_eq!(cause["type"], "illegal_argument_exception");
        assert_eq!(cause["reason"], reason);
    }
    let json = "application/json";
    let twice = engine
        .elastic()
        .header("Accept", json)
        .header("Accept", json);
    twice
        .get(ME)
        .await
        .assert_error(400, "media_type_header_exception");
}

#[tokio::test]
async fn versions_of_content_type_and_accept_must_match() {
    let engine = TestEngine::start().await.since(9, 0);
    let v8 = "application/vnd.elasticsearch+json;compatible-with=8";
    let v9 = "application/vnd.elasticsearch+json;compatible-with=9";
    let body = br#"{"cluster":["all"]}"#;
    let path = "/_security/user/_has_privileges";
    for (accept, content_type, status) in [
        (v9, v9, 200),
        (v8, v8, 200),
        (v8, v9, 400),
        (v9, "application/json", 400),
        ("application/json", v9, 400),
        // These count as absent, so only the body has a version.
        ("*/*", v9, 400),
        ("text/plain,*/*", v9, 400),
        ("*/*", "application/json", 200),
    ] {
        let client = engine.elastic().header("Accept", accept);
        let response = client
            .send_bytes("POST", path, Some(body), content_type)
            .await;
        assert_eq!(
            response.status, status,
            "{accept} {content_type}: {}",
            response.text
        );
    }
}

#[tokio::test]
async fn version_on_one_header_has_elasticsearchs_error_text() {
    let engine = TestEngine::start().await.since(9, 0);
    let content_type = "application/vnd.elasticsearch+json;compatible-with=9";
    let body = br#"{"cluster":["all"]}"#;
    let path = "/_security/user/_has_privileges";
    let elastic = engine.elastic();
    let response = elastic
        .send_bytes("POST", path, Some(body), content_type)
        .await;
    response.assert_error(400, "media_type_header_exception");
    assert_eq!(
        response.at("/error/caused_by/reason"),
        format!(
            "A compatible version is required on both Content-Type and Accept headers if either one has requested a compatible version. Accept=null, Content-Type={content_type}"
        )
    );
}

#[tokio::test]
async fn content_type_is_ignored_without_a_body() {
    let engine = TestEngine::start().await;
    let content_type = "application/vnd.elasticsearch+json; compatible-with=9";
    engine
        .elastic()
        .header("Content-Type", content_type)
        .get(ME)
        .await
        .assert_ok();
}

#[tokio::test]
async fn non_json_body_is_406() {
    let engine = TestEngine::start().await;
    let response = engine
        .elastic()
        .send_bytes("POST", "/_security/api_key", Some(b"name=k"), "text/plain")
        .await;
    assert_eq!(response.status, 406);
    let expected =
        json!({"error": "Content-Type header [text/plain] is not supported", "status": 406});
    assert_eq!(response.json(), expected);
    let response = engine
        .elastic()
        .send_bytes("POST", "/_security/api_key", Some(b"{}"), "")
        .await;
    assert_eq!(response.status, 406);
    let expected = json!({"error": "Content-Type header is missing", "status": 406});
    assert_eq!(response.json(), expected);
}
