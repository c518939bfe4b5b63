//! Users and passwords.

use crate::support::*;

async fn put(engine: &TestEngine, name: &str, user: Value) -> Response {
    engine
        .elastic()
        .put(&format!("/_security/user/{name}"), user)
        .await
}

#[tokio::test]
async fn users_are_created_replaced_read_and_deleted() {
    let engine = TestEngine::start().await;
    let user = json!({"password": "password", "roles": ["viewer"], "full_name": "Ann", "email": "a@b", "metadata": {"a": 1}});
    assert_eq!(
        put(&engine, "ann", user).await.assert_ok(),
        json!({"created": true})
    );
    assert_eq!(
        engine
            .elastic()
            .get("/_security/user/ann")
            .await
            .assert_ok(),
        json!({"ann": {
            "username": "ann", "roles": ["viewer"], "full_name": "Ann", "email": "a@b", "metadata": {"a": 1}, "enabled": true,
        }})
    );
    assert_eq!(
        put(&engine, "ann", json!({"roles": "a, b"}))
            .await
            .assert_ok(),
        json!({"created": false})
    );
    assert_eq!(
        engine
            .elastic()
            .get("/_security/user/ann")
            .await
            .at("/ann/roles"),
        json!(["a", "b"])
    );
    assert_eq!(
        engine.user("ann", "password").authentication_status().await,
        200
    );
    assert_eq!(
        engine
            .elastic()
            .send("DELETE", "/_security/user/ann", None)
            .await
            .assert_ok(),
        json!({"found": true})
    );
    let again = engine
        .elastic()
        .send("DELETE", "/_security/user/ann", None)
        .await;
    assert_eq!((again.status, again.json()), (404, json!({"found": false})));
    assert_eq!(
        engine.user("ann", "password").authentication_status().await,
        401
    );
}

#[tokio::test]
async fn new_user_requires_a_password_of_six_characters() {
    let engine = TestEngine::start().await;
    let reason = put(&engine, "ann", json!({"roles": []}))
        .await
        .assert_error(400, "validation_exception");
    assert_eq!(
        reason,
        "Validation Failed: 1: password must be specified unless you are updating an existing user;"
    );
    put(&engine, "ann", json!({"password": "short", "roles": []}))
        .await
        .assert_error(400, "validation_exception");
    put(&engine, "ann", json!({"password": "ключик", "roles": []}))
        .await
        .assert_ok();
    assert_eq!(
        engine.user("ann", "ключик").authentication_status().await,
        200
    );
}

#[tokio::test]
async fn malformed_users_are_refused() {
    let engine = TestEngine::start().await;
    put(&engine, "ann", json!({"password": "password", "x": 1}))
        .await
        .assert_error(400, "parse_exception");
    put(&engine, "ann", json!({"password": "password", "roles": 1}))
        .await
        .assert_error(400, "parse_exception");
    put(
        &engine,
        "ann",
        json!({"password": "password", "username": "ben"}),
    )
    .await
    .assert_error(400, "illegal_argument_exception");
    put(&engine, "%20ann", json!({"password": "password"}))
        .await
        .assert_error(400, "action_request_validation_exception");
    put(
        &engine,
        "ann",
        json!({"password": "password", "password_hash": "x"}),
    )
    .await
    .assert_error(400, "action_request_validation_exception");
    for hash in [
        "x",
        "$2a$10$abcdefghijklmnopqrstuv",
        "$argon2id$v=19$m=4194304,t=1,p=1$YWJjZGVmZ2g$YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY",
    ] {
        put(&engine, "ann", json!({"password_hash": hash}))
            .await
            .assert_error(400, "illegal_argument_exception");
    }
}

#[tokio::test]
async fn only_the_password_of_reserved_users_changes() {
    let engine = TestEngine::start().await;
    let reason = put(
        &engine,
        "elastic",
        json!({"password": "password", "roles": []}),
    )
    .await
    .assert_error(400, "action_request_validation_exception");
    assert!(reason.contains("user [elastic] is reserved and only the password can be changed"));
    engine
        .elastic()
        .send("DELETE", "/_security/user/elastic", None)
        .await
        .assert_error(400, "illegal_argument_exception");
    engine
        .elastic()
        .put(
            "/_security/user/apm_system/_password",
            json!({"password": "password"}),
        )
        .await
        .assert_ok();
    assert_eq!(
        engine
            .user("apm_system", "password")
            .authentication_status()
            .await,
        200
    );
}

#[tokio::test]
async fn reserved_user_without_password_cannot_authenticate() {
    let engine = TestEngine::start().await;
    assert_eq!(
        engine
            .user("kibana_system", "")
            .authentication_status()
            .await,
        401
    );
}

#[tokio::test]
async fn missing_named_users_are_404() {
    let engine = TestEngine::start().await;
    let none = engine.elastic().get("/_security/user/nope").await;
    assert_eq!((none.status, none.json()), (404, json!({})));
    engine
        .elastic()
        .get("/_security/user/nope,elastic")
        .await
        .assert_ok();
    assert_eq!(
        engine
            .elastic()
            .get("/_security/user")
            .await
            .at("/elastic/metadata/_reserved"),
        true
    );
}

