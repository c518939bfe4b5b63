//! Querying keys.

use crate::support::*;

/// Creates five keys: two of ann, three of elastic; one revoked, one expired, one with a later
/// expiration.
async fn with_keys() -> (TestEngine, Client) {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    let ann = engine
        .user_with_privileges("ann", &["manage_own_api_key"])
        .await;
    let apm = |extra: Value| {
        let mut metadata = json!({"application": "apm"});
        metadata
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        metadata
    };
    let later = async || engine.tick().await;
    ann.create_key(json!({"name": "checkout-node", "metadata": apm(json!({"team": {"name": "shop", "size": 3}}))})).await;
    later().await;
    ann.create_key(json!({"name": "Checkout-java", "metadata": apm(json!({"tags": ["a", "b"]})), "expiration": "30d"})).await;
    later().await;
    let revoked = elastic
        .create_key(json!({"name": "revoked", "metadata": apm(json!({}))}))
        .await;
    elastic.invalidate(&revoked).await.assert_ok();
    later().await;
    elastic.create_key(json!({"name": "expired", "metadata": apm(json!({"system": false})), "expiration": "0"})).await;
    later().await;
    elastic
        .create_key(json!({"name": "system", "metadata": apm(json!({"system": true}))}))
        .await;
    later().await;
    (engine, elastic)
}

async fn sorted(client: &Client, query: Value) -> Vec<String> {
    let mut names = client.names(json!({"query": query, "size": 100})).await;
    names.sort();
    names
}

#[tokio::test]
async fn query_without_a_body_returns_ten_keys() {
    let (_engine, elastic) = with_keys().await;
    for _ in 0..7 {
        elastic.create_key(json!({"name": "more"})).await;
    }
    let found = elastic.get("/_security/_query/api_key").await.assert_ok();
    assert_eq!((&found["total"], &found["count"]), (&json!(12), &json!(10)));
    assert!(found.get("aggregations").is_none());
    assert!(found["api_keys"][0].get("_sort").is_none());
}

#[tokio::test]
async fn each_query_type_finds_its_keys() {
    let (engine, elastic) = with_keys().await;
    let all = [
        "Checkout-java",
        "checkout-node",
        "expired",
        "revoked",
        "system",
    ];
    #[rustfmt::skip]
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({"match_all": {}}), &all),
        (json!({"term": {"name": "revoked"}}), &["revoked"]),
        (json!({"term": {"name": {"value": "REVOKED"}}}), &[]),
        (json!({"term": {"name": {"value": "REVOKED", "case_insensitive": true}}}), &["revoked"]),
        (json!({"match": {"name": "revoked"}}), &["revoked"]),
        (json!({"match": {"name": {"query": "revoked", "operator": "and"}}}), &["revoked"]),
        (json!({"terms": {"name": ["revoked", "system", "nope"]}}), &["revoked", "system"]),
        (json!({"prefix": {"name": "checkout"}}), &["checkout-node"]),
        (json!({"prefix": {"name": {"value": "CHECK", "case_insensitive": true}}}), &["Checkout-java", "checkout-node"]),
        (json!({"wildcard": {"name": "*-no?e"}}), &["checkout-node"]),
        (json!({"wildcard": {"name": {"value": "*OUT*", "case_insensitive": true}}}), &["Checkout-java", "checkout-node"]),
        (json!({"wildcard": {"name": "*OUT*"}}), &[]),
        (json!({"exists": {"field": "expiration"}}), &["Checkout-java", "expired"]),
        (json!({"exists": {"field": "metadata.tags"}}), &["Checkout-java"]),
        (json!({"exists": {"field": "metadata"}}), &all),
        (json!({"term": {"username": "ann"}}), &["Checkout-java", "checkout-node"]),
        (json!({"term": {"realm_name": "reserved"}}), &["expired", "revoked", "system"]),
        (json!({"term": {"type": "rest"}}), &all),
        (json!({"term": {"invalidated": true}}), &["revoked"]),
        (json!({"term": {"invalidated": "true"}}), &["revoked"]),
        (json!({"range": {"expiration": {"lte": "now"}}}), &["expired"]),
        (json!({"range": {"expiration": {"gt": "now", "lt": "now+31d"}}}), &["Checkout-java"]),
        (json!({"range": {"creation": {"lt": "now"}}}), &all),
        (json!({"range": {"creation": {"gte": engine.start_ms() + 4_000}}}), &["system"]),
        (json!({"range": {"creation": {"gte": "2026-01-02", "lt": "2026-01-02||+1d"}}}), &all),
        (json!({"range": {"invalidation": {"gte": 0}}}), &["revoked"]),
        (json!({"range": {"name": {"gte": "r", "lt": "s"}}}), &["revoked"]),
        (json!({"term": {"metadata.application": "apm"}}), &all),
        (json!({"term": {"metadata.system": true}}), &["system"]),
        (json!({"term": {"metadata.team.name": "shop"}}), &["checkout-node"]),
        (json!({"term": {"metadata.team.size": 3}}), &["checkout-node"]),
        (json!({"term": {"metadata.tags": "b"}}), &["Checkout-java"]),
        (json!({"term": {"metadata": "shop"}}), &["checkout-node"]),
        (json!({"simple_query_string": {"query": "revoked system"}}), &["revoked", "system"]),
        (json!({"simple_query_string": {"query": "check*", "fields": ["name"]}}), &["checkout-node"]),
        (json!({"simple_query_string": {"query": "shop | revoked"}}), &["checkout-node", "revoked"]),
        (json!({"simple_query_string": {"query": "ann + shop"}}), &["checkout-node"]),
        (json!({"simple_query_string": {"query": "revoked", "fields": ["api_key_hash", "doc_type"]}}), &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(sorted(&elastic, query.clone()).await, expected, "{query}");
    }
}

