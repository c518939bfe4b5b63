//! Creating keys.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::support::*;

const PATH: &str = "/_security/api_key";

async fn refused(body: Value, kind: &str) -> String {
    let engine = TestEngine::start().await;
    engine
        .elastic()
        .post(PATH, body)
        .await
        .assert_error(400, kind)
}

async fn problems(body: Value) -> String {
    refused(body, "action_request_validation_exception").await
}

#[tokio::test]
async fn created_key_is_returned_with_its_secret() {
    let engine = TestEngine::start().await;
    let body = engine
        .elastic()
        .put(PATH, json!({"name": "k", "expiration": "1d"}))
        .await
        .assert_ok();
    let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["api_key", "encoded", "expiration", "id", "name"]);
    assert_eq!(body["expiration"], engine.start_ms() + 86_400_000);
    let (id, secret) = (
        body["id"].as_str().unwrap(),
        body["api_key"].as_str().unwrap(),
    );
    assert_eq!((id.len(), secret.len()), (20, 43));
    assert_eq!(body["encoded"], STANDARD.encode(format!("{id}:{secret}")));
    let without = engine
        .elastic()
        .post(PATH, json!({"name": "k"}))
        .await
        .assert_ok();
    assert!(without.get("expiration").is_none());
}

#[tokio::test]
async fn encoded_key_matches_secret_scanner_pattern() {
    let engine = TestEngine::start().await;
    for _ in 0..50 {
        let encoded = engine
            .elastic()
            .create_key(json!({"name": "k"}))
            .await
            .encoded;
        assert!(encoded.starts_with("YXBta2V5") && encoded.ends_with("==") && encoded.len() == 88);
        assert!(
            encoded[..86]
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+/".contains(c))
        );
    }
}

#[tokio::test]
async fn key_names_need_not_be_unique() {
    let engine = TestEngine::start().await;
    let one = engine.elastic().create_key(json!({"name": "same"})).await;
    let two = engine.elastic().create_key(json!({"name": "same"})).await;
    assert_ne!(one.id, two.id);
}

#[tokio::test]
async fn missing_key_name_is_refused() {
    assert_eq!(
        refused(json!({}), "illegal_argument_exception").await,
        "Required [name]"
    );
}

#[tokio::test]
async fn invalid_key_names_are_refused() {
    assert_eq!(
        problems(json!({"name": ""})).await,
        "Validation Failed: 1: api key name is required;"
    );
    assert!(
        problems(json!({"name": "x".repeat(257)}))
            .await
            .contains("may not be more than 256 characters long")
    );
    assert!(problems(json!({"name": " x"})).await.contains("whitespace"));
    assert!(
        problems(json!({"name": "x\n"}))
            .await
            .contains("whitespace")
    );
    assert!(problems(json!({"name": "_x"})).await.contains("underscore"));
}

#[tokio::test]
async fn key_name_length_counts_utf16_units() {
    let engine = TestEngine::start().await;
    engine
        .elastic()
        .create_key(json!({"name": "x".repeat(256)}))
        .await;
    engine
        .elastic()
        .create_key(json!({"name": "😀".repeat(128)}))
        .await;
    let long = engine
        .elastic()
        .post(PATH, json!({"name": "😀".repeat(129)}))
        .await;
    long.assert_error(400, "action_request_validation_exception");
}

#[tokio::test]
async fn all_broken_rules_are_reported_together() {
    let reason = problems(json!({
        "name": "_x ",
        "metadata": {"_m": 1},
        "role_descriptors": {"r": {"cluster": ["nonsense"], "metadata": {"_n": 1}, "index": [{"names": ["i"], "privileges": ["rubbish"]}],
            "applications": [{"application": "Bad*Name", "privileges": ["no colon"], "resources": ["*"]}]}},
    })).await;
    for part in [
        "1: ",
        "whitespace",
        "underscore",
        "API key metadata keys may not start with [_]",
        "unknown cluster privilege [nonsense]",
        "unknown index privilege [rubbish]",
        "role descriptor metadata keys may not start with [_]",
        "no colon",
        "Bad*Name",
    ] {
        assert!(reason.contains(part), "{part} in {reason}");
    }
}

#[tokio::test]
async fn unknown_fields_and_wrong_types_are_refused() {
    assert!(
        refused(json!({"name": "k", "nmae": 1}), "x_content_parse_exception")
            .await
            .contains("unknown field [nmae]")
    );
    refused(json!({"name": 1}), "x_content_parse_exception").await;
    refused(
        json!({"name": "k", "expiration": null}),
        "x_content_parse_exception",
    )
    .await;
    refused(
        json!({"name": "k", "metadata": []}),
        "x_content_parse_exception",
    )
    .await;
    refused(
        json!({"name": "k", "role_descriptors": []}),
        "x_content_parse_exception",
    )
    .await;
}

#[tokio::test]
async fn malformed_descriptor_is_reported_as_cause() {
    let engine = TestEngine::start().await;
    let response = engine
        .elastic()
        .post(
            PATH,
            json!({"name": "k", "role_descriptors": {"r": {"clutser": []}}}),
        )
        .await;
    response.assert_error(400, "x_content_parse_exception");
    assert_eq!(response.at("/error/caused_by/type"), "parse_exception");
    assert_eq!(
        response.at("/error/caused_by/reason"),
        "failed to parse role [r]. unexpected field [clutser]"
    );
}

