//! Older versions of Elasticsearch, as the engine emulates them for tests.

use embedded::Version;

use crate::support::*;

const V8_0: Version = Version::new(8, 0);
const V8_5: Version = Version::new(8, 5);
const V8_13: Version = Version::new(8, 13);
const V8_19: Version = Version::new(8, 19);
const V9_0: Version = Version::new(9, 0);
const ALL: [Version; 6] = [V8_0, V8_5, V8_13, V8_19, V9_0, Version::CURRENT];

async fn engine_of(version: Version) -> TestEngine {
    TestEngine::start_with(|config| config.version = version).await
}

#[tokio::test]
async fn root_returns_the_emulated_version() {
    for (version, number) in ALL
        .into_iter()
        .zip(["8.0.0", "8.5.0", "8.13.0", "8.19.0", "9.0.0", "9.5.0"])
    {
        let info = engine_of(version)
            .await
            .elastic()
            .get("/")
            .await
            .assert_ok();
        assert_eq!(info["version"]["number"], number);
    }
}

#[rustfmt::skip]
const SINCE: &[(Version, &str, &str, &str, u16)] = &[
    (V8_5, "POST", "/_security/_query/api_key?with_limited_by=true", "{}", 400),
    (V8_5, "PUT", "/_security/role/r", r#"{"cluster":["read_security"]}"#, 400),
    (V8_5, "POST", "/_security/user/_has_privileges", r#"{"cluster":["read_security"]}"#, 400),
    (V8_13, "GET", "/_security/api_key?active_only=true", "", 400),
    (V8_13, "POST", "/_security/_query/api_key", r#"{"aggs":{"a":{"terms":{"field":"username"}}}}"#, 400),
    (V8_13, "POST", "/_security/_query/api_key", r#"{"query":{"match":{"name":"a"}}}"#, 400),
    (V8_13, "POST", "/_security/_query/api_key", r#"{"query":{"bool":{"must":[{"simple_query_string":{"query":"a"}}]}}}"#, 400),
    (V8_5, "POST", "/_security/_query/api_key", r#"{"query":{"bool":{"must_not":[{"exists":{"field":"expiration"}}]}}}"#, 400),
    (V8_5, "GET", "/_security/user?with_profile_uid=true", "", 400),
    (V8_13, "POST", "/_security/_query/api_key", r#"{"query":{"term":{"type":"rest"}}}"#, 400),
    (V8_13, "POST", "/_security/_query/api_key", r#"{"query":{"range":{"invalidation":{"gte":0}}}}"#, 400),
    (V8_13, "POST", "/_security/_query/api_key", r#"{"query":{"prefix":{"metadata":"a"}}}"#, 400),
    (V8_13, "POST", "/_security/_query/api_key", r#"{"sort":[{"type":"asc"}]}"#, 400),
    (V8_13, "POST", "/_security/_query/api_key", r#"{"sort":"invalidation"}"#, 400),
    (V8_13, "POST", "/_security/api_key", r#"{"name":"k","role_descriptors":{"a":{"restriction":{"workflows":["search_application_query"]}}}}"#, 400),
    (V8_19, "GET", "/_security/api_key?with_profile_uid=true", "", 400),
    (V8_19, "PUT", "/_security/role/r", r#"{"remote_cluster":[{"clusters":["a"],"privileges":["monitor_enrich"]}]}"#, 400),
    (V8_19, "POST", "/_security/_query/api_key?typed_keys=true", "{}", 400),
    (V8_19, "PUT", "/_security/role/r", r#"{"description":"d"}"#, 400),
];

#[tokio::test]
async fn features_are_accepted_from_their_version_on() {
    for version in ALL {
        let engine = engine_of(version).await;
        for (since, method, path, body, refused) in SINCE {
            let body = (!body.is_empty()).then(|| serde_json::from_str(body).unwrap());
            let response = engine.elastic().send(method, path, body.clone()).await;
            let expected = if version >= *since { 200 } else { *refused };
            assert_eq!(
                response.status, expected,
                "{version:?} {path} {body:?}: {}",
                response.text
            );
        }
    }
}

#[tokio::test]
async fn unsupported_features_have_elasticsearchs_error_text() {
    let engine = engine_of(V8_0).await;
    let elastic = engine.elastic();
    let reason = elastic
        .query(json!({"size": 0, "aggs": {}}))
        .await
        .assert_error(400, "x_content_parse_exception");
    assert!(
        reason.ends_with("[query_api_key_request_payload] unknown field [aggs]"),
        "{reason}"
    );
    let role = elastic.put("/_security/role/r", json!({"description": "d"}));
    let reason = role.await.assert_error(400, "parse_exception");
    assert_eq!(
        reason,
        "failed to parse role [r]. unexpected field [description]"
    );
    let key = elastic.create_key(json!({"name": "k"})).await;
    let update = elastic
        .put(&format!("/_security/api_key/{}", key.id), json!({}))
        .await;
    assert_eq!(update.status, 400);
    let error = format!(
        "no handler found for uri [/_security/api_key/{}] and method [PUT]",
        key.id
    );
    assert_eq!(update.json(), json!({"error": error}));
}

#[tokio::test]
async fn read_security_is_unknown_before_8_5() {
    const BUILTIN: &str = "/_security/privilege/_builtin";
    let asked = json!({"cluster": ["read_security"]});
    let engine = engine_of(V8_0).await;
    let elastic = engine.elastic();
    let role = elastic.put("/_security/role/r", asked.clone()).await;
    let in_role = role.assert_error(400, "action_request_validation_exception");
    let check = elastic.post("/_security/user/_has_privileges", asked).await;
    let in_check = check.assert_error(400, "illegal_argument_exception");
    for reason in [in_role, in_check] {
        assert!(
            reason.contains("unknown cluster privilege [read_security]. a privilege must be either one of the predefined cluster privilege names [all,"),
            "{reason}"
        );
        assert!(!reason.contains(",read_security,"), "{reason}");
    }
    let listed = |list: Value| {
        let names = list["cluster"].as_array().unwrap().clone();
        names.contains(&json!("read_security"))
    };
    assert!(!listed(elastic.get(BUILTIN).await.assert_ok()));
    let newer = engine_of(V8_5).await.elastic().get(BUILTIN).await;
    assert!(listed(newer.assert_ok()));
}

#[tokio::test]
async fn role_descriptions_are_returned_since_8_15() {
    for (version, described) in [(V8_13, false), (V8_19, true)] {
        let engine = engine_of(version).await;
        let roles = engine.elastic().get("/_security/role/superuser").await;
        let role = &roles.assert_ok()["superuser"];
        assert_eq!(role["cluster"], json!(["all"]));
        assert_eq!(role["description"].is_string(), described, "{version:?}");
    }
}

#[tokio::test]
async fn managed_by_is_returned_since_9_4() {
    for (version, managed) in [(V9_0, false), (Version::CURRENT, true)] {
        let engine = engine_of(version).await;
        let key = engine.elastic().create_key(json!({"name": "k"})).await;
        let me = engine.key(&key).get("/_security/_authenticate").await;
        let key = me.assert_ok()["api_key"].clone();
        assert_eq!(key["name"], "k");
        assert_eq!(key["managed_by"].is_string(), managed, "{version:?}");
    }
}

#[tokio::test]
async fn bulk_update_exists_since_8_5() {
    const PATH: &str = "/_security/api_key/_bulk_update";
    for (version, status) in [(V8_0, 400), (V8_5, 200)] {
        let engine = engine_of(version).await;
        let key = engine.elastic().create_key(json!({"name": "k"})).await;
        let body = json!({"ids": [key.id], "metadata": {"a": 1}});
        let response = engine.elastic().post(&format!("{PATH}?pretty"), body).await;
        assert_eq!(response.status, status, "{version:?}: {}", response.text);
        if status == 400 {
            let error = format!("no handler found for uri [{PATH}?pretty] and method [POST]");
            assert_eq!(response.json(), json!({"error": error}));
        }
    }
}

#[tokio::test]
async fn credentials_are_checked_before_the_path_since_8_9() {
    for (version, path, method) in [(V8_5, 400, 405), (V8_13, 401, 401)] {
        let nobody = engine_of(version).await.anonymous();
        assert_eq!(nobody.get("/no/such").await.status, path, "{version:?}");
        let wrong = nobody.send("PATCH", "/_security/role/r", None).await;
        assert_eq!(wrong.status, method, "{version:?}");
        assert_eq!(nobody.authentication_status().await, 401, "{version:?}");
    }
}

#[tokio::test]
async fn expiration_is_updatable_since_8_13() {
    for (version, status) in [(V8_5, 400), (V8_13, 200), (Version::CURRENT, 200)] {
        let engine = engine_of(version).await;
        let key = engine.elastic().create_key(json!({"name": "k"})).await;
        let path = format!("/_security/api_key/{}", key.id);
        let response = engine
            .elastic()
            .put(&path, json!({"expiration": "1d"}))
            .await;
        assert_eq!(response.status, status, "{version:?}: {}", response.text);
    }
}

#[tokio::test]
async fn key_fields_depend_on_the_version() {
    for (version, absent) in [
        (
            V8_0,
            &["role_descriptors", "type", "invalidation", "realm_type"][..],
        ),
        (V8_5, &["type", "invalidation", "realm_type"]),
        (V8_13, &["realm_type"]),
        (V8_19, &[]),
    ] {
        let engine = engine_of(version).await;
        let elastic = engine.elastic();
        let body = json!({"name": "k", "role_descriptors": {"a": {"cluster": ["monitor"]}}});
        let key = elastic.create_key(body).await;
        elastic.invalidate(&key).await.assert_ok();
        for found in [
            elastic.query(json!({})).await.assert_ok(),
            elastic.get("/_security/api_key").await.assert_ok(),
        ] {
            let key = found["api_keys"][0].as_object().unwrap();
            for field in ["role_descriptors", "type", "invalidation", "realm_type"] {
                let is_there = key.contains_key(field);
                assert_eq!(
                    is_there,
                    !absent.contains(&field),
                    "{version:?} {field}: {key:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn media_types_of_current_and_previous_major_are_accepted() {
    for (version, statuses) in [(V8_19, [200, 200, 400]), (V9_0, [400, 200, 200])] {
        let engine = engine_of(version).await;
        for (wanted, status) in [7, 8, 9].into_iter().zip(statuses) {
            let accept = format!("application/vnd.elasticsearch+json;compatible-with={wanted}");
            let elastic = engine.elastic().header("Accept", &accept);
            let response = elastic.get("/_security/_authenticate").await;
            assert_eq!(response.status, status, "{version:?} {wanted}");
        }
    }
}

#[tokio::test]
async fn basic_challenge_has_a_comma_since_8_15() {
    for (version, challenge) in [
        (V8_13, r#"Basic realm="security" charset="UTF-8""#),
        (V8_19, r#"Basic realm="security", charset="UTF-8""#),
    ] {
        let engine = engine_of(version).await;
        let response = engine.anonymous().get("/").await;
        assert_eq!(response.header("www-authenticate")[0], challenge);
        assert_eq!(response.at("/error/header/WWW-Authenticate/0"), challenge);
    }
}