#[tokio::test]
async fn bool_query_combines_clauses() {
    let (_engine, elastic) = with_keys().await;
    let term = |field: &str, value: &str| json!({"term": {field: value}});
    #[rustfmt::skip]
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({"bool": {}}), &["Checkout-java", "checkout-node", "expired", "revoked", "system"]),
        (json!({"bool": {"filter": [term("username", "elastic")], "must_not": [{"term": {"invalidated": true}}]}}), &["expired", "system"]),
        (json!({"bool": {"filter": term("metadata.application", "apm"), "must_not": {"term": {"metadata.system": true}}}}), &["Checkout-java", "checkout-node", "expired", "revoked"]),
        (json!({"bool": {"should": [term("name", "revoked"), term("name", "system")]}}), &["revoked", "system"]),
        (json!({"bool": {"must": [term("username", "elastic")], "should": [term("name", "revoked")]}}), &["expired", "revoked", "system"]),
        (json!({"bool": {"must": [term("username", "elastic")], "should": [term("name", "revoked")], "minimum_should_match": 1}}), &["revoked"]),
        (json!({"bool": {"should": [term("name", "revoked"), term("username", "elastic"), term("username", "ann")], "minimum_should_match": 2}}), &["revoked"]),
        (json!({"bool": {"must_not": [{"exists": {"field": "metadata.system"}}]}}), &["Checkout-java", "checkout-node", "revoked"]),
        (json!({"bool": {"must_not": [{"range": {"expiration": {"lte": "now"}}}]}}), &["Checkout-java", "checkout-node", "revoked", "system"]),
    ];
    for (query, expected) in cases {
        assert_eq!(sorted(&elastic, query.clone()).await, expected, "{query}");
    }
}

#[tokio::test]
async fn ids_query_selects_by_id() {
    let (_engine, elastic) = with_keys().await;
    let key = elastic.create_key(json!({"name": "k"})).await;
    assert_eq!(
        elastic
            .names(json!({"query": {"ids": {"values": [key.id, "nope"]}}}))
            .await,
        ["k"]
    );
}

#[tokio::test]
async fn every_value_of_a_multi_valued_field_matches() {
    let (_engine, elastic) = with_keys().await;
    elastic.create_key(json!({"name": "both", "metadata": {"application": ["apm", "other"], "system": [true, false]}})).await;
    assert_eq!(
        sorted(&elastic, json!({"term": {"metadata.application": "other"}})).await,
        ["both"]
    );
    assert_eq!(
        sorted(&elastic, json!({"term": {"metadata.system": true}})).await,
        ["both", "system"]
    );
    let found = elastic
        .query(json!({"size": 0, "query": {"term": {"metadata.application": "apm"}}}))
        .await
        .assert_ok();
    assert_eq!(found["total"], 6);
}

