//! OpenID Connect realms.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use embedded::{Config, Engine, StartError};
use sha2::{Digest, Sha256};

use crate::support::{
    provider::{CLIENT, CLIENT_SECRET, Provider, REALM, REDIRECT, SigningKey},
    *,
};

const PREPARE: &str = "/_security/oidc/prepare";
const AUTHENTICATE: &str = "/_security/oidc/authenticate";
const LOGOUT: &str = "/_security/oidc/logout";
const TOKEN: &str = "/_security/oauth2/token";
const ME: &str = "/_security/_authenticate";
/// Start time of the engines' clocks, in seconds.
const NOW: i64 = 1_767_323_045;

/// An engine with one realm, the provider of the realm, and the application as a client.
struct Setup {
    engine: TestEngine,
    provider: Provider,
    service: Client,
}

async fn set_up() -> Setup {
    set_up_with(SigningKey::new(), |_| ()).await
}

async fn set_up_with(key: SigningKey, change: impl FnOnce(&Provider)) -> Setup {
    // Another test may have done so.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let provider = Provider::start(key, NOW).await;
    change(&provider);
    let realm = provider.realm();
    let engine = TestEngine::start_with(|config| config.oidc_realms.push(realm)).await;
    let service = engine
        .user_with_privileges("service", &["manage_oidc", "manage_token"])
        .await;
    Setup {
        engine,
        provider,
        service,
    }
}

impl Setup {
    /// Ends a sign-in with the query of the provider's answer.
    async fn arrive(&self, query: &str) -> Response {
        let body = json!({"redirect_uri": format!("{REDIRECT}?{query}"), "state": "s", "nonce": "n", "realm": REALM});
        self.service.post(AUTHENTICATE, body).await
    }

    fn bearer(&self, answer: &Response) -> Client {
        let token = answer.at("/access_token");
        self.engine
            .with(format!("Bearer {}", token.as_str().unwrap()))
    }

    async fn map(&self, role: &str, group: &str) {
        let rules =
            json!({"all": [{"field": {"realm.name": REALM}}, {"field": {"groups": group}}]});
        let mapping = json!({"roles": [role], "rules": rules});
        let path = format!("/_security/role_mapping/{role}");
        self.engine.elastic().put(&path, mapping).await.assert_ok();
    }
}

fn parameters(address: &Value) -> Vec<(String, String)> {
    let (_, query) = address.as_str().unwrap().split_once('?').unwrap();
    url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

fn parameter(address: &Value, name: &str) -> Option<String> {
    let found = parameters(address).into_iter();
    found
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value)
        .next()
}

#[tokio::test]
async fn preparation_gives_the_address_of_the_provider() {
    let setup = set_up().await;
    let body =
        json!({"realm": REALM, "state": "my state", "nonce": "my nonce", "login_hint": "ada"});
    let answer = setup.service.post(PREPARE, body).await.assert_ok();
    let expected = format!("{}/auth?tenant=1&", setup.provider.issuer());
    assert!(answer["redirect"].as_str().unwrap().starts_with(&expected));
    for (name, value) in [
        ("scope", "openid profile"),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("state", "my state"),
        ("nonce", "my nonce"),
        ("client_id", CLIENT),
        ("login_hint", "ada"),
    ] {
        assert_eq!(parameter(&answer["redirect"], name).as_deref(), Some(value));
    }
    assert_eq!(
        (&answer["state"], &answer["nonce"], &answer["realm"]),
        (&json!("my state"), &json!("my nonce"), &json!(REALM))
    );
    let by_issuer = json!({"iss": setup.provider.issuer()});
    let first = setup
        .service
        .post(PREPARE, by_issuer.clone())
        .await
        .assert_ok();
    let second = setup.service.post(PREPARE, by_issuer).await.assert_ok();
    for name in ["state", "nonce"] {
        assert!(first[name].as_str().unwrap().len() >= 22);
        assert_ne!(first[name], second[name]);
    }
}

