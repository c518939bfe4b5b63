//! Aggregations.

use crate::support::*;

async fn with_keys() -> (TestEngine, Client) {
    let engine = TestEngine::start().await.since(8, 13);
    let elastic = engine.elastic();
    let ann = engine
        .user_with_privileges("ann", &["manage_own_api_key"])
        .await;
    ann.create_key(json!({"name": "a", "metadata": {"application": "apm", "team": "red"}}))
        .await;
    ann.create_key(json!({"name": "b", "metadata": {"application": "apm", "team": "blue"}, "expiration": "1h"})).await;
    ann.create_key(json!({"name": "c", "expiration": "40d"}))
        .await;
    let key = elastic
        .create_key(json!({"name": "d", "metadata": {"application": "apm", "team": "red"}}))
        .await;
    elastic.invalidate(&key).await.assert_ok();
    (engine, elastic)
}

async fn ask(client: &Client, aggregation: Value) -> Value {
    let body = json!({"size": 0, "aggs": {"x": aggregation}});
    client.query(body).await.assert_ok()["aggregations"]["x"].clone()
}

#[tokio::test]
async fn terms_aggregation_counts_values() {
    let (_engine, elastic) = with_keys().await;
    assert_eq!(
        ask(&elastic, json!({"terms": {"field": "username"}})).await,
        json!({
            "doc_count_error_upper_bound": 0, "sum_other_doc_count": 0,
            "buckets": [{"key": "ann", "doc_count": 3}, {"key": "elastic", "doc_count": 1}],
        })
    );
    let teams = ask(
        &elastic,
        json!({"terms": {"field": "metadata.team", "size": 1}}),
    )
    .await;
    assert_eq!(teams["buckets"], json!([{"key": "red", "doc_count": 2}]));
    assert_eq!(teams["sum_other_doc_count"], 1);
    let invalidated = ask(
        &elastic,
        json!({"terms": {"field": "invalidated", "order": {"_key": "desc"}}}),
    )
    .await;
    assert_eq!(
        invalidated["buckets"][0],
        json!({"key": 1, "key_as_string": "true", "doc_count": 1})
    );
}

#[tokio::test]
async fn keys_without_the_field_count_as_the_missing_value() {
    let (_engine, elastic) = with_keys().await;
    let teams = |missing: &str| json!({"terms": {"field": "metadata.team", "missing": missing}});
    assert_eq!(
        ask(&elastic, teams("none")).await["buckets"],
        json!([{"key": "red", "doc_count": 2}, {"key": "blue", "doc_count": 1}, {"key": "none", "doc_count": 1}])
    );
    // A value that other keys have.
    assert_eq!(
        ask(&elastic, teams("blue")).await["buckets"],
        json!([{"key": "blue", "doc_count": 2}, {"key": "red", "doc_count": 2}])
    );
    let names = json!({"terms": {"field": "name", "order": {"_key": "asc"}}});
    let mut nested = teams("blue");
    nested["aggs"] = json!({"names": names});
    let buckets = ask(&elastic, nested).await["buckets"].clone();
    let of_blue = &buckets[0]["names"]["buckets"];
    assert_eq!(
        *of_blue,
        json!([{"key": "b", "doc_count": 1}, {"key": "c", "doc_count": 1}])
    );
    let applications = json!({"terms": {"field": "metadata.application", "missing": "other"}});
    assert_eq!(
        ask(&elastic, applications).await["buckets"],
        json!([{"key": "apm", "doc_count": 3}, {"key": "other", "doc_count": 1}])
    );
    let ends = json!({"terms": {"field": "expiration", "missing": 0, "order": {"_key": "asc"}, "size": 1}});
    assert_eq!(
        ask(&elastic, ends).await["buckets"],
        json!([{"key": 0, "key_as_string": "1970-01-01T00:00:00.000Z", "doc_count": 2}])
    );
    for (kind, expected) in [("cardinality", 3), ("value_count", 4)] {
        let all = json!({kind: {"field": "metadata.team", "missing": "none"}});
        assert_eq!(ask(&elastic, all).await["value"], expected, "{kind}");
    }
}

