//! Querying roles and users.

use crate::support::*;

const ROLES: &str = "/_security/_query/role";
const USERS: &str = "/_security/_query/user";

/// An engine with four users and four roles of its own. A shared cluster has others.
async fn with_documents() -> (TestEngine, Client) {
    let engine = TestEngine::start_with(|_| {}).await;
    let elastic = engine.elastic();
    #[rustfmt::skip]
    let users = [
        ("ann", json!({"roles": ["admin", "apm"], "full_name": "Ann Lee", "email": "ann.lee@example.com"})),
        ("ben", json!({"roles": ["apm"], "full_name": "Ben-Lee Young", "enabled": false})),
        ("Cleo", json!({"roles": []})),
        ("dan", json!({"roles": ["viewer"], "full_name": "Dan", "metadata": {"team": "red"}})),
    ];
    for (name, mut user) in users {
        user["password"] = json!("password");
        let path = format!("/_security/user/{name}");
        elastic.put(&path, user).await.assert_ok();
    }
    #[rustfmt::skip]
    let roles = [
        ("agents", json!({"applications": [{"application": "apm", "privileges": ["event:write"], "resources": ["*"]}], "metadata": {"team": "red"}})),
        ("monitoring", json!({"cluster": ["monitor"], "description": "Looks at all nodes"})),
        ("pages", json!({"applications": [{"application": "kibana-.kibana", "privileges": ["read", "all"], "resources": ["space:a"]}], "metadata": {"team": "blue", "size": 3}})),
        ("Zeta", json!({"description": "Nothing at all"})),
    ];
    for (name, role) in roles {
        let path = format!("/_security/role/{name}");
        elastic.put(&path, role).await.assert_ok();
    }
    (engine, elastic)
}

