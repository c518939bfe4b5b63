//! Limits on the work of one request. Elasticsearch has few of them.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::sleep,
};

use crate::support::*;

const CHECK: &str = "/_security/user/_has_privileges";
const KEYS: &str = "/_security/api_key";

async fn start() -> TestEngine {
    TestEngine::start_with(|_| {}).await
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{prefix}{number}"))
        .collect()
}

fn check(privileges: usize, resources: usize) -> Value {
    json!({"application": [{
        "application": "apm",
        "privileges": names("event:p", privileges),
        "resources": names("r", resources),
    }]})
}

async fn refused(client: &Client, path: &str, body: Value) -> String {
    client
        .post(path, body)
        .await
        .assert_error(400, "illegal_argument_exception")
}

#[tokio::test]
async fn check_has_at_most_ten_thousand_pairs() {
    let engine = start().await;
    let elastic = engine.elastic();
    elastic.post(CHECK, check(100, 100)).await.assert_ok();
    let reason = refused(&elastic, CHECK, check(73, 137)).await;
    assert!(reason.contains("more than [10000] pairs"), "{reason}");
    let cluster = vec!["all"; 10_001];
    refused(&elastic, CHECK, json!({ "cluster": cluster })).await;
    let index = json!([{"names": names("i", 101), "privileges": vec!["read"; 100]}]);
    refused(&elastic, CHECK, json!({ "index": index })).await;
}

#[tokio::test]
async fn costly_check_ends_while_others_are_answered() {
    let engine = start().await;
    let elastic = engine.elastic();
    // Each comparison fails only at the end, from each beginning.
    let held = |number: usize| format!("*{}{number}", "a".repeat(500));
    let patterns: Vec<String> = (0..2_000).map(held).collect();
    let key = elastic
        .create_key(json!({"name": "k", "role_descriptors": {"r": {
            "indices": [{"names": patterns, "privileges": ["read"]}],
        }}}))
        .await;
    let asked: Vec<String> = (0..5_000)
        .map(|number| format!("{}{number}", "a".repeat(1_000)))
        .collect();
    let costly = json!({"index": [{"names": asked, "privileges": ["read"]}]});
    let client = engine.key(&key);
    let costly = tokio::spawn(async move { client.post(CHECK, costly).await });
    // This test has one thread, on which the engine answers everything but the check.
    let mut answered = 0;
    while !costly.is_finished() {
        assert_eq!(engine.key(&key).authentication_status().await, 200);
        answered += 1;
    }
    assert!(answered > 20, "{answered}");
    costly.await.unwrap().assert_error(503, "timeout_exception");
}

#[tokio::test]
async fn names_and_patterns_have_at_most_1024_bytes() {
    let engine = start().await;
    let elastic = engine.elastic();
    let role = |name: &str| json!({"indices": [{"names": [name], "privileges": ["read"]}]});
    let key = |name: &str| json!({"name": "k", "role_descriptors": {"r": role(name)}});
    let check = |name: &str| json!({"index": [{"names": [name], "privileges": ["read"]}]});
    let (longest, longer) = ("n".repeat(1_024), "n".repeat(1_025));
    elastic
        .put("/_security/role/r", role(&longest))
        .await
        .assert_ok();
    elastic.post(KEYS, key(&longest)).await.assert_ok();
    elastic.post(CHECK, check(&longest)).await.assert_ok();
    elastic
        .put("/_security/role/r", role(&longer))
        .await
        .assert_error(400, "illegal_argument_exception");
    refused(&elastic, KEYS, key(&longer)).await;
    refused(&elastic, CHECK, check(&longer)).await;
}

#[tokio::test]
async fn descriptors_have_at_most_ten_thousand_names() {
    let engine = start().await;
    let elastic = engine.elastic();
    let key = |count: usize| {
        let role = json!({"indices": [{"names": names("i", count), "privileges": ["read"]}]});
        json!({"name": "k", "role_descriptors": {"r": role}})
    };
    elastic.post(KEYS, key(9_999)).await.assert_ok();
    let reason = refused(&elastic, KEYS, key(10_000)).await;
    assert!(reason.contains("more than [10000] names"), "{reason}");
}

