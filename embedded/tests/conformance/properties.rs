//! Properties that hold for any input.

use std::sync::Arc;

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner},
};

use crate::{malformed_input, support::*};

/// Values of a strategy: a few from a fixed seed, or with `AGENT_KEYS_SOAK` a hundred times as
/// many from a random seed, which is printed.
fn samples<S: Strategy>(strategy: S, few: usize) -> impl Iterator<Item = S::Value> {
    let count = soak(few, few * 100);
    let mut seed = [7; 32];
    if count > few {
        seed = platform::Random.bytes().unwrap();
        println!("seed={seed:?}");
    }
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Cases::default(), random);
    (0..count).map(move |_| strategy.new_tree(&mut runner).unwrap().current())
}

#[tokio::test]
async fn fuzzed_query_is_never_an_internal_error() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    elastic
        .create_key(json!({"name": "k", "metadata": {"a": [1, "b"]}, "expiration": "1d"}))
        .await;
    let mut understood = 0;
    for query in samples(malformed_input::query(), 500) {
        let response = elastic.query(json!({"query": query})).await;
        assert!(response.status < 500, "{query}: {}", response.text);
        understood += usize::from(response.status == 200);
    }
    assert!(understood > 80, "only {understood} were understood");
    for value in samples(malformed_input::json(), 150) {
        for body in [
            json!({"query": value}),
            json!({"sort": value}),
            json!({"aggs": {"x": value}}),
            json!({"sort": ["name"], "search_after": [value]}),
        ] {
            let response = elastic.query(body.clone()).await;
            assert!(response.status < 500, "{body}: {}", response.text);
        }
    }
}

#[tokio::test]
async fn fuzzed_descriptor_is_never_an_internal_error() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    for descriptor in samples(malformed_input::descriptor(), 400) {
        let body = json!({"name": "k", "role_descriptors": {"x": descriptor}});
        let response = elastic.post("/_security/api_key", body.clone()).await;
        assert!(response.status < 500, "{body}: {}", response.text);
        let response = elastic.put("/_security/role/x", descriptor.clone()).await;
        assert!(response.status < 500, "{descriptor}: {}", response.text);
    }
}

#[tokio::test]
async fn fuzzed_authorization_header_is_always_401() {
    let engine = TestEngine::start().await;
    for header in samples(malformed_input::authorization(), 400) {
        // HTTP itself refuses control characters in headers.
        let header: String = String::from_utf8_lossy(&header)
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        let status = engine.with(header.trim()).authentication_status().await;
        assert!(status == 401, "{header}: {status}");
    }
}

#[tokio::test]
async fn fuzzed_duration_is_never_an_internal_error() {
    let engine = TestEngine::start().await;
    for expiration in samples(malformed_input::duration(), 300) {
        let body = json!({"name": "k", "expiration": expiration});
        let response = engine.elastic().post("/_security/api_key", body).await;
        assert!(response.status < 500, "{expiration}: {}", response.text);
    }
}

#[tokio::test]
async fn fuzzed_filter_path_is_always_accepted() {
    let engine = TestEngine::start().await;
    for path in samples(malformed_input::filter_path(), 300) {
        let encoded: String = path.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let response = engine
            .elastic()
            .get(&format!("/?filter_path={encoded}"))
            .await;
        assert_eq!(response.status, 200, "{path}: {}", response.text);
    }
}

