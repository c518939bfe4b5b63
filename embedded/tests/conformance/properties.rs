//! What must hold whatever is sent.

use std::sync::Arc;

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config as Cases, TestRunner},
};

use crate::support::*;

/// Values of a strategy, the same ones in every run.
fn samples<S: Strategy>(strategy: S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::new_with_rng(
        Cases::default(),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

/// JSON made of the words of the query language, mostly put together wrongly.
fn nearly_a_query() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("bool"),
        Just("must"),
        Just("should"),
        Just("must_not"),
        Just("filter"),
        Just("term"),
        Just("terms"),
        Just("match"),
        Just("match_all"),
        Just("ids"),
        Just("values"),
        Just("prefix"),
        Just("wildcard"),
        Just("exists"),
        Just("field"),
        Just("range"),
        Just("gte"),
        Just("lt"),
        Just("simple_query_string"),
        Just("query"),
        Just("fields"),
        Just("name"),
        Just("creation"),
        Just("expiration"),
        Just("invalidated"),
        Just("metadata.a"),
        Just("metadata"),
        Just("value"),
        Just("case_insensitive"),
        Just("minimum_should_match"),
        Just("now-1d/d"),
        Just("*a?\\"),
        Just("_doc"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word.clone().prop_map(str::to_owned), inner), 0..3)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

#[tokio::test]
async fn no_query_makes_an_internal_error() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    elastic
        .create_key(json!({"name": "k", "metadata": {"a": [1, "b"]}, "expiration": "1d"}))
        .await;
    for value in samples(nearly_a_query(), 300) {
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
async fn no_descriptor_makes_an_internal_error() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    for value in samples(nearly_a_query(), 150) {
        for field in [
            "cluster",
            "indices",
            "applications",
            "run_as",
            "global",
            "metadata",
            "restriction",
        ] {
            let body = json!({"name": "k", "role_descriptors": {"x": {field: value}}});
            let response = elastic.post("/_security/api_key", body.clone()).await;
            assert!(response.status < 500, "{body}: {}", response.text);
        }
    }
}

#[tokio::test]
async fn no_authorization_header_makes_an_internal_error() {
    let engine = TestEngine::start().await;
    for header in samples("(Basic|ApiKey|Bearer|[a-z]{0,8}) {0,2}[ -~]{0,60}", 300) {
        let status = engine.with(header.trim()).status_of_me().await;
        assert!(status == 401, "{header}: {status}");
    }
}

#[tokio::test]
async fn no_duration_makes_an_internal_error() {
    let engine = TestEngine::start().await;
    for expiration in samples("-?[0-9]{0,22}\\.?(nanos|micros|ms|s|m|h|d|M|w|.{0,3})", 300) {
        let response = engine
            .elastic()
            .post(
                "/_security/api_key",
                json!({"name": "k", "expiration": expiration}),
            )
            .await;
        assert!(response.status < 500, "{expiration}: {}", response.text);
    }
}

#[tokio::test]
async fn no_filter_path_makes_an_internal_error() {
    let engine = TestEngine::start().await;
    for path in samples("[-a-z*.,]{0,40}", 200) {
        let response = engine.elastic().get(&format!("/?filter_path={path}")).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text);
    }
}

#[tokio::test]
async fn a_key_never_holds_what_its_owner_does_not() {
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
        let person = engine
            .person_holding(&format!("owner{number}"), owner)
            .await;
        let key = person
            .create_key(json!({"name": "k", "role_descriptors": {"x": role(asked)}}))
            .await;
        let of_owner = person
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
async fn a_walk_visits_every_key_once_while_others_come_and_go() {
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
async fn a_revoked_key_stays_refused_while_it_is_hammered() {
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
                        me.status_of_me().await;
                    }
                })
            })
            .collect();
        engine.elastic().invalidate(&key).await.assert_ok();
        for _ in 0..5 {
            assert_eq!(me.status_of_me().await, 401);
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        for hammer in hammers {
            hammer.await.unwrap();
        }
    }
}