#[tokio::test]
async fn terms_may_include_and_exclude_values() {
    let (_engine, elastic) = with_keys().await;
    #[rustfmt::skip]
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({"include": ["red", "x"]}), &["red"]),
        (json!({"exclude": ["red"]}), &["blue"]),
        (json!({"include": "red|blue"}), &[]),
        (json!({"include": "..d"}), &["red"]),
        (json!({"include": ".*", "exclude": "b.*"}), &["red"]),
        (json!({"include": "r.*"}), &["red"]),
        (json!({"include": r"\."}), &[]),
    ];
    for (limits, expected) in cases {
        let mut terms = json!({"field": "metadata.team", "order": {"_key": "asc"}});
        let fields = terms.as_object_mut().unwrap();
        fields.extend(limits.as_object().unwrap().clone());
        let body = json!({"size": 0, "aggs": {"x": {"terms": terms}}});
        let response = elastic.query(body).await;
        if limits["include"] == "red|blue" {
            // Of regular expressions, only literals, `.` and `.*`.
            response.assert_error(400, "illegal_argument_exception");
            continue;
        }
        let buckets = response.at("/aggregations/x/buckets");
        let names: Vec<&str> = buckets
            .as_array()
            .unwrap()
            .iter()
            .map(|bucket| bucket["key"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected, "{limits}");
    }
    // The rest counts among the included values alone.
    let limited = json!({"terms": {"field": "metadata.team", "size": 1, "exclude": ["blue"]}});
    assert_eq!(ask(&elastic, limited).await["sum_other_doc_count"], 0);
    let pattern =
        json!({"size": 0, "aggs": {"x": {"terms": {"field": "creation", "include": ".*"}}}});
    elastic
        .query(pattern)
        .await
        .assert_error(400, "illegal_argument_exception");
}

#[tokio::test]
async fn meta_is_returned_with_its_aggregation() {
    let (_engine, elastic) = with_keys().await;
    let meta = json!({"color": "blue", "nested": {"a": [1]}});
    let outer = json!({
        "filter": {"match_all": {}}, "meta": meta,
        "aggs": {"names": {"value_count": {"field": "name"}, "meta": {}}},
    });
    assert_eq!(
        ask(&elastic, outer).await,
        json!({"meta": meta, "doc_count": 4, "names": {"meta": {}, "value": 4}})
    );
}

#[tokio::test]
async fn no_aggregations_are_returned_for_no_keys() {
    let (_engine, elastic) = with_keys().await;
    let body = |name: &str| json!({"query": {"term": {"name": name}}, "aggs": {"x": {"terms": {"field": "name"}}}});
    let none = elastic.query(body("nope")).await.assert_ok();
    assert_eq!(none, json!({"total": 0, "count": 0, "api_keys": []}));
    let one = elastic.query(body("a")).await.assert_ok();
    assert!(one["aggregations"]["x"].is_object());
}

#[tokio::test]
async fn filters_aggregation_returns_named_buckets() {
    let (engine, elastic) = with_keys().await;
    engine
        .clock()
        .advance(std::time::Duration::from_secs(7_200));
    let active = json!({"bool": {"filter": [{"term": {"invalidated": false}}], "must_not": [{"range": {"expiration": {"lte": "now"}}}]}});
    let answer = ask(&elastic, json!({"filters": {"other_bucket_key": "rest", "filters": {
        "active": active, "expired": {"range": {"expiration": {"lte": "now"}}}, "revoked": {"term": {"invalidated": true}},
        "soon": {"range": {"expiration": {"gt": "now", "lte": "now+41d"}}},
    }}})).await;
    assert_eq!(
        answer["buckets"],
        json!({
            "active": {"doc_count": 2}, "expired": {"doc_count": 1}, "revoked": {"doc_count": 1}, "soon": {"doc_count": 1}, "rest": {"doc_count": 0},
        })
    );
    let listed = ask(
        &elastic,
        json!({"filters": {"filters": [{"term": {"username": "ann"}}]}}),
    )
    .await;
    assert_eq!(listed["buckets"], json!([{"doc_count": 3}]));
}