#[tokio::test]
async fn unsupported_queries_and_fields_are_refused() {
    let (_engine, elastic) = with_keys().await;
    for query in [
        json!({"query_string": {"query": "x"}}),
        json!({"regexp": {"name": "x"}}),
        json!({"script": {}}),
        json!({"term": {"doc_type": "x"}}),
        json!({"term": {"api_key_hash": "x"}}),
        json!({"term": {"creator.principal": "x"}}),
        json!({"term": {"metadata_flattened.a": "x"}}),
        json!({"exists": {"field": "api_key_invalidated"}}),
        json!({"terms": {"name": {"index": "i", "id": "1", "path": "p"}}}),
        json!({"range": {"creation": {"relation": "within", "gt": 1}}}),
        json!({"prefix": {"creation": "2"}}),
        json!({"term": {"invalidated": "perhaps"}}),
    ] {
        elastic
            .query(json!({"query": query}))
            .await
            .assert_error(400, "illegal_argument_exception");
    }
    for query in [
        json!({}),
        json!([]),
        json!({"term": {}}),
        json!({"term": {"name": "a"}, "match_all": {}}),
        json!({"range": {"creation": {"gt": "someday"}}}),
        json!({"bool": {"nonsense": []}}),
    ] {
        assert_eq!(
            elastic.query(json!({"query": query})).await.status,
            400,
            "{query}"
        );
    }
    elastic
        .query(json!({"nonsense": 1}))
        .await
        .assert_error(400, "x_content_parse_exception");
}

#[tokio::test]
async fn page_size_is_limited() {
    let (_engine, elastic) = with_keys().await;
    let reason = elastic
        .query(json!({"from": -1}))
        .await
        .assert_error(400, "action_request_validation_exception");
    assert!(reason.contains("[from] parameter cannot be negative but was [-1]"));
    elastic
        .query(json!({"size": -1}))
        .await
        .assert_error(400, "action_request_validation_exception");
    elastic
        .query(json!({"from": 1, "size": 10_000}))
        .await
        .assert_error(400, "illegal_argument_exception");
    elastic.query(json!({"size": 10_000})).await.assert_ok();
    let none = elastic.query(json!({"size": 0})).await.assert_ok();
    assert_eq!((&none["total"], &none["count"]), (&json!(5), &json!(0)));
}

#[tokio::test]
async fn from_skips_keys() {
    let (_engine, elastic) = with_keys().await;
    let names = elastic
        .names(json!({"from": 1, "size": 2, "sort": ["creation"]}))
        .await;
    assert_eq!(names, ["Checkout-java", "revoked"]);
}

#[tokio::test]
async fn missing_values_sort_last() {
    let (_engine, elastic) = with_keys().await;
    #[rustfmt::skip]
    let cases: Vec<(Value, &[&str])> = vec![
        (json!("name"), &["Checkout-java", "checkout-node", "expired", "revoked", "system"]),
        (json!([{"creation": "desc"}]), &["system", "expired", "revoked", "Checkout-java", "checkout-node"]),
        (json!([{"username": {"order": "asc"}}, {"creation": {"order": "desc"}}]), &["Checkout-java", "checkout-node", "system", "expired", "revoked"]),
        (json!([{"expiration": "asc"}, {"name": "asc"}]), &["expired", "Checkout-java", "checkout-node", "revoked", "system"]),
        (json!([{"expiration": "desc"}, {"name": "desc"}]), &["Checkout-java", "expired", "system", "revoked", "checkout-node"]),
        (json!([{"metadata.team.name": "asc"}, "name"]), &["checkout-node", "Checkout-java", "expired", "revoked", "system"]),
        (json!(["_doc"]), &["checkout-node", "Checkout-java", "revoked", "expired", "system"]),
        (json!([{"invalidated": "desc"}, "name"]), &["revoked", "Checkout-java", "checkout-node", "expired", "system"]),
    ];
    for (sort, expected) in cases {
        assert_eq!(
            elastic.names(json!({"sort": sort})).await,
            expected,
            "{sort}"
        );
    }
}

