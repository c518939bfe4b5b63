//! Schemes, the checks of a key and their order, the 401 body, run-as.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};

use sqlx::{Connection, SqliteConnection};

use crate::support::*;

const ME: &str = "/_security/_authenticate";
const RUN_AS: &str = "es-security-runas-user";

async fn detail(client: Client) -> String {
    let response = client.get(ME).await;
    response.assert_error(401, "security_exception");
    response
        .at("/error/additional_unsuccessful_credentials")
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn missing_credentials_list_all_schemes() {
    let engine = TestEngine::start_with_tokens(false).await.since(8, 15);
    let response = engine.anonymous().get(&format!("{ME}?pretty")).await;
    let reason = response.assert_error(401, "security_exception");
    assert_eq!(
        reason,
        format!("missing authentication credentials for REST request [{ME}?pretty]")
    );
    let schemes = [r#"Basic realm="security", charset="UTF-8""#, "ApiKey"];
    assert_eq!(response.header("www-authenticate"), schemes);
    assert_eq!(
        response.at("/error/header/WWW-Authenticate"),
        json!(schemes)
    );
    assert_eq!(
        response.at("/error/root_cause/0/header/WWW-Authenticate"),
        json!(schemes)
    );
}

#[tokio::test]
async fn authenticate_returns_the_superuser() {
    let engine = TestEngine::start().await;
    assert_eq!(
        engine.elastic().get(ME).await.assert_ok(),
        json!({
            "username": "elastic",
            "roles": ["superuser"],
            "full_name": null,
            "email": null,
            "metadata": {"_reserved": true},
            "enabled": true,
            "authentication_realm": {"name": "reserved", "type": "reserved"},
            "lookup_realm": {"name": "reserved", "type": "reserved"},
            "authentication_type": "realm",
        })
    );
}

#[tokio::test]
async fn authenticate_lists_unknown_roles_of_native_users() {
    let engine = TestEngine::start().await;
    let user = json!({"password": "password", "roles": ["nowhere"], "full_name": "Ann", "email": "a@b", "metadata": {"a": 1}});
    engine
        .elastic()
        .put("/_security/user/ann", user)
        .await
        .assert_ok();
    assert_eq!(
        engine.user("ann", "password").get(ME).await.assert_ok(),
        json!({
            "username": "ann",
            "roles": ["nowhere"],
            "full_name": "Ann",
            "email": "a@b",
            "metadata": {"a": 1},
            "enabled": true,
            "authentication_realm": {"name": "default_native", "type": "native"},
            "lookup_realm": {"name": "default_native", "type": "native"},
            "authentication_type": "realm",
        })
    );
}

#[tokio::test]
async fn authenticate_returns_the_owner_of_a_key() {
    let engine = TestEngine::start().await;
    let key = engine.elastic().create_key(json!({"name": "k"})).await;
    let me = engine.key(&key).get(ME).await.assert_ok();
    assert_eq!(me["username"], "elastic");
    assert_eq!(me["roles"], json!([]));
    assert_eq!(
        me["authentication_realm"],
        json!({"name": "_es_api_key", "type": "_es_api_key"})
    );
    assert_eq!(me["lookup_realm"], me["authentication_realm"]);
    assert_eq!(me["authentication_type"], "api_key");
    assert_eq!(
        me["api_key"],
        json!({"id": key.id, "name": "k", "managed_by": "elasticsearch"})
    );
}

#[tokio::test]
async fn authentication_schemes_are_case_insensitive() {
    let engine = TestEngine::start().await;
    let key = engine.elastic().create_key(json!({"name": "k"})).await;
    for scheme in ["ApiKey", "apikey", "APIKEY"] {
        assert_eq!(
            engine
                .with(format!("{scheme} {}", key.encoded))
                .authentication_status()
                .await,
            200
        );
    }
    let basic = engine.basic("elastic", ELASTIC_PASSWORD);
    assert_eq!(
        engine
            .with(format!("bAsIc {basic}"))
            .authentication_status()
            .await,
        200
    );
}

#[tokio::test]
async fn wrong_password_is_reported_with_the_user_name_only() {
    let engine = TestEngine::start().await;
    for username in ["elastic", "nobody-here"] {
        let reason = engine
            .user(username, "wrong")
            .get(ME)
            .await
            .assert_error(401, "security_exception");
        assert_eq!(
            reason,
            format!("unable to authenticate user [{username}] for REST request [{ME}]")
        );
    }
}

#[tokio::test]
async fn unknown_key_is_reported_as_unknown() {
    let engine = TestEngine::start().await;
    let client = engine.with(format!("ApiKey {}", STANDARD.encode("nope:secret")));
    assert_eq!(
        detail(client).await,
        "API key: unable to find apikey with id nope"
    );
}

#[tokio::test]
async fn wrong_secret_is_invalid_credentials() {
    let engine = TestEngine::start().await;
    let key = engine.elastic().create_key(json!({"name": "k"})).await;
    let client = engine.with(format!(
        "ApiKey {}",
        STANDARD.encode(format!("{}:wrong", key.id))
    ));
    assert_eq!(
        detail(client).await,
        format!("API key: invalid credentials for API key [{}]", key.id)
    );
}

#[tokio::test]
async fn invalidation_is_checked_before_the_secret() {
    let engine = TestEngine::start().await;
    let key = engine.elastic().create_key(json!({"name": "k"})).await;
    engine.elastic().invalidate(&key).await.assert_ok();
    let expected = format!("API key: api key [{}] has been invalidated", key.id);
    assert_eq!(detail(engine.key(&key)).await, expected);
    let wrong = engine.with(format!(
        "ApiKey {}",
        STANDARD.encode(format!("{}:wrong", key.id))
    ));
    assert_eq!(detail(wrong).await, expected);
}

#[tokio::test]
async fn expiration_is_checked_after_the_secret() {
    let engine = TestEngine::start().await;
    let key = engine
        .elastic()
        .create_key(json!({"name": "k", "expiration": "10s"}))
        .await;
    assert_eq!(engine.key(&key).authentication_status().await, 200);
    engine
        .clock()
        .advance(std::time::Duration::from_millis(9_999));
    assert_eq!(engine.key(&key).authentication_status().await, 200);
    engine.clock().advance(std::time::Duration::from_millis(1));
    assert_eq!(
        detail(engine.key(&key)).await,
        "API key: api key is expired"
    );
    let wrong = engine.with(format!(
        "ApiKey {}",
        STANDARD.encode(format!("{}:wrong", key.id))
    ));
    assert_eq!(
        detail(wrong).await,
        format!("API key: invalid credentials for API key [{}]", key.id)
    );
}

#[tokio::test]
async fn malformed_key_is_401_and_never_400() {
    let engine = TestEngine::start().await;
    let key = engine.elastic().create_key(json!({"name": "k"})).await;
    let url_safe = URL_SAFE.encode([b'a', b':', 0xff, 0xfe, 0xfb, 0xef]);
    for token in [
        "",
        "x",
        "!!!!",
        "bm9jb2xvbg==",
        &url_safe,
        "Og==",
        &key.encoded[..20],
        &STANDARD.encode([0xff, 0xfe]),
        "%41",
    ] {
        let response = engine.with(format!("ApiKey {token}")).get(ME).await;
        assert_eq!(response.status, 401, "{token}: {}", response.text);
    }
    for header in [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic bm9jb2xvbg==",
        "Digest x",
        "Bearer",
        "Bearer junk",
        "ApiKey",
    ] {
        let response = engine.with(header).get(ME).await;
        assert_eq!(response.status, 401, "{header}: {}", response.text);
    }
}

#[tokio::test]
async fn oversized_authorization_header_is_refused() {
    let engine = TestEngine::start().await;
    let response = engine
        .with(format!("Basic {}", "A".repeat(100_000)))
        .get(ME)
        .await;
    assert!((400..500).contains(&response.status), "{}", response.status);
    assert_eq!(engine.elastic().authentication_status().await, 200);
}

#[tokio::test]
async fn base64_padding_is_optional() {
    let engine = TestEngine::start().await;
    let key = engine.elastic().create_key(json!({"name": "k"})).await;
    let client = engine.with(format!("ApiKey {}", key.encoded.trim_end_matches('=')));
    assert_eq!(client.authentication_status().await, 200);
}

#[tokio::test]
async fn keys_of_a_disabled_user_stay_valid() {
    let engine = TestEngine::start().await;
    let ann = engine
        .user_with_privileges("ann", &["manage_own_api_key"])
        .await;
    let key = ann.create_key(json!({"name": "k"})).await;
    engine
        .elastic()
        .send("PUT", "/_security/user/ann/_disable", None)
        .await
        .assert_ok();
    assert_eq!(ann.authentication_status().await, 401);
    assert_eq!(engine.key(&key).authentication_status().await, 200);
    engine
        .elastic()
        .send("DELETE", "/_security/user/ann", None)
        .await
        .assert_ok();
    assert_eq!(engine.key(&key).authentication_status().await, 200);
}

#[tokio::test]
async fn run_as_requires_privilege_and_existing_user() {
    let engine = TestEngine::start().await;
    engine.user_with_privileges("ann", &["monitor"]).await;
    let me = engine
        .elastic()
        .header("es-security-runas-user", "ann")
        .get(ME)
        .await
        .assert_ok();
    assert_eq!(me["username"], "ann");
    assert_eq!(me["authentication_realm"]["name"], "reserved");
    assert_eq!(me["lookup_realm"]["name"], "default_native");
    let nobody = engine.elastic().header(RUN_AS, "nobody").get(ME).await;
    assert_eq!(
        nobody.assert_error(403, "security_exception"),
        "action [cluster:admin/xpack/security/user/authenticate] is unauthorized for user [elastic] with effective roles [superuser], because user [elastic] is unauthorized to run as [nobody]"
    );
    let ben = engine.user_with_privileges("ben", &["all"]).await;
    let refused = ben.clone().header(RUN_AS, "ann").get(ME).await;
    assert_eq!(
        refused.assert_error(403, "security_exception"),
        "action [cluster:admin/xpack/security/user/authenticate] is unauthorized for user [ben] with effective roles [ben], because user [ben] is unauthorized to run as [ann]"
    );
    let key = ben.create_key(json!({"name": "k"})).await;
    let refused = engine.key(&key).header(RUN_AS, "ann").get(ME).await;
    let who = format!("API key id [{}] of user [ben]", key.id);
    assert_eq!(
        refused.assert_error(403, "security_exception"),
        format!(
            "action [cluster:admin/xpack/security/user/authenticate] is unauthorized for {who}, because {who} is unauthorized to run as [ann]"
        )
    );
}

#[tokio::test]
async fn run_as_empty_or_disabled_user_fails_authentication() {
    let engine = TestEngine::start().await;
    engine.user_with_privileges("ann", &["monitor"]).await;
    engine
        .elastic()
        .send("PUT", "/_security/user/ann/_disable", None)
        .await
        .assert_ok();
    for username in ["", "ann"] {
        // Checked before the path, like all invalid credentials.
        for path in [ME, "/no/such"] {
            let refused = engine.elastic().header(RUN_AS, username).get(path).await;
            assert_eq!(
                refused.assert_error(401, "security_exception"),
                format!("unable to authenticate user [elastic] for REST request [{path}]")
            );
        }
    }
}

#[tokio::test]
async fn cross_cluster_key_is_refused_with_its_type() {
    let engine = TestEngine::start().await;
    let key = engine.elastic().create_key(json!({"name": "k"})).await;
    let file = engine.folder().join("engine.db");
    let url = format!("sqlite://{}", file.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("UPDATE api_keys SET type = 'cross_cluster' WHERE id = ?")
        .bind(&key.id)
        .execute(&mut connection)
        .await
        .unwrap();
    let response = engine.key(&key).get(ME).await;
    assert_eq!(
        response.assert_error(401, "security_exception"),
        format!(
            "authentication expected API key type of [rest], but API key [{}] has type [cross_cluster]",
            key.id
        )
    );
    let additional = response.at("/error/additional_unsuccessful_credentials");
    assert_eq!(additional, Value::Null);
    // The secret is checked first.
    let wrong = STANDARD.encode(format!("{}:wrong", key.id));
    assert_eq!(
        detail(engine.with(format!("ApiKey {wrong}"))).await,
        format!("API key: invalid credentials for API key [{}]", key.id)
    );
}

#[tokio::test]
async fn authentication_errors_have_elasticsearchs_text() {
    const REFUSED: &str = "unable to authenticate with provided credentials and anonymous access is not allowed for this request";
    let engine = TestEngine::start().await;
    let no_colon = STANDARD.encode("nocolon");
    let no_id = STANDARD.encode(":secret");
    #[rustfmt::skip]
    let rows = [
        (format!("Basic {no_colon}"), "invalid basic authentication header value", None),
        ("Basic !!".to_owned(), "invalid basic authentication header encoding", None),
        (format!("ApiKey {no_colon}"), REFUSED, Some("API key: invalid ApiKey value")),
        (format!("ApiKey {no_id}"), REFUSED, Some("API key: invalid ApiKey value")),
        ("ApiKey a-b=".to_owned(), REFUSED, Some("API key: Illegal base64 character 2d")),
    ];
    for (header, reason, additional) in rows {
        let response = engine.with(&header).get(ME).await;
        let found = response.assert_error(401, "security_exception");
        assert_eq!(found, reason, "{header}");
        let detail = response.at("/error/additional_unsuccessful_credentials");
        assert_eq!(detail.as_str(), additional, "{header}");
    }
    // Blanks around the credentials are ignored.
    let basic = engine.basic("elastic", ELASTIC_PASSWORD);
    assert_eq!(
        engine
            .with(format!("Basic  {basic}"))
            .authentication_status()
            .await,
        200
    );
}

#[tokio::test]
async fn run_as_uses_privileges_of_the_other_user() {
    let engine = TestEngine::start().await;
    engine.user_with_privileges("ann", &["monitor"]).await;
    let as_ann = engine.elastic().header("es-security-runas-user", "ann");
    as_ann
        .get("/_security/user")
        .await
        .assert_error(403, "security_exception");
    let key = engine
        .user_with_privileges("ben", &["manage_own_api_key"])
        .await
        .create_key(json!({"name": "k"}))
        .await;
    // A superuser updates keys of other users only through run-as.
    let path = format!("/_security/api_key/{}", key.id);
    engine
        .elastic()
        .put(&path, json!({}))
        .await
        .assert_error(404, "resource_not_found_exception");
    let as_ben = engine.elastic().header("es-security-runas-user", "ben");
    as_ben
        .put(&path, json!({"metadata": {"a": 1}}))
        .await
        .assert_ok();
}

#[tokio::test]
async fn changed_password_is_not_served_from_the_cache() {
    let engine = TestEngine::start().await;
    let ann = engine.user_with_privileges("ann", &["monitor"]).await;
    assert_eq!(ann.authentication_status().await, 200);
    engine
        .elastic()
        .put(
            "/_security/user/ann/_password",
            json!({"password": "another one"}),
        )
        .await
        .assert_ok();
    assert_eq!(ann.authentication_status().await, 401);
    assert_eq!(
        engine
            .user("ann", "another one")
            .authentication_status()
            .await,
        200
    );
}