#[tokio::test]
async fn key_never_exceeds_privileges_of_its_owner() {
    let engine = TestEngine::start().await;
    let names = [
        "all",
        "none",
        "manage",
        "monitor",
        "manage_security",
        "manage_api_key",
        "manage_own_api_key",
        "grant_api_key",
        "read_security",
        "manage_token",
    ];
    let actions = ["*", "event:write", "config_agent:read", "event:*"];
    let subset = |all: &'static [&'static str]| {
        prop::sample::subsequence(all.to_vec(), 1..=3.min(all.len()))
    };
    let names: &'static [&'static str] = Box::leak(Box::new(names));
    let actions: &'static [&'static str] = Box::leak(Box::new(actions));
    let role = |(cluster, privileges): (Vec<&str>, Vec<&str>)| {
        json!({
            "cluster": cluster, "applications": [{"application": "apm", "privileges": privileges, "resources": ["*"]}],
        })
    };
    let pairs = samples(
        (
            (subset(names), subset(actions)),
            (subset(names), subset(actions)),
        ),
        25,
    );
    let check = json!({"cluster": names, "application": [{"application": "apm", "privileges": actions, "resources": ["*", "-"]}]});
    for (number, (owner, asked)) in pairs.into_iter().enumerate() {
        let mut owner = role(owner);
        owner["cluster"]
            .as_array_mut()
            .unwrap()
            .push(json!("manage_own_api_key"));
        let client = engine
            .user_with_role(&format!("owner{number}"), owner)
            .await;
        let key = client
            .create_key(json!({"name": "k", "role_descriptors": {"x": role(asked)}}))
            .await;
        let of_owner = client
            .post("/_security/user/_has_privileges", check.clone())
            .await
            .assert_ok();
        let of_key = engine
            .key(&key)
            .post("/_security/user/_has_privileges", check.clone())
            .await
            .assert_ok();
        for pointer in ["/cluster", "/application/apm/*", "/application/apm/-"] {
            for (name, held) in of_key.pointer(pointer).unwrap().as_object().unwrap() {
                assert!(
                    !held.as_bool().unwrap() || of_owner.pointer(pointer).unwrap()[name] == true,
                    "{name}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search_after_visits_every_key_once_during_writes() {
    let engine = Arc::new(TestEngine::start().await);
    let elastic = engine.elastic();
    let mut standing = Vec::new();
    for number in 0..60 {
        standing.push(
            elastic
                .create_key(json!({"name": format!("standing-{number:03}")}))
                .await
                .id,
        );
    }
    let beside = {
        let elastic = elastic.clone();
        tokio::spawn(async move {
            for number in 0..60 {
                let key = elastic
                    .create_key(json!({"name": format!("passing-{number:03}")}))
                    .await;
                elastic.invalidate(&key).await.assert_ok();
            }
        })
    };
    let sort = json!([{"creation": "desc"}, {"name": "asc"}]);
    for _ in 0..5 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let mut body = json!({"sort": sort, "size": 9});
            if let Some(after) = after.take() {
                body["search_after"] = after;
            }
            let page = elastic.query(body).await.assert_ok();
            let keys = page["api_keys"].as_array().unwrap().clone();
            let Some(last) = keys.last() else { break };
            after = Some(last["_sort"].clone());
            seen.extend(
                keys.iter()
                    .map(|key| key["id"].as_str().unwrap().to_owned()),
            );
        }
        let mut distinct = seen.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), seen.len(), "a key was seen twice");
        assert!(
            standing.iter().all(|id| seen.contains(id)),
            "a key was missed"
        );
    }
    beside.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_key_stays_refused_under_concurrent_use() {
    let engine = Arc::new(TestEngine::start().await);
    for _ in 0..20 {
        let key = engine.elastic().create_key(json!({"name": "k"})).await;
        let (me, stop) = (
            engine.key(&key),
            Arc::new(std::sync::atomic::AtomicBool::new(false)),
        );
        let hammers: Vec<_> = (0..3)
            .map(|_| {
                let (me, stop) = (me.clone(), stop.clone());
                tokio::spawn(async move {
                    while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                        me.authentication_status().await;
                    }
                })
            })
            .collect();
        engine.elastic().invalidate(&key).await.assert_ok();
        for _ in 0..5 {
            assert_eq!(me.authentication_status().await, 401);
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        for hammer in hammers {
            hammer.await.unwrap();
        }
    }
}
