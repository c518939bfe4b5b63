//! Limits on the work of one request. Elasticsearch has few of them.

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