#[tokio::test]
async fn keys_without_a_value_sort_where_missing_says() {
    let (engine, elastic) = with_keys().await;
    let now = engine.start_ms();
    let by = |order: &str, missing: Value| json!([{"expiration": {"order": order, "missing": missing}}, "name"]);
    #[rustfmt::skip]
    let cases: Vec<(Value, &[&str])> = vec![
        (by("asc", json!("_last")), &["expired", "Checkout-java", "checkout-node", "revoked", "system"]),
        (by("asc", json!("_first")), &["checkout-node", "revoked", "system", "expired", "Checkout-java"]),
        (by("desc", json!("_first")), &["checkout-node", "revoked", "system", "Checkout-java", "expired"]),
        (by("asc", json!(now + 86_400_000)), &["expired", "checkout-node", "revoked", "system", "Checkout-java"]),
        (by("desc", json!("now+1d")), &["Checkout-java", "checkout-node", "revoked", "system", "expired"]),
        (json!([{"metadata.team.name": {"missing": "_first"}}, "name"]), &["Checkout-java", "expired", "revoked", "system", "checkout-node"]),
        (json!([{"metadata.team.name": {"missing": "zoo"}}, "name"]), &["checkout-node", "Checkout-java", "expired", "revoked", "system"]),
        (json!([{"type": {}}, {"expiration": {"missing": "_first"}}, "name"]), &["checkout-node", "revoked", "system", "expired", "Checkout-java"]),
    ];
    for (sort, expected) in cases {
        assert_eq!(
            elastic.names(json!({"sort": sort})).await,
            expected,
            "{sort}"
        );
        // Page by page, each key comes once and in the same place.
        let mut walked = Vec::new();
        let mut after = Value::Null;
        loop {
            let mut body = json!({"sort": sort, "size": 2});
            if !after.is_null() {
                body["search_after"] = after;
            }
            let page = elastic.query(body).await.assert_ok();
            let keys = page["api_keys"].as_array().unwrap().clone();
            let Some(last) = keys.last() else { break };
            after = last["_sort"].clone();
            walked.extend(
                keys.iter()
                    .map(|key| key["name"].as_str().unwrap().to_owned()),
            );
        }
        assert_eq!(walked, expected, "{sort}");
    }
}

#[tokio::test]
async fn missing_timestamps_are_shown_beyond_all_others() {
    let (_engine, elastic) = with_keys().await;
    for (order, missing, shown) in [
        ("asc", "_last", i64::MAX),
        ("asc", "_first", i64::MIN),
        ("desc", "_last", i64::MIN),
        ("desc", "_first", i64::MAX),
    ] {
        let sort = json!([{"expiration": {"order": order, "missing": missing}}]);
        let query = json!({"term": {"name": "system"}});
        let found = elastic.query(json!({"query": query, "sort": sort})).await;
        assert_eq!(found.at("/api_keys/0/_sort"), json!([shown]), "{sort}");
    }
}

#[tokio::test]
async fn sort_values_have_the_requested_format() {
    let (engine, elastic) = with_keys().await;
    let ms = engine.start_ms() + 1_000;
    let query = json!({"term": {"name": "Checkout-java"}});
    for (format, shown) in [
        (
            "strict_date_optional_time",
            "2026-01-02T03:04:06.678Z".to_owned(),
        ),
        ("date_time", "2026-01-02T03:04:06.678Z".to_owned()),
        (
            "strict_date_time_no_millis",
            "2026-01-02T03:04:06Z".to_owned(),
        ),
        ("strict_date", "2026-01-02".to_owned()),
        ("yyyy-MM-dd", "2026-01-02".to_owned()),
        ("epoch_millis", ms.to_string()),
        ("epoch_second||date", (ms / 1_000).to_string()),
    ] {
        let sort = json!([{"creation": {"format": format}}]);
        let body = json!({"query": query, "sort": sort});
        let found = elastic.query(body).await;
        assert_eq!(found.at("/api_keys/0/_sort"), json!([shown]), "{format}");
        // The shown value is a position in the list.
        let rest = json!({"sort": sort, "search_after": [shown], "size": 10});
        elastic.query(rest).await.assert_ok();
    }
    let after = json!({"sort": [{"creation": {"format": "epoch_second"}}], "search_after": [(ms / 1_000 + 1).to_string()]});
    assert_eq!(elastic.names(after).await, ["revoked", "expired", "system"]);
    for (field, format) in [
        ("creation", "nope"),
        ("name", "date"),
        ("invalidated", "date"),
    ] {
        let sort = json!([{field: {"format": format}}]);
        let refused = elastic.query(json!({"sort": sort})).await;
        refused.assert_error(400, "illegal_argument_exception");
    }
}

