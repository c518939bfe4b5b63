//! Role mappings: stored and returned.

use crate::support::*;

#[tokio::test]
async fn role_mappings_are_created_replaced_read_and_deleted() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    let path = "/_security/role_mapping/m";
    let mapping = json!({"enabled": true, "roles": ["viewer"], "rules": {"all": [{"field": {"realm.name": "x"}}, {"except": {"field": {"username": "y"}}}]}, "metadata": {"v": 1}});
    assert_eq!(
        elastic.put(path, mapping.clone()).await.assert_ok(),
        json!({"role_mapping": {"created": true}})
    );
    assert_eq!(
        elastic.put(path, mapping.clone()).await.assert_ok(),
        json!({"role_mapping": {"created": false}})
    );
    assert_eq!(elastic.get(path).await.assert_ok(), json!({"m": mapping}));
    assert_eq!(
        elastic.get("/_security/role_mapping").await.assert_ok(),
        json!({"m": mapping})
    );
    assert_eq!(
        elastic.send("DELETE", path, None).await.assert_ok(),
        json!({"found": true})
    );
    assert_eq!(elastic.send("DELETE", path, None).await.status, 404);
    assert_eq!(elastic.get(path).await.status, 404);
}

#[tokio::test]
async fn invalid_role_mappings_are_refused() {
    let engine = TestEngine::start().await;
    let path = "/_security/role_mapping/m";
    engine
        .elastic()
        .put(path, json!({"enabled": true}))
        .await
        .assert_error(400, "action_request_validation_exception");
    let nonsense = json!({"roles": ["a"], "rules": {"nonsense": 1}});
    engine
        .elastic()
        .put(path, nonsense)
        .await
        .assert_error(400, "parse_exception");
}
