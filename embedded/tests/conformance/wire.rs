//! Headers, media types, common parameters, the error envelope.

use crate::support::*;

const ME: &str = "/_security/_authenticate";

#[tokio::test]
async fn product_header_is_absent_on_401_and_403() {
    let engine = TestEngine::start().await;
    let reader = engine.user_with_privileges("reader", &["monitor"]).await;
    for (client, method, path, status, named) in [
        (engine.elastic(), "GET", ME, 200, true),
        (engine.elastic(), "GET", "/no/such", 400, true),
        (engine.elastic(), "GET", "/_security/role/none", 404, true),
        (engine.elastic(), "POST", ME, 405, true),
        (engine.anonymous(), "GET", ME, 401, false),
        (engine.user("elastic", "wrong"), "GET", ME, 401, false),
        (reader, "GET", "/_security/user", 403, false),
    ] {
        let response = client.send(method, path, None).await;
        assert_eq!(response.status, status, "{method} {path}");
        let product = response.header("x-elastic-product");
        assert_eq!(product == ["Elasticsearch"], named, "{method} {path}");
        assert_eq!(product.is_empty(), !named, "{method} {path}");
    }
}

#[tokio::test]
async fn credentials_are_checked_before_path_method_media_type_and_body() {
    let engine = TestEngine::start().await.since(8, 9);
    for client in [
        engine.anonymous(),
        engine.user("elastic", "wrong"),
        engine.with("ApiKey !"),
    ] {
        for (method, path, body, content_type) in [
            ("GET", "/x/y", None, ""),
            ("PATCH", ME, None, ""),
            ("GET", "/_security/api_key?nmae=k", None, ""),
            ("GET", "/_security/api_key?pretty=maybe", None, ""),
            ("GET", "/_security/role/%zz", None, ""),
            (
                "POST",
                "/_security/api_key",
                Some(&b"{"[..]),
                "application/json",
            ),
            ("POST", "/_security/api_key", Some(&b"a"[..]), "text/plain"),
        ] {
            let response = client.send_bytes(method, path, body, content_type).await;
            response.assert_error(401, "security_exception");
        }
    }
}

#[tokio::test]
async fn options_lists_methods_without_credentials() {
    let engine = TestEngine::start().await;
    let response = engine
        .anonymous()
        .send("OPTIONS", "/_security/api_key", None)
        .await;
    assert_eq!((response.status, response.text.as_str()), (200, ""));
    assert_eq!(response.header("allow"), ["DELETE,GET,POST,PUT"]);
    assert_eq!(
        response.header("content-type"),
        ["text/plain; charset=UTF-8"]
    );
}

#[tokio::test]
async fn opaque_id_is_echoed() {
    let engine = TestEngine::start().await;
    for client in [engine.elastic(), engine.anonymous()] {
        let response = client.header("X-Opaque-Id", "abc").get(ME).await;
        assert_eq!(response.header("x-opaque-id"), ["abc"]);
    }
}

#[tokio::test]
async fn trailing_slash_is_ignored() {
    let engine = TestEngine::start().await;
    engine
        .elastic()
        .get("/_security/api_key/")
        .await
        .assert_ok();
}

#[tokio::test]
async fn unknown_path_is_400() {
    let engine = TestEngine::start().await;
    let response = engine.elastic().get("/x/y?z=1").await;
    assert_eq!(response.status, 400);
    assert_eq!(
        response.json(),
        json!({"error": "no handler found for uri [/x/y?z=1] and method [GET]"})
    );
}

#[tokio::test]
async fn wrong_method_is_405_with_allowed_methods() {
    let engine = TestEngine::start().await;
    let response = engine.elastic().post(ME, json!({})).await;
    assert_eq!(response.status, 405);
    assert_eq!(response.header("allow"), ["GET"]);
    let error = "Incorrect HTTP method for uri [/_security/_authenticate] and method [POST], allowed: [GET]";
    assert_eq!(response.json(), json!({"error": error, "status": 405}));
}

#[tokio::test]
async fn unknown_parameters_are_refused_by_name() {
    let engine = TestEngine::start().await;
    let reason = engine
        .elastic()
        .get("/_security/api_key?nmae=k")
        .await
        .assert_error(400, "illegal_argument_exception");
    assert!(
        reason.starts_with("request [/_security/api_key] contains unrecognized parameter: [nmae]")
    );
}

#[tokio::test]
async fn refresh_accepts_three_values() {
    let engine = TestEngine::start().await;
    for refresh in ["true", "false", "wait_for"] {
        let path = format!("/_security/api_key?refresh={refresh}");
        engine
            .elastic()
            .post(&path, json!({"name": "k"}))
            .await
            .assert_ok();
    }
    let response = engine
        .elastic()
        .post("/_security/api_key?refresh=maybe", json!({"name": "k"}))
        .await;
    response.assert_error(400, "illegal_argument_exception");
}

#[tokio::test]
async fn filter_path_keeps_requested_fields() {
    let engine = TestEngine::start().await;
    let body = engine
        .elastic()
        .get(&format!("{ME}?filter_path=username,*_realm.name"))
        .await
        .assert_ok();
    assert_eq!(
        body,
        json!({
            "username": "elastic",
            "authentication_realm": {"name": "reserved"},
            "lookup_realm": {"name": "reserved"},
        })
    );
}