#[tokio::test]
async fn sort_object_has_one_field() {
    let (_engine, elastic) = with_keys().await;
    for sort in [
        json!([{"name": {"order": "asc"}, "creation": {"order": "asc"}}]),
        json!({"name": {}, "creation": {}}),
        json!([{}]),
    ] {
        let refused = elastic.query(json!({"sort": sort})).await;
        assert_eq!(refused.status, 400, "{sort}");
    }
}

#[tokio::test]
async fn patterns_and_open_ranges_of_one_metadata_field_are_refused() {
    let (engine, elastic) = with_keys().await;
    let _engine = engine.since(8, 13);
    #[rustfmt::skip]
    let cases = [
        (json!({"wildcard": {"metadata.team.name": "s*"}}), "[wildcard] queries are not currently supported on keyed [flattened] fields."),
        (json!({"wildcard": {"metadata.application": {"value": "a*"}}}), "[wildcard] queries are not currently supported on keyed [flattened] fields."),
        (json!({"range": {"metadata.team.name": {"gte": "a"}}}), "[range] queries on keyed [flattened] fields must include both an upper and a lower bound."),
    ];
    for (query, reason) in cases {
        let refused = elastic.query(json!({"query": query})).await;
        let outer = refused.assert_error(400, "search_phase_execution_exception");
        assert_eq!(outer, "all shards failed");
        assert_eq!(
            refused.at("/error/root_cause/0/reason"),
            format!("failed to create query: {reason}")
        );
        let kind = refused.at("/error/root_cause/0/type");
        assert_eq!(kind, "query_shard_exception");
    }
    // All of the metadata, and a beginning, may be searched.
    for query in [
        json!({"wildcard": {"metadata": "sh*"}}),
        json!({"prefix": {"metadata.team.name": "sh"}}),
        json!({"range": {"metadata.team.name": {"gte": "sh", "lt": "si"}}}),
    ] {
        assert_eq!(sorted(&elastic, query).await, ["checkout-node"]);
    }
}

#[tokio::test]
async fn search_inside_names_finds_exactly_the_names_with_the_text() {
    let engine = TestEngine::start_with(|_| {}).await;
    let elastic = engine.elastic();
    let parts = [
        "team 42",
        "TEAM 42",
        "tea",
        "m 42",
        "\"quoted\"",
        "Stra\u{df}e",
        "\u{130}x\u{212a}y",
        "a*b?c",
        "%_",
        "\u{1f600}\u{1f600}\u{1f600}\u{1f600}",
        "42",
    ];
    let mut names = Vec::new();
    for (number, first) in parts.iter().enumerate() {
        for second in &parts[number..] {
            names.push(format!("x{first} {second}x"));
        }
    }
    for name in &names {
        elastic.create_key(json!({"name": name})).await;
    }
    // One of them is deleted, with its part of the index.
    let gone = elastic
        .create_key(json!({"name": "team 42 gone", "expiration": "0"}))
        .await;
    elastic.invalidate(&gone).await.assert_ok();
    let texts = parts.iter().copied().chain([
        "", "t", "ea", "eam", "team 4", "nope", "\" \"", "E", "K", "k",
    ]);
    for text in texts {
        let escaped: String = text
            .chars()
            .flat_map(|c| {
                matches!(c, '*' | '?' | '\\')
                    .then_some('\\')
                    .into_iter()
                    .chain([c])
            })
            .collect();
        for case_insensitive in [false, true] {
            let folded = |text: &str| {
                if case_insensitive {
                    text.to_ascii_lowercase()
                } else {
                    text.to_owned()
                }
            };
            let contains = |name: &&String| folded(name).contains(&folded(text));
            let mut expected: Vec<String> = names.iter().filter(contains).cloned().collect();
            expected.sort();
            let wildcard = json!({"wildcard": {"name": {"value": format!("*{escaped}*"), "case_insensitive": case_insensitive}}});
            let kept = json!({"bool": {"must": [wildcard], "must_not": [{"term": {"invalidated": true}}]}});
            assert_eq!(sorted(&elastic, kept.clone()).await, expected, "{text}");
            let total = elastic.query(json!({"query": kept, "size": 0})).await;
            assert_eq!(total.at("/total"), expected.len(), "{text}");
            let without =
                json!({"bool": {"must_not": [wildcard, {"term": {"invalidated": true}}]}});
            let total = elastic.query(json!({"query": without, "size": 0})).await;
            assert_eq!(total.at("/total"), names.len() - expected.len(), "{text}");
        }
    }
    // With a literal before, between and after, and any one character.
    for pattern in ["xteam*42x", "*eam ?2*", "xteam 42 42x"] {
        let query = json!({"bool": {"must": {"wildcard": {"name": pattern}}, "must_not": {"term": {"invalidated": true}}}});
        let found = names
            .iter()
            .filter(|name| match pattern {
                "xteam*42x" => name.starts_with("xteam") && name.ends_with("42x"),
                "*eam ?2*" => name.contains("eam 42"),
                _ => *name == pattern,
            })
            .count();
        let total = elastic.query(json!({"query": query, "size": 0})).await;
        assert_eq!(total.at("/total"), found, "{pattern}");
    }
}