#[tokio::test]
async fn preparation_for_an_unknown_realm_fails_as_in_elasticsearch() {
    let setup = set_up().await;
    let unknown = setup.service.post(PREPARE, json!({"realm": "x"})).await;
    assert_eq!(
        unknown.assert_error(500, "security_exception"),
        "Cannot find OpenID Connect realm with name [x]"
    );
    for (body, rule) in [
        (json!({}), "one of [realm, issuer] must be provided"),
        (
            json!({"realm": "x", "iss": "y"}),
            "only one of [realm, issuer] can be provided in the same request",
        ),
    ] {
        let answer = setup.service.post(PREPARE, body).await;
        let reason = answer.assert_error(400, "action_request_validation_exception");
        assert!(reason.contains(rule), "{reason}");
    }
}

#[tokio::test]
async fn oidc_calls_need_their_privilege() {
    let setup = set_up().await;
    let other = setup
        .engine
        .user_with_privileges("other", &["manage_token"])
        .await;
    for path in [PREPARE, AUTHENTICATE, LOGOUT] {
        let body = match path {
            PREPARE => json!({"realm": REALM}),
            LOGOUT => json!({"token": "x"}),
            _ => json!({"redirect_uri": REDIRECT, "state": "s", "nonce": "n"}),
        };
        other
            .post(path, body)
            .await
            .assert_error(403, "security_exception");
    }
}

#[tokio::test]
async fn user_signs_in_with_the_roles_of_the_mappings() {
    let setup = set_up().await;
    setup.map("editor", "apm").await;
    setup.map("superuser", "none").await;
    let answer = setup.arrive("code=c1&state=s").await;
    let body = answer.assert_ok();
    assert_eq!(
        (&body["username"], &body["expires_in"]),
        (&json!("ada"), &json!(1200))
    );
    let me = setup.bearer(&answer).get(ME).await.assert_ok();
    let realm = json!({"name": REALM, "type": "oidc"});
    assert_eq!(
        (&me["username"], &me["roles"], &me["authentication_realm"]),
        (&json!("ada"), &json!(["editor"]), &realm)
    );
    assert_eq!(
        (&me["full_name"], &me["email"], &me["authentication_type"]),
        (
            &json!("Ada Lovelace"),
            &json!("ada@example.com"),
            &json!("token")
        )
    );
    assert_eq!(me["metadata"]["oidc(auth_time)"], NOW);
    assert!(me["metadata"].get("oidc(groups)").is_none());
    // The client's secret was shown in the way of the realm.
    let shown = setup
        .provider
        .answers()
        .requests
        .iter()
        .find(|(path, ..)| path == "/token")
        .map(|(_, authorization, _)| authorization.clone());
    assert_eq!(
        shown.as_deref(),
        Some("Basic YWdlbnQra2V5czpzM2NyZXQlM0FvZitjbGllbnQ=")
    );
    assert_eq!(CLIENT_SECRET, "s3cret:of client");
}

#[tokio::test]
async fn new_mapping_takes_effect_at_the_next_sign_in() {
    let setup = set_up().await;
    let first = setup.arrive("code=c1&state=s").await;
    setup.map("viewer", "apm").await;
    let body = json!({"grant_type": "refresh_token", "refresh_token": first.at("/refresh_token")});
    let refreshed = setup.service.post(TOKEN, body).await;
    for answer in [&first, &refreshed] {
        let me = setup.bearer(answer).get(ME).await;
        assert_eq!(me.at("/roles"), json!([]));
    }
    let again = setup.arrive("code=c2&state=s").await;
    let me = setup.bearer(&again).get(ME).await;
    assert_eq!(me.at("/roles"), json!(["viewer"]));
}

#[tokio::test]
async fn key_belongs_to_the_user_at_the_next_sign_in() {
    let setup = set_up().await;
    setup.map("superuser", "apm").await;
    let first = setup.arrive("code=c1&state=s").await;
    let key = setup.bearer(&first).create_key(json!({"name": "k"})).await;
    let second = setup.arrive("code=c2&state=s").await;
    let own = setup
        .bearer(&second)
        .get("/_security/api_key?owner=true")
        .await;
    let own = own.assert_ok();
    assert_eq!(own["api_keys"][0]["id"], key.id.as_str());
    assert_eq!(
        (
            &own["api_keys"][0]["realm"],
            &own["api_keys"][0]["username"]
        ),
        (&json!(REALM), &json!("ada"))
    );
    // A native user of the same name is another one.
    let user = json!({"password": "long enough", "roles": ["superuser"]});
    setup
        .engine
        .elastic()
        .put("/_security/user/ada", user)
        .await
        .assert_ok();
    let native = setup.engine.user("ada", "long enough");
    let own = native.get("/_security/api_key?owner=true").await;
    assert_eq!(own.at("/api_keys"), json!([]));
}