#[tokio::test]
async fn filter_path_does_not_affect_errors() {
    let engine = TestEngine::start().await;
    let response = engine
        .anonymous()
        .get(&format!("{ME}?filter_path=nothing"))
        .await;
    response.assert_error(401, "security_exception");
}

#[tokio::test]
async fn pretty_response_has_lines() {
    let engine = TestEngine::start().await;
    let response = engine.elastic().get(&format!("{ME}?pretty")).await;
    assert!(
        response.text.contains("\n  \"username\" : ")
            || response.text.contains("\n  \"username\": ")
    );
    assert!(response.text.ends_with('\n'));
}

#[tokio::test]
async fn error_trace_adds_stack_trace() {
    let engine = TestEngine::start().await;
    let path = "/_security/api_key?owner=perhaps";
    let elastic = engine.elastic();
    let plain = elastic.get(path).await;
    assert_eq!(plain.at("/error/stack_trace"), Value::Null);
    let traced = elastic.get(&format!("{path}&error_trace=true")).await;
    assert!(traced.at("/error/stack_trace").is_string());
    // Never for unauthenticated callers.
    let unknown = engine
        .anonymous()
        .get(&format!("{ME}?error_trace=true"))
        .await;
    unknown.assert_error(401, "security_exception");
    assert_eq!(unknown.at("/error/stack_trace"), Value::Null);
}

#[tokio::test]
async fn boolean_parameters_accept_true_and_false() {
    let engine = TestEngine::start().await;
    let response = engine
        .elastic()
        .get("/_security/api_key?owner=perhaps")
        .await;
    response.assert_error(400, "illegal_argument_exception");
}

#[tokio::test]
async fn bodies_over_the_configured_size_are_refused() {
    let engine = TestEngine::start_with(|config| config.body_bytes_max = 1024 * 1024).await;
    let body = vec![b' '; 1024 * 1024 + 1];
    let response = engine
        .elastic()
        .send_bytes(
            "POST",
            "/_security/api_key",
            Some(&body),
            "application/json",
        )
        .await;
    assert_eq!((response.status, response.text.as_str()), (413, ""));
    assert_eq!(response.header("content-length"), ["0"]);
    assert!(response.header("x-elastic-product").is_empty());
    assert!(response.header("content-type").is_empty());
    assert_eq!(response.header("connection"), ["close"]);
}

#[tokio::test]
async fn bodies_as_large_as_elasticsearchs_own_limits_are_accepted() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    // The maximum of a terms query, with ids of keys.
    let ids: Vec<String> = (0..65_536)
        .map(|number| format!("apmkey-{number:013}"))
        .collect();
    let query = json!({"query": {"terms": {"name": ids}}, "size": 0});
    assert!(query.to_string().len() > 1024 * 1024);
    assert_eq!(elastic.query(query).await.assert_ok()["total"], 0);
}

#[tokio::test]
async fn bodies_are_refused_where_none_is_taken() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    elastic.create_key(json!({"name": "k"})).await;
    for (method, path) in [
        ("GET", ME),
        ("GET", "/_security/api_key"),
        ("GET", "/_security/user"),
        ("PUT", "/_security/user/nope/_enable"),
        ("DELETE", "/_security/role/nope"),
        ("GET", "/_security/user/_privileges"),
    ] {
        let refused = elastic.send(method, path, Some(json!({}))).await;
        let reason = refused.assert_error(400, "illegal_argument_exception");
        let expected = format!("request [{method} {path}] does not support having a body");
        assert_eq!(reason, expected);
    }
    // An empty body is none.
    let empty = elastic.send_bytes("GET", ME, Some(b""), "application/json");
    empty.await.assert_ok();
}