#[tokio::test]
async fn null_descriptors_are_refused() {
    let engine = TestEngine::start().await;
    let create = async |descriptors: Value| {
        let body = json!({"name": "k", "role_descriptors": descriptors});
        engine.elastic().post(PATH, body).await
    };
    let reason = create(Value::Null)
        .await
        .assert_error(400, "x_content_parse_exception");
    let expected = "[api_key_request] role_descriptors doesn't support values of type: VALUE_NULL";
    assert!(reason.ends_with(expected), "{reason}");
    #[rustfmt::skip]
    let cases = [
        (json!({"r": null}), "failed to parse role [r]. expected an object but found [VALUE_NULL] instead"),
        (json!({"r": {"metadata": null}}), "expected field [metadata] to be of type object, but found [VALUE_NULL] instead"),
        (json!({"r": {"indices": null}}), "failed to parse indices privileges for role [r]. expected field [indices] value to be an array, but found [VALUE_NULL] instead"),
        (json!({"r": {"applications": [null]}}), "failed to parse application privileges for role [r]. expected field [applications] value to be an array of objects, but found an array element of type [VALUE_NULL]"),
        (json!({"r": {"indices": [{"names": ["a"], "privileges": null}]}}), "failed to parse indices privileges for role [r]. missing required [privileges] field"),
    ];
    for (descriptors, expected) in cases {
        let refused = create(descriptors).await;
        refused.assert_error(400, "x_content_parse_exception");
        assert_eq!(refused.at("/error/caused_by/reason"), expected);
        assert_eq!(refused.at("/error/root_cause/0/reason"), expected);
    }
    // Lists of names may be null.
    create(json!({"r": {"cluster": null, "run_as": null}}))
        .await
        .assert_ok();
}

#[tokio::test]
async fn malformed_expirations_are_refused() {
    for expiration in ["", "1", "1.5d", "-5d", "1w", "tomorrow"] {
        let reason = refused(
            json!({"name": "k", "expiration": expiration}),
            "illegal_argument_exception",
        )
        .await;
        assert!(reason.contains("[expiration]"), "{reason}");
    }
}

#[tokio::test]
async fn expiration_below_a_second_creates_expired_key() {
    let engine = TestEngine::start().await;
    for expiration in ["1nanos", "999ms", "0", "-1"] {
        let key = engine
            .elastic()
            .create_key(json!({"name": "k", "expiration": expiration}))
            .await;
        assert_eq!(
            engine.key(&key).authentication_status().await,
            401,
            "{expiration}"
        );
    }
}

#[tokio::test]
async fn descriptors_are_returned_normalized() {
    let engine = TestEngine::start().await;
    let key = engine.elastic().create_key(json!({"name": "k", "role_descriptors": {"r": {
        "cluster": ["all"], "index": [{"names": "i", "privileges": ["read"], "query": {"match_all": {}}}],
        "application": [{"application": "apm", "privileges": ["event:write"], "resources": ["*"]}],
    }}})).await;
    let stored = engine.elastic().get(&format!("{PATH}?id={}", key.id)).await;
    assert_eq!(
        stored.at("/api_keys/0/role_descriptors"),
        json!({"r": {
            "cluster": ["all"],
            "indices": [{"names": ["i"], "privileges": ["read"], "query": "{\"match_all\":{}}", "allow_restricted_indices": false}],
            "applications": [{"application": "apm", "privileges": ["event:write"], "resources": ["*"]}],
            "run_as": [], "metadata": {}, "transient_metadata": {"enabled": true},
        }})
    );
}

#[tokio::test]
async fn key_creates_only_keys_without_privileges() {
    let engine = TestEngine::start().await;
    let key = engine.elastic().create_key(json!({"name": "k"})).await;
    let me = engine.key(&key);
    for descriptors in [json!({}), json!({"x": {"cluster": ["monitor"]}})] {
        let refused = me
            .post(PATH, json!({"name": "d", "role_descriptors": descriptors}))
            .await;
        assert!(
            refused
                .assert_error(400, "illegal_argument_exception")
                .contains("derived api keys")
        );
    }
    let derived = me
        .create_key(json!({"name": "d", "role_descriptors": {"x": {}}}))
        .await;
    engine
        .key(&derived)
        .get("/")
        .await
        .assert_error(403, "security_exception");
    let stored = engine
        .elastic()
        .get(&format!("{PATH}?id={}", derived.id))
        .await;
    assert_eq!(stored.at("/api_keys/0/realm"), "_es_api_key");
}

#[tokio::test]
async fn restricted_descriptor_must_be_the_only_one() {
    let engine = TestEngine::start().await.since(8, 9);
    let elastic = engine.elastic();
    let restricted = json!({"restriction": {"workflows": ["search_application_query"]}});
    let key = elastic
        .create_key(json!({"name": "k", "role_descriptors": {"a": restricted}}))
        .await;
    for (descriptors, reason) in [
        (
            json!({"a": restricted, "b": {}}),
            "combining role descriptors with and without restriction is not supported",
        ),
        (
            json!({"a": restricted, "b": restricted}),
            "more than one role descriptor with restriction is not supported",
        ),
    ] {
        let body = json!({"name": "k", "role_descriptors": descriptors});
        let created = elastic.post(PATH, body).await;
        let update = json!({"role_descriptors": descriptors});
        let updated = elastic.put(&format!("{PATH}/{}", key.id), update).await;
        for refused in [created, updated] {
            let found = refused.assert_error(400, "illegal_argument_exception");
            assert_eq!(found, reason);
        }
    }
    let unknown = json!({"a": {"restriction": {"workflows": ["nonsense"]}}});
    assert!(
        problems(json!({"name": "k", "role_descriptors": unknown}))
            .await
            .contains("unknown workflow [nonsense]")
    );
}