#[tokio::test]
async fn code_is_used_once() {
    let setup = set_up().await;
    setup.arrive("code=c1&state=s").await.assert_ok();
    let again = setup.arrive("code=c1&state=s").await;
    assert_eq!(
        again.assert_error(401, "security_exception"),
        "unable to authenticate user [<OIDC Token>] for action [cluster:admin/xpack/security/oidc/authenticate]"
    );
}

#[tokio::test]
async fn wrong_answer_in_the_address_is_refused() {
    let setup = set_up().await;
    for query in [
        "",
        "state=s",
        "code=c",
        "code=c&state=other",
        "code=c&state=s&state=s",
        "code=c&code=c&state=s",
        "code=c&state=s&iss=https%3A%2F%2Felsewhere.example",
        "code=c&state=s&id_token=x",
        "error=access_denied&state=s",
        "error=access_denied&code=c&state=s",
    ] {
        let answer = setup.arrive(query).await;
        answer.assert_error(401, "security_exception");
    }
    let asked = setup.provider.answers().requests.clone();
    assert!(asked.iter().all(|(path, ..)| path != "/token"), "{asked:?}");
    let issuer = setup
        .provider
        .issuer()
        .replace(':', "%3A")
        .replace('/', "%2F");
    let right = setup.arrive(&format!("code=c&state=s&iss={issuer}")).await;
    right.assert_ok();
}

#[tokio::test]
async fn answer_without_the_promised_issuer_is_refused() {
    let setup = set_up_with(SigningKey::new(), |provider| {
        provider.answers().metadata["authorization_response_iss_parameter_supported"] = json!(true);
    })
    .await;
    let answer = setup.arrive("code=c&state=s").await;
    answer.assert_error(401, "security_exception");
    let issuer = setup.provider.issuer();
    setup
        .arrive(&format!("code=c&state=s&iss={issuer}"))
        .await
        .assert_ok();
}

#[tokio::test]
async fn wrong_id_token_is_refused() {
    let setup = set_up().await;
    setup.arrive("code=first&state=s").await.assert_ok();
    let right = setup.provider.answers().claims.clone();
    for (number, (name, value)) in [
        ("iss", json!("https://elsewhere.example")),
        ("aud", json!("another")),
        ("aud", json!(["another"])),
        ("aud", json!([CLIENT, "another"])),
        ("azp", json!("another")),
        ("nonce", json!("another")),
        ("nonce", json!(null)),
        ("exp", json!(NOW - 61)),
        ("exp", json!(null)),
        ("exp", json!("later")),
        ("iat", json!(NOW + 120)),
        ("iat", json!(null)),
        ("nbf", json!(NOW + 120)),
        ("nbf", json!("soon")),
        ("sub", json!("ben")),
        ("sub", json!("")),
        ("at_hash", json!("another")),
    ]
    .into_iter()
    .enumerate()
    {
        setup.provider.answers().claims[name] = value.clone();
        let answer = setup.arrive(&format!("code=c{number}&state=s")).await;
        assert_eq!(answer.status, 401, "{name} {value}");
        setup.provider.answers().claims = right.clone();
    }
    let half = URL_SAFE_NO_PAD.encode(&Sha256::digest("opaque")[..16]);
    for (name, value) in [
        ("aud", json!([CLIENT])),
        ("azp", json!(CLIENT)),
        ("exp", json!(NOW - 30)),
        ("iat", json!(NOW + 30)),
        ("at_hash", json!(half)),
    ] {
        setup.provider.answers().claims[name] = value;
        let answer = setup.arrive(&format!("code=right-{name}&state=s")).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
        setup.provider.answers().claims = right.clone();
    }
}