async fn names(client: &Client, path: &str, body: Value) -> Vec<String> {
    let found = client.post(path, body).await.assert_ok();
    let (list, name) = match path {
        ROLES => ("roles", "name"),
        _ => ("users", "username"),
    };
    assert_eq!(found["count"], found[list].as_array().unwrap().len());
    let entries = found[list].as_array().unwrap().iter();
    entries
        .map(|entry| entry[name].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn query_returns_created_users_and_roles_in_full() {
    let (_engine, elastic) = with_documents().await;
    let users = elastic.get(USERS).await.assert_ok();
    assert_eq!((&users["total"], &users["count"]), (&json!(4), &json!(4)));
    let by_name = json!({"query": {"term": {"username": "dan"}}});
    assert_eq!(
        elastic.post(USERS, by_name).await.assert_ok(),
        json!({"total": 1, "count": 1, "users": [{
            "username": "dan", "roles": ["viewer"], "full_name": "Dan", "email": null,
            "metadata": {"team": "red"}, "enabled": true,
        }]})
    );
    let by_name = json!({"query": {"term": {"name": "Zeta"}}});
    assert_eq!(
        elastic.post(ROLES, by_name).await.assert_ok(),
        json!({"total": 1, "count": 1, "roles": [{
            "name": "Zeta", "cluster": [], "indices": [], "applications": [], "run_as": [],
            "metadata": {}, "transient_metadata": {"enabled": true}, "description": "Nothing at all",
        }]})
    );
}

#[tokio::test]
async fn each_query_type_finds_its_users_and_roles() {
    let (_engine, elastic) = with_documents().await;
    #[rustfmt::skip]
    let cases: Vec<(&str, Value, &[&str])> = vec![
        (USERS, json!({"match_all": {}}), &["Cleo", "ann", "ben", "dan"]),
        (USERS, json!({"term": {"roles": "apm"}}), &["ann", "ben"]),
        (USERS, json!({"terms": {"roles": ["admin", "viewer"]}}), &["ann", "dan"]),
        (USERS, json!({"term": {"enabled": false}}), &["ben"]),
        (USERS, json!({"prefix": {"username": "a"}}), &["ann"]),
        (USERS, json!({"prefix": {"username": {"value": "C", "case_insensitive": true}}}), &["Cleo"]),
        (USERS, json!({"wildcard": {"username": "*n"}}), &["ann", "ben", "dan"]),
        (USERS, json!({"wildcard": {"username": {"value": "c?E*", "case_insensitive": true}}}), &["Cleo"]),
        (USERS, json!({"exists": {"field": "email"}}), &["ann"]),
        (USERS, json!({"match": {"full_name": "LEE nobody"}}), &["ann", "ben"]),
        (USERS, json!({"match": {"full_name": {"query": "ann lee", "operator": "and"}}}), &["ann"]),
        (USERS, json!({"term": {"full_name": "Lee"}}), &[]),
        (USERS, json!({"term": {"full_name": "lee"}}), &["ann", "ben"]),
        (USERS, json!({"term": {"email": "ann.lee@example.com"}}), &["ann"]),
        (USERS, json!({"range": {"username": {"gte": "b", "lt": "d"}}}), &["ben"]),
        (USERS, json!({"ids": {"values": ["user-ann"]}}), &["ann"]),
        (USERS, json!({"bool": {"must": {"term": {"roles": "apm"}}, "must_not": {"term": {"enabled": true}}}}), &["ben"]),
        (USERS, json!({"simple_query_string": {"query": "lee viewer"}}), &["ann", "ben", "dan"]),
        (ROLES, json!({"match_all": {}}), &["Zeta", "agents", "monitoring", "pages"]),
        (ROLES, json!({"term": {"applications.application": "apm"}}), &["agents"]),
        (ROLES, json!({"terms": {"applications.privileges": ["all", "none"]}}), &["pages"]),
        (ROLES, json!({"wildcard": {"applications.resources": "space:*"}}), &["pages"]),
        (ROLES, json!({"match": {"description": "ALL"}}), &["Zeta", "monitoring"]),
        (ROLES, json!({"term": {"metadata.team": "red"}}), &["agents"]),
        (ROLES, json!({"exists": {"field": "metadata.size"}}), &["pages"]),
        (ROLES, json!({"term": {"metadata": "3"}}), &["pages"]),
        (ROLES, json!({"simple_query_string": {"query": "ag*", "fields": ["name"]}}), &["agents"]),
    ];
    for (path, query, expected) in cases {
        let mut found = names(&elastic, path, json!({"query": query})).await;
        found.sort();
        assert_eq!(found, expected, "{path} {query}");
    }
}

#[tokio::test]
async fn pages_of_users_and_roles_follow_each_other() {
    let (_engine, elastic) = with_documents().await;
    #[rustfmt::skip]
    let cases: Vec<(&str, Value, &[&str])> = vec![
        (USERS, json!(["username"]), &["Cleo", "ann", "ben", "dan"]),
        (USERS, json!([{"username": {"order": "desc"}}]), &["dan", "ben", "ann", "Cleo"]),
        (USERS, json!([{"enabled": {"order": "desc"}}, "username"]), &["Cleo", "ann", "dan", "ben"]),
        (USERS, json!(["roles", "username"]), &["ann", "ben", "dan", "Cleo"]),
        (USERS, json!([{"roles": {"order": "desc", "missing": "_first"}}, "username"]), &["Cleo", "dan", "ann", "ben"]),
        (ROLES, json!(["name"]), &["Zeta", "agents", "monitoring", "pages"]),
        (ROLES, json!([{"metadata.team": {"missing": "_first"}}, {"name": {"order": "desc"}}]), &["monitoring", "Zeta", "pages", "agents"]),
    ];
    for (path, sort, expected) in cases {
        let whole = names(&elastic, path, json!({"sort": sort})).await;
        assert_eq!(whole, expected, "{sort}");
        let second = json!({"sort": sort, "from": 1, "size": 2});
        assert_eq!(
            names(&elastic, path, second).await,
            expected[1..3],
            "{sort}"
        );
        let first = elastic.post(path, json!({"sort": sort, "size": 2})).await;
        assert_eq!(first.at("/total"), 4);
        let list = if path == ROLES { "roles" } else { "users" };
        let after = first.at(&format!("/{list}/1/_sort"));
        let rest = json!({"sort": sort, "search_after": after});
        assert_eq!(names(&elastic, path, rest).await, expected[2..], "{sort}");
    }
    let unsorted = elastic.post(USERS, json!({"size": 1})).await;
    assert_eq!(unsorted.at("/users/0/_sort"), Value::Null);
}

#[tokio::test]
async fn queries_of_users_and_roles_require_read_security() {
    let (engine, _elastic) = with_documents().await;
    let reader = engine
        .user_with_privileges("reader", &["read_security"])
        .await;
    let monitor = engine.user_with_privileges("monitor", &["monitor"]).await;
    for (path, action) in [(USERS, "user/query"), (ROLES, "role/query")] {
        reader.get(path).await.assert_ok();
        let reason = monitor
            .get(path)
            .await
            .assert_error(403, "security_exception");
        let action = format!("action [cluster:admin/xpack/security/{action}] is unauthorized");
        assert!(reason.starts_with(&action), "{reason}");
    }
}

#[tokio::test]
async fn other_fields_and_query_types_are_refused_for_users_and_roles() {
    let (_engine, elastic) = with_documents().await;
    #[rustfmt::skip]
    let cases = [
        (USERS, json!({"query": {"term": {"password": "x"}}}), "Field [password] is not allowed for querying or aggregation"),
        (USERS, json!({"query": {"term": {"metadata.team": "red"}}}), "Field [metadata.team] is not allowed for querying or aggregation"),
        (ROLES, json!({"query": {"term": {"cluster": "all"}}}), "Field [cluster] is not allowed for querying or aggregation"),
        (ROLES, json!({"query": {"term": {"username": "ann"}}}), "Field [username] is not allowed for querying or aggregation"),
        (USERS, json!({"query": {"fuzzy": {"username": "ann"}}}), "Query type [fuzzy] is not currently supported in this context"),
        (USERS, json!({"sort": ["full_name"]}), "sorting is not supported for field [full_name]"),
        (USERS, json!({"sort": ["email"]}), "sorting is not supported for field [email]"),
        (ROLES, json!({"sort": ["id"]}), "Field [id] is not allowed for querying or aggregation"),
    ];
    for (path, body, expected) in cases {
        let refused = elastic.post(path, body.clone()).await;
        let reason = refused.assert_error(400, "illegal_argument_exception");
        assert_eq!(reason, expected, "{body}");
    }
    for path in [USERS, ROLES] {
        let refused = elastic.post(path, json!({"aggs": {}})).await;
        refused.assert_error(400, "x_content_parse_exception");
        let refused = elastic.post(path, json!({"size": -1})).await;
        refused.assert_error(400, "action_request_validation_exception");
        let refused = elastic.post(path, json!({"from": 9_999, "size": 2})).await;
        refused.assert_error(400, "illegal_argument_exception");
    }
}