#[tokio::test]
async fn sort_values_are_returned() {
    let (engine, elastic) = with_keys().await;
    let sort = json!(["name", "creation", "expiration", {"creation": {"order": "asc", "format": "strict_date_time"}}]);
    let found = elastic
        .query(json!({"sort": sort, "size": 2}))
        .await
        .assert_ok();
    let with_end = &found["api_keys"][0]["_sort"];
    assert_eq!(
        *with_end,
        json!([
            "Checkout-java",
            engine.start_ms() + 1_000,
            engine.start_ms() + 1_000 + 30 * 86_400_000_i64,
            "2026-01-02T03:04:06.678Z"
        ])
    );
    assert_eq!(found["api_keys"][1]["_sort"][2], i64::MAX);
}

#[tokio::test]
async fn malformed_sort_orders_are_refused() {
    let (_engine, elastic) = with_keys().await;
    for sort in [
        json!(["id"]),
        json!(["doc_type"]),
        json!([{"name": "up"}]),
        json!([1]),
        json!([{"name": {"nested": {}}}]),
    ] {
        assert_eq!(
            elastic.query(json!({"sort": sort})).await.status,
            400,
            "{sort}"
        );
    }
    for after in [json!([]), json!(["a", "b"])] {
        elastic
            .query(json!({"sort": ["name"], "search_after": after}))
            .await
            .assert_error(400, "illegal_argument_exception");
    }
    elastic
        .query(json!({"search_after": ["a"]}))
        .await
        .assert_error(400, "illegal_argument_exception");
}

#[tokio::test]
async fn search_after_visits_every_key_once() {
    let (engine, elastic) = with_keys().await;
    for number in 0..40 {
        let mut key =
            json!({"name": format!("k{}", number % 7), "metadata": {"application": "apm"}});
        if number % 3 == 0 {
            key["expiration"] = json!(format!("{}h", number % 5 + 1));
        }
        elastic.create_key(key).await;
        if number % 2 == 0 {
            engine.clock().advance(std::time::Duration::from_millis(1));
        }
    }
    for first in [
        "creation",
        "name",
        "username",
        "expiration",
        "invalidation",
        "metadata.team.name",
    ] {
        for (one, other) in [
            ("asc", "asc"),
            ("asc", "desc"),
            ("desc", "asc"),
            ("desc", "desc"),
        ] {
            let sort = json!([{first: one}, {"creation": other}, {"name": one}, "_doc"]);
            let whole = elastic
                .query(json!({"sort": sort, "size": 1_000}))
                .await
                .assert_ok();
            let ids = |page: &Value| -> Vec<Value> {
                page["api_keys"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|key| key["id"].clone())
                    .collect()
            };
            let (mut walked, mut after) = (Vec::new(), None);
            loop {
                let mut body = json!({"sort": sort, "size": 7});
                if let Some(after) = &after {
                    body["search_after"] = Value::clone(after);
                }
                let page = elastic.query(body).await.assert_ok();
                let Some(last) = page["api_keys"].as_array().unwrap().last() else {
                    break;
                };
                after = Some(last["_sort"].clone());
                walked.extend(ids(&page));
            }
            assert_eq!(walked, ids(&whole), "{sort}");
        }
    }
}

#[tokio::test]
async fn limited_by_is_returned_on_request() {
    let (engine, elastic) = with_keys().await;
    let _engine = engine.since(8, 5);
    let found = elastic
        .post(
            "/_security/_query/api_key?with_limited_by=true",
            json!({"query": {"term": {"name": "system"}}}),
        )
        .await
        .assert_ok();
    assert!(found["api_keys"][0]["limited_by"][0]["superuser"].is_object());
}