#[tokio::test]
async fn json_may_have_comments_and_no_repeated_fields() {
    // A client of a shared cluster rewrites bodies.
    let engine = TestEngine::start_with(|_| {}).await;
    let send = async |path: &str, body: &str| {
        let body = Some(body.as_bytes());
        let elastic = engine.elastic();
        elastic
            .send_bytes("POST", path, body, "application/json")
            .await
    };
    let check = "/_security/user/_has_privileges";
    let body = "/* all */ {\"cluster\": [\"all\"]} // of it";
    assert_eq!(
        send(check, body).await.assert_ok()["has_all_requested"],
        true
    );
    for (path, body, field) in [
        (check, r#"{"cluster":["all"],"cluster":["all"]}"#, "cluster"),
        (
            check,
            r#"{"index":[{"names":["a"],"names":["b"],"privileges":["read"]}]}"#,
            "names",
        ),
        (
            "/_security/api_key",
            r#"{"name":"a","metadata":{"x":{"y":1,"y":1}}}"#,
            "y",
        ),
        (
            "/_security/_query/api_key",
            r#"{"size":1,"size":2}"#,
            "size",
        ),
    ] {
        let reason = send(path, body)
            .await
            .assert_error(400, "x_content_parse_exception");
        let expected = format!("] Duplicate field '{field}'");
        assert!(reason.ends_with(&expected), "{reason}");
    }
}

#[tokio::test]
async fn other_formats_than_json_are_refused_for_bodies() {
    let engine = TestEngine::start().await;
    for format in ["application/yaml", "application/cbor", "application/smile"] {
        let response = engine
            .elastic()
            .send_bytes("POST", "/_security/api_key", Some(b"name: k"), format)
            .await;
        assert_eq!(response.status, 406);
        let error = format!("Content-Type header [{format}] is not supported");
        assert_eq!(response.json(), json!({"error": error, "status": 406}));
    }
}

#[tokio::test]
async fn compressed_bodies_have_the_same_limit() {
    let engine = TestEngine::start().await;
    let send = async |bytes: Vec<u8>, encoding| {
        let elastic = engine.elastic().header("Content-Encoding", encoding);
        let path = "/_security/user/_has_privileges";
        elastic
            .send_bytes("POST", path, Some(&bytes), "application/json")
            .await
    };
    let question = br#"{"cluster":["all"]}"#;
    assert_eq!(
        send(gzip(question), "gzip").await.assert_ok()["has_all_requested"],
        true
    );
    // Control: without the header the same bytes are not JSON.
    assert_eq!(send(gzip(question), "identity").await.status, 400);
    let broken = gzip(question).into_iter().take(20).collect();
    let refused = send(broken, "gzip").await;
    refused.assert_error(400, "x_content_parse_exception");
    let bomb = gzip(&vec![b' '; 32 * 1024 * 1024]);
    assert_eq!(send(bomb, "gzip").await.status, 413);
}

#[tokio::test]
async fn responses_are_compressed_for_clients_that_accept_gzip() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    let plain = elastic.get(ME).await;
    assert!(plain.header("content-encoding").is_empty());
    for (accepted, packed) in [
        ("gzip", true),
        ("gzip, deflate", true),
        ("deflate;q=0.5, GZIP;q=1.0", true),
        ("*", true),
        ("identity", false),
        ("gzip;q=0", false),
        ("", false),
    ] {
        for client in [engine.elastic(), engine.anonymous()] {
            let same = client.get(ME).await;
            let response = client.header("Accept-Encoding", accepted).get(ME).await;
            assert_eq!(response.status, same.status, "{accepted}");
            let encoding = response.header("content-encoding");
            assert_eq!(encoding == ["gzip"], packed, "{accepted}: {encoding:?}");
            let length = response.bytes.len().to_string();
            assert_eq!(response.header("content-length"), [length]);
            let body = if packed {
                gunzip(&response.bytes)
            } else {
                response.bytes
            };
            assert_eq!(String::from_utf8(body).unwrap(), same.text, "{accepted}");
        }
    }
    let head = elastic
        .header("Accept-Encoding", "gzip")
        .send("HEAD", "/", None)
        .await;
    assert!(head.header("content-encoding").is_empty() && head.bytes.is_empty());
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut unpacked = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(bytes);
    decoder.read_to_end(&mut unpacked).unwrap();
    unpacked
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn missing_body_is_a_parse_exception() {
    let engine = TestEngine::start().await;
    let reason = engine
        .elastic()
        .send("POST", "/_security/api_key", None)
        .await
        .assert_error(400, "parse_exception");
    assert_eq!(reason, "request body is required");
}

#[tokio::test]
async fn invalid_json_is_400() {
    let engine = TestEngine::start().await;
    for body in [
        "{",
        "[]",
        "\"x\"",
        "{\"name\":}",
        "nul",
        "{\"name\":\"\\ud800\"}",
    ] {
        let response = engine
            .elastic()
            .send_bytes(
                "POST",
                "/_security/api_key",
                Some(body.as_bytes()),
                "application/json",
            )
            .await;
        assert_eq!(response.status, 400, "{body}: {}", response.text);
    }
}

#[tokio::test]
async fn deeply_nested_json_is_400() {
    let engine = TestEngine::start().await;
    let body = format!(
        "{{\"query\":{}{}}}",
        "{\"bool\":{\"must\":".repeat(5_000),
        "}}".repeat(5_000)
    );
    let response = engine
        .elastic()
        .send_bytes(
            "POST",
            "/_security/_query/api_key",
            Some(body.as_bytes()),
            "application/json",
        )
        .await;
    assert_eq!(response.status, 400, "{}", response.text);
}

#[tokio::test]
async fn source_parameter_replaces_the_body() {
    let engine = TestEngine::start().await;
    let path = "/_security/_query/api_key?source=%7B%22size%22%3A0%7D&source_content_type=application/json";
    engine.elastic().get(path).await.assert_ok();
}

#[tokio::test]
async fn path_escapes_are_decoded_and_invalid_ones_refused() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    elastic
        .put("/_security/role/a%20b", json!({"cluster": ["monitor"]}))
        .await
        .assert_ok();
    assert!(elastic.get("/_security/role/a%20b").await.assert_ok()["a b"].is_object());
    assert_eq!(elastic.get("/_security/role/%zz").await.status, 400);
    assert_eq!(elastic.get("/_security/role/%ff").await.status, 400);
}