#[tokio::test]
async fn aggregations_nest() {
    let (_engine, elastic) = with_keys().await;
    let answer = ask(&elastic, json!({"terms": {"field": "username"}, "aggs": {"teams": {"terms": {"field": "metadata.team"}}, "n": {"value_count": {"field": "expiration"}}}})).await;
    assert_eq!(
        answer["buckets"][0]["teams"]["buckets"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(answer["buckets"][0]["n"]["value"], 2);
    assert_eq!(answer["buckets"][1]["n"]["value"], 0);
}

#[tokio::test]
async fn single_value_aggregations_count() {
    let (_engine, elastic) = with_keys().await;
    assert_eq!(
        ask(&elastic, json!({"filter": {"term": {"username": "ann"}}})).await,
        json!({"doc_count": 3})
    );
    assert_eq!(
        ask(&elastic, json!({"missing": {"field": "expiration"}})).await,
        json!({"doc_count": 2})
    );
    assert_eq!(
        ask(&elastic, json!({"cardinality": {"field": "metadata.team"}})).await,
        json!({"value": 2})
    );
    assert_eq!(
        ask(&elastic, json!({"value_count": {"field": "name"}})).await,
        json!({"value": 4})
    );
}

#[tokio::test]
async fn date_range_aggregation_counts_timestamps() {
    let (_engine, elastic) = with_keys().await;
    let answer = ask(&elastic, json!({"date_range": {"field": "expiration", "ranges": [{"key": "week", "from": "now", "to": "now+7d"}, {"from": "now+7d"}]}})).await;
    assert_eq!(
        (
            &answer["buckets"][0]["key"],
            &answer["buckets"][0]["doc_count"]
        ),
        (&json!("week"), &json!(1))
    );
    assert_eq!(answer["buckets"][1]["doc_count"], 1);
    let numbers = ask(&elastic, json!({"range": {"field": "creation", "keyed": true, "ranges": [{"key": "all", "from": 0}]}})).await;
    assert_eq!(numbers["buckets"]["all"]["doc_count"], 4);
}

#[tokio::test]
async fn composite_aggregation_pages_with_after_key() {
    let (_engine, elastic) = with_keys().await;
    let sources = json!([{"u": {"terms": {"field": "username"}}}, {"i": {"terms": {"field": "name", "order": "desc"}}}]);
    let (mut keys, mut after) = (Vec::new(), Value::Null);
    loop {
        let mut composite = json!({"sources": sources, "size": 3});
        if after.is_object() {
            composite["after"] = after;
        }
        let answer = ask(&elastic, json!({"composite": composite})).await;
        let buckets = answer["buckets"].as_array().unwrap();
        keys.extend(
            buckets
                .iter()
                .map(|bucket| bucket["key"]["i"].as_str().unwrap().to_owned()),
        );
        after = answer["after_key"].clone();
        if buckets.is_empty() {
            break;
        }
    }
    assert_eq!(keys, ["c", "b", "a", "d"]);
}

#[tokio::test]
async fn typed_keys_prefix_aggregation_names() {
    let (_engine, elastic) = with_keys().await;
    let body = json!({"size": 0, "aggregations": {"x": {"terms": {"field": "name"}}, "y": {"filter": {"match_all": {}}}}});
    let answer = elastic
        .post("/_security/_query/api_key?typed_keys", body)
        .await
        .assert_ok();
    let names: Vec<&String> = answer["aggregations"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["filter#y", "sterms#x"]);
}

#[tokio::test]
async fn unsupported_aggregations_are_refused() {
    let (_engine, elastic) = with_keys().await;
    for aggregation in [
        json!({"avg": {"field": "creation"}}),
        json!({"terms": {"script": "1"}}),
        json!({"terms": {"field": "doc_type"}}),
        json!({"filters": {"filters": {"a": {"regexp": {"name": "x"}}}}}),
        json!({"terms": {"field": "name", "size": 0}}),
        json!({"bucket_sort": {}}),
        json!({"composite": {"sources": [{"d": {"date_histogram": {"field": "creation"}}}]}}),
    ] {
        let response = elastic.query(json!({"aggs": {"x": aggregation}})).await;
        response.assert_error(400, "illegal_argument_exception");
    }
    let both = json!({"aggs": {}, "aggregations": {}});
    elastic
        .query(both)
        .await
        .assert_error(400, "illegal_argument_exception");
}

#[tokio::test]
async fn counts_from_groups_equal_counts_of_keys() {
    let (engine, elastic) = with_keys().await;
    let owners = json!({"terms": {"field": "username"}});
    let mut keys = Vec::new();
    for number in 0..20 {
        let key = json!({"name": "k", "expiration": format!("{}h", number * 7), "metadata": {"application": format!("a{}", number % 3)}});
        keys.push(elastic.create_key(key).await);
    }
    for key in keys.iter().step_by(2) {
        elastic
            .put(
                &format!("/_security/api_key/{}", key.id),
                json!({"metadata": {"application": "apm"}}),
            )
            .await;
    }
    for key in keys.iter().step_by(3) {
        elastic.invalidate(key).await.assert_ok();
    }
    engine
        .clock()
        .advance(std::time::Duration::from_secs(30 * 3_600));
    for query in [
        json!({"term": {"metadata.application": "apm"}}),
        json!({"range": {"expiration": {"lte": "now"}}}),
        json!({"range": {"expiration": {"gt": "now"}}}),
        json!({"term": {"invalidated": true}}),
        json!({"bool": {"must_not": [{"exists": {"field": "expiration"}}]}}),
    ] {
        // `name` is not a group's field, so the second form counts key by key.
        let slow = json!({"bool": {"must": [query, {"exists": {"field": "name"}}]}});
        let count = |query: Value| json!({"size": 0, "query": query, "aggs": {"o": owners}});
        let by_groups = elastic.query(count(query.clone())).await.assert_ok();
        let by_keys = elastic.query(count(slow)).await.assert_ok();
        assert_eq!(by_groups, by_keys, "{query}");
    }
}