#[tokio::test]
async fn id_token_of_another_key_or_algorithm_is_refused() {
    let setup = set_up().await;
    for (number, alg) in ["none", "HS256", "RS256", "ES384"].into_iter().enumerate() {
        setup.provider.answers().alg = Some(alg);
        let answer = setup.arrive(&format!("code=c{number}&state=s")).await;
        assert_eq!(answer.status, 401, "{alg}");
    }
    setup.provider.answers().alg = None;
    setup.arrive("code=right&state=s").await.assert_ok();
    setup.provider.answers().key = SigningKey::new();
    let answer = setup.arrive("code=other&state=s").await;
    answer.assert_error(401, "security_exception");
}

#[tokio::test]
async fn keys_are_read_anew_when_the_provider_changes_them() {
    let setup = set_up().await;
    setup.arrive("code=c1&state=s").await.assert_ok();
    {
        let mut answers = setup.provider.answers();
        let key = SigningKey::new();
        answers.jwks = json!({"keys": [{"kty": "unknown", "kid": "zero"}, key.jwk("two")]});
        answers.key = key;
        answers.kid = "two";
    }
    setup.arrive("code=c2&state=s").await.assert_ok();
    let paths = || {
        let answers = setup.provider.answers();
        let paths = answers.requests.iter().map(|(path, ..)| path.clone());
        paths.filter(|path| path == "/jwks").count()
    };
    assert_eq!(paths(), 2);
    setup.arrive("code=c3&state=s").await.assert_ok();
    assert_eq!(paths(), 2);
}

#[tokio::test]
async fn rs256_is_the_default_algorithm() {
    let setup = set_up_with(SigningKey::rsa(), |_| ()).await;
    setup.arrive("code=c1&state=s").await.assert_ok();
    setup.provider.answers().claims["nonce"] = json!("another");
    assert_eq!(setup.arrive("code=c2&state=s").await.status, 401);
}

#[tokio::test]
async fn code_is_bound_by_pkce_where_the_provider_takes_part() {
    let without = set_up().await;
    let answer = without.service.post(PREPARE, json!({"realm": REALM})).await;
    let redirect = answer.at("/redirect");
    assert_eq!(parameter(&redirect, "code_challenge"), None);
    let setup = set_up_with(SigningKey::new(), |provider| {
        provider.answers().metadata["code_challenge_methods_supported"] = json!(["plain", "S256"]);
    })
    .await;
    let body = json!({"realm": REALM, "state": "s", "nonce": "n"});
    let redirect = setup.service.post(PREPARE, body).await.at("/redirect");
    assert_eq!(
        parameter(&redirect, "code_challenge_method").as_deref(),
        Some("S256")
    );
    setup.arrive("code=c1&state=s").await.assert_ok();
    let answers = setup.provider.answers();
    let sent = answers.requests.iter().find(|(path, ..)| path == "/token");
    let (_, _, form) = sent.unwrap();
    let verifier = form
        .split('&')
        .find_map(|field| field.strip_prefix("code_verifier="));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.unwrap()));
    assert_eq!(parameter(&redirect, "code_challenge"), Some(challenge));
}

#[tokio::test]
async fn user_information_about_another_user_is_refused() {
    let setup = set_up().await;
    setup.provider.answers().userinfo["sub"] = json!("ben");
    setup
        .arrive("code=c1&state=s")
        .await
        .assert_error(401, "security_exception");
    setup.provider.answers().userinfo["sub"] = json!("ada");
    setup.arrive("code=c2&state=s").await.assert_ok();
}

#[tokio::test]
async fn answer_of_a_provider_has_at_most_256_kib() {
    let setup = set_up().await;
    let long = |bytes: usize| json!("x".repeat(bytes));
    setup.provider.answers().userinfo["picture"] = long(256 * 1024);
    let answer = setup.arrive("code=c1&state=s").await;
    answer.assert_error(401, "security_exception");
    setup.provider.answers().userinfo["picture"] = long(200 * 1024);
    setup.arrive("code=c2&state=s").await.assert_ok();
}