#[tokio::test]
async fn metadata_is_bounded() {
    let engine = start().await;
    let elastic = engine.elastic();
    let key = |metadata: Value| json!({"name": "k", "metadata": metadata});
    for (metadata, reason) in [
        (
            json!({"list": names("v", 1_001)}),
            "more than [1000] values",
        ),
        (json!({"text": "v".repeat(32_762)}), "one immense field"),
        (json!({"k".repeat(32_766): "v"}), "one immense field"),
        (
            json!({"a": "v".repeat(30_000), "b": "v".repeat(30_000), "c": "v".repeat(6_000)}),
            "longer than [65536] bytes",
        ),
    ] {
        let error = refused(&elastic, KEYS, key(metadata.clone())).await;
        assert!(error.contains(reason), "{error}");
        let created = elastic.create_key(json!({"name": "k"})).await;
        let path = format!("{KEYS}/{}", created.id);
        let error = elastic
            .put(&path, json!({"metadata": metadata}))
            .await
            .assert_error(400, "illegal_argument_exception");
        assert!(error.contains(reason), "{error}");
    }
    for metadata in [
        json!({"list": names("v", 1_000)}),
        json!({"text": "v".repeat(32_761)}),
    ] {
        elastic.post(KEYS, key(metadata)).await.assert_ok();
    }
}

#[tokio::test]
async fn filter_path_is_bounded() {
    let engine = start().await;
    let elastic = engine.elastic();
    let path = |filter: &str| format!("/_security/_authenticate?filter_path={filter}");
    let bomb = vec!["-**.*.**.*.**.*"; 64].join(",");
    for filter in [bomb, "a".repeat(4_097), ["a"; 257].join(".")] {
        elastic
            .get(&path(&filter))
            .await
            .assert_error(400, "illegal_argument_exception");
    }
    let answer = elastic.get(&path("**.name,username")).await.assert_ok();
    assert_eq!(answer["username"], "elastic");
}

#[tokio::test]
async fn imported_hash_costs_at_least_as_much_as_ours() {
    let engine = TestEngine::start_with(|config| {
        config.password_hashing = embedded::PasswordHashing::Standard;
    })
    .await;
    let elastic = engine.elastic();
    let user = |cost: &str| {
        let hash = format!(
            "$argon2id$v=19${cost},p=1$YWJjZGVmZ2g$YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY"
        );
        json!({"password_hash": hash, "roles": []})
    };
    for (cost, status) in [
        ("m=64,t=1", 400),
        ("m=47104,t=1", 400),
        ("m=47103,t=2", 400),
        ("m=47104,t=2", 200),
        ("m=65537,t=2", 400),
    ] {
        let answer = elastic.put("/_security/user/ann", user(cost)).await;
        assert_eq!(answer.status, status, "{cost}");
    }
}

/// Sends a request; returns true if it is answered.
async fn is_answered(stream: &mut TcpStream) -> bool {
    let request = b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut answer = [0; 1_024];
    stream.write_all(request).await.is_ok()
        && stream.read(&mut answer).await.is_ok_and(|count| count > 0)
}

#[tokio::test]
async fn one_address_gets_its_share_of_the_connections_and_the_application_its_own() {
    let engine = TestEngine::start_with(|config| {
        config.connections.connections_max = 12;
        config.connections.connections_per_address_max = 8;
    })
    .await;
    let connect = async |from: [u8; 4], to: SocketAddr| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect(to).await.unwrap()
    };
    let mut held = Vec::new();
    for (from, count, max) in [(1, 10, 8), (2, 6, 4)] {
        for number in 0..count {
            let mut stream = connect([127, 0, 0, from], engine.address()).await;
            let expected = number < max;
            assert_eq!(is_answered(&mut stream).await, expected, "{from} {number}");
            if expected {
                held.push(stream);
            }
        }
    }
    // All places are taken, and the application has places of its own.
    let local = engine.engine().local_address();
    for _ in 0..12 {
        let mut stream = connect([127, 0, 0, 1], local).await;
        assert!(is_answered(&mut stream).await);
        held.push(stream);
    }
}

#[tokio::test]
async fn connection_without_a_request_ends_at_its_time_limit() {
    let engine = TestEngine::start_with(|config| {
        config.connections.idle_timeout = Duration::from_secs(1);
    })
    .await;
    let mut asking = TcpStream::connect(engine.address()).await.unwrap();
    let mut silent = TcpStream::connect(engine.address()).await.unwrap();
    let mut dripping = TcpStream::connect(engine.address()).await.unwrap();
    assert!(is_answered(&mut dripping).await);
    let began = Instant::now();
    let mut headers = b"OPTIONS / HTTP/1.1\r\n".to_vec();
    while dripping.write_all(&headers).await.is_ok() {
        headers = b"X-Drip: 1\r\n".to_vec();
        assert!(began.elapsed() < Duration::from_secs(20));
        assert!(is_answered(&mut asking).await);
        sleep(Duration::from_millis(100)).await;
    }
    let mut byte = [0];
    assert!(matches!(silent.read(&mut byte).await, Ok(0) | Err(_)));
    assert!(is_answered(&mut asking).await);
}