#[tokio::test]
async fn callers_cannot_enable_or_disable_themselves() {
    let engine = TestEngine::start().await;
    put(
        &engine,
        "ann",
        json!({"password": "password", "roles": ["superuser"]}),
    )
    .await
    .assert_ok();
    for action in ["_disable", "_disable", "_enable", "_enable"] {
        let path = format!("/_security/user/ann/{action}");
        assert_eq!(
            engine.elastic().send("PUT", &path, None).await.assert_ok(),
            json!({})
        );
        assert_eq!(
            engine.user("ann", "password").authentication_status().await == 200,
            action == "_enable"
        );
    }
    let zoe = engine
        .user_with_privileges("zoe", &["manage_security"])
        .await;
    let disabled = json!({"roles": ["zoe"], "enabled": false});
    let put = zoe.put("/_security/user/zoe", disabled.clone()).await;
    assert_eq!(
        put.assert_error(400, "action_request_validation_exception"),
        "Validation Failed: 1: native and reserved realm users may not update the enabled status of their own account;"
    );
    // Another user may do it.
    let put = engine.elastic().put("/_security/user/zoe", disabled).await;
    assert_eq!(put.assert_ok(), json!({"created": false}));
    let own = engine
        .elastic()
        .send("PUT", "/_security/user/elastic/_disable", None)
        .await;
    assert!(
        own.assert_error(400, "illegal_argument_exception")
            .contains("their own account")
    );
}

#[tokio::test]
async fn users_may_change_their_own_password() {
    let engine = TestEngine::start().await;
    let ann = engine.user_with_privileges("ann", &["none"]).await;
    ann.post(
        "/_security/user/_password",
        json!({"password": "another one"}),
    )
    .await
    .assert_ok();
    let ann = engine.user("ann", "another one");
    assert_eq!(
        ann.put(
            "/_security/user/ann/_password",
            json!({"password": "a third one"})
        )
        .await
        .assert_ok(),
        json!({})
    );
    assert_eq!(ann.authentication_status().await, 401);
    let ann = engine.user("ann", "a third one");
    ann.put(
        "/_security/user/elastic/_password",
        json!({"password": "mine now"}),
    )
    .await
    .assert_error(403, "security_exception");
}

#[tokio::test]
async fn keys_and_tokens_cannot_change_the_owners_password() {
    let engine = TestEngine::start_with_tokens(true).await;
    let key = engine.elastic().create_key(json!({"name": "k"})).await;
    let token = engine
        .elastic()
        .post(
            "/_security/oauth2/token",
            json!({"grant_type": "client_credentials"}),
        )
        .await
        .at("/access_token");
    let bearer = engine.with(format!("Bearer {}", token.as_str().unwrap()));
    for client in [engine.key(&key), bearer] {
        for path in [
            "/_security/user/_password",
            "/_security/user/elastic/_password",
        ] {
            client
                .put(path, json!({"password": "mine now"}))
                .await
                .assert_error(403, "security_exception");
        }
    }
    assert_eq!(engine.elastic().authentication_status().await, 200);
}

#[tokio::test]
async fn invalid_passwords_and_hashes_are_refused() {
    let engine = TestEngine::start().await;
    let path = "/_security/user/_password";
    engine
        .elastic()
        .put(path, json!({"password": "short"}))
        .await
        .assert_error(400, "validation_exception");
    engine
        .elastic()
        .put(path, json!({}))
        .await
        .assert_error(400, "action_request_validation_exception");
    engine
        .elastic()
        .put(path, json!({"pass": "x"}))
        .await
        .assert_error(400, "parse_exception");
    let unknown = engine
        .elastic()
        .put(
            "/_security/user/nope/_password",
            json!({"password": "password"}),
        )
        .await;
    assert_eq!(
        unknown.assert_error(400, "validation_exception"),
        "Validation Failed: 1: user must exist in order to change password;"
    );
}

#[tokio::test]
async fn reserved_and_anonymous_users_are_refused_in_elasticsearchs_words() {
    let engine = TestEngine::start_with(|_| {}).await;
    let elastic = engine.elastic();
    let password = json!({"password": "password"});
    #[rustfmt::skip]
    let cases = [
        ("DELETE", "apm_system", None, "illegal_argument_exception", "user [apm_system] is reserved and cannot be deleted"),
        ("DELETE", "_anonymous", None, "illegal_argument_exception", "user [_anonymous] is anonymous and cannot be deleted"),
        ("PUT", "_anonymous/_disable", None, "illegal_argument_exception", "user [_anonymous] is anonymous and cannot be modified using the api"),
        ("PUT", "_anonymous/_password", Some(password), "illegal_argument_exception", "user [_anonymous] is anonymous and cannot be modified via the API"),
        ("PUT", "nope/_enable", None, "validation_exception", "Validation Failed: 1: only existing users can be enabled or disabled;"),
        ("PUT", "elastic/_disable", None, "illegal_argument_exception", "users may not update the enabled status of their own account"),
        (
            "PUT", "elastic", Some(json!({"password": "password", "enabled": false})), "action_request_validation_exception",
            "Validation Failed: 1: native and reserved realm users may not update the enabled status of their own account;2: user [elastic] is reserved and only the password can be changed;",
        ),
    ];
    for (method, path, body, kind, expected) in cases {
        let path = format!("/_security/user/{path}");
        let refused = elastic.send(method, &path, body).await;
        assert_eq!(refused.assert_error(400, kind), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn anonymous_user_cannot_be_created() {
    let engine = TestEngine::start().await;
    let user = json!({"password": "password", "roles": []});
    let refused = engine
        .elastic()
        .put("/_security/user/_anonymous", user)
        .await;
    assert_eq!(
        refused.assert_error(400, "action_request_validation_exception"),
        "Validation Failed: 1: user [_anonymous] is anonymous and cannot be modified via the API;"
    );
}