#[tokio::test]
async fn logout_invalidates_both_tokens_and_leads_to_the_provider() {
    let setup = set_up().await;
    let answer = setup.arrive("code=c1&state=s").await;
    assert_eq!(setup.bearer(&answer).authentication_status().await, 200);
    setup.engine.clock().advance(Duration::from_secs(1_300));
    let body =
        json!({"token": answer.at("/access_token"), "refresh_token": answer.at("/refresh_token")});
    let ended = setup.service.post(LOGOUT, body).await.assert_ok();
    let redirect = ended["redirect"].clone();
    assert!(
        redirect
            .as_str()
            .unwrap()
            .starts_with(&format!("{}/end?", setup.provider.issuer()))
    );
    assert_eq!(
        parameter(&redirect, "post_logout_redirect_uri").as_deref(),
        Some("http://127.0.0.1:5680/login")
    );
    let body = json!({"grant_type": "refresh_token", "refresh_token": answer.at("/refresh_token")});
    let refreshed = setup.service.post(TOKEN, body).await;
    assert_eq!(
        refreshed.at("/error_description"),
        "token has been invalidated"
    );
}

#[tokio::test]
async fn logout_with_a_foreign_token_fails_as_in_elasticsearch() {
    let setup = set_up().await;
    let unknown = setup.service.post(LOGOUT, json!({"token": "nope"})).await;
    assert_eq!(
        unknown.assert_error(500, "security_exception"),
        "supplied token is not valid"
    );
    let own = json!({"grant_type": "client_credentials"});
    let own = setup.service.post(TOKEN, own).await;
    let body = json!({"token": own.at("/access_token")});
    let other = setup.service.post(LOGOUT, body).await;
    assert_eq!(
        other.assert_error(400, "illegal_argument_exception"),
        "Access token is not valid for an OpenID Connect realm"
    );
}

#[tokio::test]
async fn user_of_the_realm_is_not_the_stored_user_of_the_same_name() {
    let setup = set_up().await;
    setup.provider.answers().claims["sub"] = json!("elastic");
    setup.provider.answers().userinfo["sub"] = json!("elastic");
    let answer = setup.arrive("code=c1&state=s").await;
    let other = setup.bearer(&answer);
    assert_eq!(other.get(ME).await.at("/username"), "elastic");
    let user = other.get("/_security/user/elastic").await;
    user.assert_error(403, "security_exception");
    let password = json!({"password": "another password"});
    for path in [
        "/_security/user/_password",
        "/_security/user/elastic/_password",
    ] {
        let changed = other.put(path, password.clone()).await;
        changed.assert_error(403, "security_exception");
    }
    assert_eq!(setup.engine.elastic().authentication_status().await, 200);
}

#[tokio::test]
async fn realm_has_a_name_of_its_own() {
    let provider = Provider::start(SigningKey::new(), NOW).await;
    for names in [
        &["default_native"][..],
        &["reserved"],
        &["_es_api_key"],
        &[""],
        &["a", "a"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(([127, 0, 0, 1], 0).into(), folder.path().join("engine.db"));
        config.oidc_realms = names.iter().map(|name| provider.named(name)).collect();
        let refused = Engine::start(config).await.err();
        assert!(
            matches!(refused, Some(StartError::Realm { .. })),
            "{names:?}"
        );
    }
}

#[tokio::test]
async fn provider_without_encryption_is_refused_beyond_loopback() {
    let provider = Provider::start(SigningKey::new(), NOW).await;
    let folder = tempfile::tempdir().unwrap();
    let start = |issuer: &str| {
        let mut realm = provider.realm();
        realm.issuer = issuer.to_owned();
        let mut config = Config::new(([127, 0, 0, 1], 0).into(), folder.path().join("engine.db"));
        config.oidc_realms.push(realm);
        Engine::start(config)
    };
    let refused = start("http://192.0.2.1").await.err().unwrap();
    assert!(matches!(refused, StartError::Realm { .. }), "{refused}");
    let text = refused.to_string();
    assert!(
        text.contains(REALM) && text.contains("http://192.0.2.1"),
        "{text}"
    );
    start(&provider.issuer()).await.unwrap().stop().await;
}
