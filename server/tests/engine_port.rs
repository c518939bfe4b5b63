//! The embedded engine's port, which is a second way in: guesses are paused there as at signing in, and changes are in
//! the same audit log.

use crate::support::{Browser, NOW, PASSWORD, client, client_with, config, eventually, soak};
use app::model::problem::ProblemKind;
use embedded::PasswordHashing;
use http::{Method, StatusCode};
use platform::Clock;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use server::{
    application::Application,
    config::{Config, TrustedProxies},
    store::StoredEvent,
};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const WRONG: &str = "wrong";
const AUTHENTICATE: &str = "/_security/_authenticate";

/// An application with its embedded engine, as the binary starts it.
struct Whole {
    application: Application,
    clock: Clock,
    _data_dir: TempDir,
}

impl Whole {
    async fn start() -> Self {
        Self::start_with(PasswordHashing::FastForTests, |_| {}).await
    }

    async fn start_with(hashing: PasswordHashing, change: impl FnOnce(&mut Config)) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(NOW.0);
        let mut config = config(data_dir.path());
        change(&mut config);
        Self {
            application: Application::start_with(config, clock.clone(), hashing)
                .await
                .unwrap(),
            clock,
            _data_dir: data_dir,
        }
    }

    /// Sends a request to the engine's port.
    async fn send(
        &self,
        http: &Client,
        (user, password): (&str, &str),
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Response {
        let address = self.application.engine_address().unwrap();
        let mut request = http
            .request(method, format!("http://{address}{path}"))
            .basic_auth(user, Some(password));
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    /// Makes a change as the superuser.
    async fn change(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let who = ("elastic", PASSWORD);
        let response = self.send(&client(), who, method, path, body).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    async fn put_user(&self, name: &str, roles: &[&str]) {
        let user = json!({ "password": PASSWORD, "roles": roles });
        let path = format!("/_security/user/{name}");
        self.change(Method::PUT, &path, Some(user)).await;
    }

    /// Shows a password at the engine's port.
    async fn guess(&self, http: &Client, user: &str, password: &str) -> StatusCode {
        let who = (user, password);
        let response = self.send(http, who, Method::GET, AUTHENTICATE, None).await;
        response.status()
    }

    fn browser(&self, http: Client) -> Browser {
        Browser {
            url: self.application.url(),
            cookie: None,
            user: None,
            http,
        }
    }

    async fn events(&self, action: &str) -> Vec<StoredEvent> {
        let store = &self.application.state().store;
        let mut events = store.audit_events(0, 10_000).await.unwrap();
        events.retain(|event| event.action == action);
        events
    }
}

/// A client on another machine.
fn at(machine: u8) -> Client {
    client_with(|builder| builder.local_address(Some([127, 0, 1, machine].into())))
}

fn details(event: &StoredEvent) -> Value {
    serde_json::from_str(&event.details).unwrap()
}

#[tokio::test]
async fn guesses_share_the_pauses_of_signing_in() {
    let whole = Whole::start().await;
    for name in ["ada", "bob", "eve"] {
        whole.put_user(name, &[]).await;
    }
    // Two failures cost nothing, and a success forgives them.
    for _ in 0..2 {
        assert_eq!(whole.guess(&at(1), "bob", WRONG).await, 401);
    }
    assert_eq!(whole.guess(&at(1), "bob", PASSWORD).await, 200);
    // Three pause the account for every address, and at both ports. They may come from anywhere.
    for machine in 2..5 {
        assert_eq!(whole.guess(&at(machine), "ada", WRONG).await, 401);
    }
    assert_eq!(whole.guess(&at(5), "ada", PASSWORD).await, 401);
    let refused = whole.browser(at(6)).sign_in("ada", PASSWORD).await;
    assert_eq!(refused.problem(), ProblemKind::SignInRejected);
    // Others are not affected, nor is a client whose password was verified before.
    assert_eq!(whole.guess(&at(5), "eve", PASSWORD).await, 200);
    for _ in 0..3 {
        whole.guess(&at(7), "eve", WRONG).await;
    }
    assert_eq!(whole.guess(&at(5), "eve", PASSWORD).await, 200);
    whole.clock.advance(Duration::from_secs(4));
    assert_eq!(whole.guess(&at(5), "ada", PASSWORD).await, 200);
    // And failures at signing in count at the engine's port.
    whole.put_user("dan", &[]).await;
    for machine in 2..5 {
        whole.browser(at(machine)).sign_in("dan", WRONG).await;
    }
    assert_eq!(whole.guess(&at(8), "dan", PASSWORD).await, 401);
}

#[tokio::test]
async fn user_at_work_on_the_pages_opens_no_way_past_the_pauses() {
    let whole = Whole::start().await;
    whole.put_user("ada", &["superuser"]).await;
    let mut ada = whole.browser(at(1));
    assert_eq!(ada.sign_in("ada", PASSWORD).await.status, StatusCode::OK);
    for machine in 2..5 {
        assert_eq!(whole.guess(&at(machine), "ada", WRONG).await, 401);
    }
    // Every call of the application for her verifies this very password.
    assert_eq!(ada.get("/settings/agent-keys").await.status, StatusCode::OK);
    assert_eq!(whole.guess(&at(5), "ada", PASSWORD).await, 401);
    // The control: after the pause it is taken.
    whole.clock.advance(Duration::from_secs(4));
    assert_eq!(whole.guess(&at(5), "ada", PASSWORD).await, 200);
}

#[tokio::test]
async fn one_address_has_ten_guesses_and_none_in_the_body_of_a_grant() {
    let whole = Whole::start().await;
    whole.put_user("ada", &[]).await;
    whole.put_user("bob", &["superuser"]).await;
    assert_eq!(whole.guess(&at(1), "bob", PASSWORD).await, 200);
    for number in 0..10 {
        let name = format!("user{number}");
        // A grant of a key checks a password of its own.
        let grant = json!({
            "grant_type": "password", "username": name, "password": WRONG, "api_key": { "name": "k" },
        });
        let (who, path) = (("bob", PASSWORD), "/_security/api_key/grant");
        let refused = whole
            .send(&at(1), who, Method::POST, path, Some(grant))
            .await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(whole.guess(&at(1), "ada", PASSWORD).await, 401);
    let refused = whole.browser(at(1)).sign_in("ada", PASSWORD).await;
    assert_eq!(refused.problem(), ProblemKind::SignInRejected);
    assert_eq!(whole.guess(&at(2), "ada", PASSWORD).await, 200);
}

#[tokio::test]
async fn proxy_names_the_client_that_guesses() {
    let whole = Whole::start_with(PasswordHashing::FastForTests, |config| {
        config.trusted_proxies = TrustedProxies::parse("127.0.1.1").unwrap();
    })
    .await;
    whole.put_user("ada", &[]).await;
    let address = whole.application.engine_address().unwrap();
    let guess = async |proxy: u8, client: &str, user: String, password: &str| {
        let request = at(proxy)
            .get(format!("http://{address}{AUTHENTICATE}"))
            .header("x-forwarded-for", client)
            .basic_auth(user, Some(password));
        request.send().await.unwrap().status()
    };
    for number in 0..10 {
        guess(1, "192.0.2.1", format!("user{number}"), WRONG).await;
        // Without a proxy's name, the header counts for nothing.
        guess(
            2,
            &format!("192.0.2.{}", 9 + number),
            format!("name{number}"),
            WRONG,
        )
        .await;
    }
    assert_eq!(guess(1, "192.0.2.1", "ada".to_owned(), PASSWORD).await, 401);
    assert_eq!(
        guess(2, "192.0.2.99", "ada".to_owned(), PASSWORD).await,
        401
    );
    assert_eq!(guess(1, "192.0.2.2", "ada".to_owned(), PASSWORD).await, 200);
}

#[tokio::test]
async fn flood_of_guesses_is_aggregated_in_the_audit_log() {
    let whole = Whole::start().await;
    let mut browser = whole.browser(client());
    browser.sign_in("elastic", PASSWORD).await;
    for _ in 0..60 {
        whole.guess(&at(1), "elastic", WRONG).await;
    }
    for _ in 0..3 {
        whole
            .guess(&at(2), "a password typed as a name", WRONG)
            .await;
    }
    let rejected = whole.events("user_login").await;
    let rejected: Vec<_> = rejected
        .iter()
        .filter(|event| event.outcome == "failure")
        .map(|event| (event.target_name.as_deref(), details(event)))
        .collect();
    let known = json!({ "reason": "not accepted", "port": "engine" });
    let unknown = json!({ "reason": "not accepted", "port": "engine", "user": "unknown" });
    let expected: Vec<_> = std::iter::repeat_n((Some("elastic"), known), 3)
        .chain(std::iter::repeat_n((None, unknown), 3))
        .collect();
    assert_eq!(rejected, expected);
    let paused = whole.events("login_throttled").await;
    let refusals: Vec<_> = paused
        .iter()
        .map(|event| details(event)["refusals"].clone())
        .collect();
    assert_eq!(refusals, [1, 2, 4, 8, 16, 32]);
    // The application's own calls go on: this page needs Elasticsearch.
    assert_eq!(browser.get("/settings/users").await.status, StatusCode::OK);
}

#[tokio::test]
async fn strangers_who_guess_do_not_delay_signing_in() {
    let whole = Whole::start_with(PasswordHashing::Standard, |_| {}).await;
    whole.put_user("ada", &[]).await;
    let address = whole.application.engine_address().unwrap();
    let guesses: Vec<_> = (0..soak(100, 400))
        .map(|number: usize| {
            let http = at(u8::try_from(number % 50 + 1).unwrap());
            let request = http
                .get(format!("http://{address}{AUTHENTICATE}"))
                .basic_auth(format!("user{number}"), Some(WRONG));
            tokio::spawn(async move { request.send().await.map(|answer| answer.status()) })
        })
        .collect();
    eventually("guesses are checked", async || {
        guesses.iter().any(|guess| guess.is_finished())
    })
    .await;
    let began = Instant::now();
    let answer = whole.browser(client()).sign_in("ada", PASSWORD).await;
    let took = began.elapsed();
    let waiting = guesses.iter().filter(|guess| !guess.is_finished()).count();
    println!(
        "signed in after {} ms, {waiting} guesses still wait",
        took.as_millis()
    );
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    // The control: in one queue for all, it would have been the last.
    assert!(waiting > 20, "{waiting}");
    for guess in guesses {
        assert_eq!(guess.await.unwrap().unwrap(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn change_at_the_port_is_recorded_and_a_refused_one_is_not() {
    let whole = Whole::start().await;
    let mut browser = whole.browser(client());
    browser.sign_in("elastic", PASSWORD).await;
    // The application's own change has an event of its own.
    let own = [
        ("form[username]", "made-here"),
        ("form[password]", "a good password here"),
    ];
    assert_eq!(browser.post("create_user", &own).await.status, 200);
    assert!(whole.events("engine_change").await.is_empty());

    let (put, post, delete) = (Method::PUT, Method::POST, Method::DELETE);
    whole.put_user("ninja", &["superuser"]).await;
    let role = Some(json!({ "cluster": ["all"] }));
    whole
        .change(put.clone(), "/_security/role/wide", role.clone())
        .await;
    let mapping =
        json!({ "roles": ["wide"], "enabled": true, "rules": { "field": { "username": "*" } } });
    whole
        .change(put.clone(), "/_security/role_mapping/all", Some(mapping))
        .await;
    let password = Some(json!({ "password": "another good one" }));
    whole
        .change(put.clone(), "/_security/user/ninja/_password", password)
        .await;
    whole
        .change(put.clone(), "/_security/user/ninja/_disable", None)
        .await;
    let key = json!({ "name": "a key" });
    let key = whole
        .change(post.clone(), "/_security/api_key", Some(key))
        .await;
    let id = key["id"].as_str().unwrap();
    let path = format!("/_security/api_key/{id}");
    let metadata = json!({ "metadata": { "a": "b" } });
    whole
        .change(put.clone(), &path, Some(metadata.clone()))
        .await;
    // Nothing is left to change, and a reader changes nothing.
    whole.change(put.clone(), &path, Some(metadata)).await;
    whole
        .change(Method::GET, "/_security/user/ninja", None)
        .await;
    let ids = Some(json!({ "ids": [id] }));
    whole
        .change(delete.clone(), "/_security/api_key", ids.clone())
        .await;
    whole
        .change(delete.clone(), "/_security/api_key", ids)
        .await;
    whole
        .change(delete.clone(), "/_security/user/ninja", None)
        .await;
    // Refused, with a password and with a key.
    whole.put_user("poor", &[]).await;
    let who = ("poor", PASSWORD);
    let refused = whole
        .send(&client(), who, put.clone(), "/_security/role/wider", role)
        .await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);

    let events = whole.events("engine_change").await;
    let seen: Vec<_> = events
        .iter()
        .map(|event| {
            assert_eq!(event.actor.as_deref(), Some("elastic"));
            assert_eq!(event.outcome, "success");
            let details = details(event);
            let action = details["action"].as_str().unwrap().to_owned();
            (
                action.replace("cluster:admin/xpack/security/", ""),
                event.target_name.clone().unwrap_or_default(),
            )
        })
        .collect();
    let expected = [
        ("user/put", "ninja"),
        ("role/put", "wide"),
        ("role_mapping/put", "all"),
        ("user/change_password", "ninja"),
        ("user/set_enabled", "ninja"),
        ("api_key/create", id),
        ("api_key/update", id),
        ("api_key/invalidate", id),
        ("user/delete", "ninja"),
        ("user/put", "poor"),
    ]
    .map(|(action, target)| (action.to_owned(), target.to_owned()));
    assert_eq!(seen, expected);
    let record: Value = serde_json::from_str(&events[0].record).unwrap();
    assert_eq!(record["source"]["ip"], "127.0.0.1");
    assert!(!events.iter().any(|event| event.record.contains(PASSWORD)));
}

#[tokio::test]
async fn refused_requests_at_the_port_are_recorded_with_the_user_and_aggregated() {
    let whole = Whole::start().await;
    whole.put_user("poor", &[]).await;
    let who = ("poor", PASSWORD);
    for _ in 0..4 {
        for (method, path) in [
            (Method::GET, "/_security/user/elastic"),
            (Method::DELETE, "/_security/user/elastic"),
        ] {
            let refused = whole.send(&client(), who, method, path, None).await;
            assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        }
    }
    // The control: what the user may ask is not recorded.
    let own = whole
        .send(&client(), who, Method::GET, AUTHENTICATE, None)
        .await;
    assert_eq!(own.status(), StatusCode::OK);
    let events = whole.events("request_refused").await;
    let counts: Vec<_> = events
        .iter()
        .map(|event| {
            assert_eq!(event.actor.as_deref(), Some("poor"));
            let details = details(event);
            assert_eq!(details["reason"], "engine_forbidden");
            assert_eq!(details["targets"], json!(["elastic"]));
            details["refusals"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(counts, [1, 2, 4, 8]);
    let first = details(&events[0]);
    assert_eq!(first["action"], "cluster:admin/xpack/security/user/get");
}

/// Sends a request over HTTP/1.1 for this host; the status and body of the answer.
async fn for_host(address: std::net::SocketAddr, path: &str, host: Option<&str>) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let host = host.map_or(String::new(), |host| format!("Host: {host}\r\n"));
    let version = if host.is_empty() { "1.0" } else { "1.1" };
    let request = format!("GET {path} HTTP/{version}\r\n{host}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer[9..12].parse().unwrap();
    (status, answer)
}

/// Asks for `/login`, or of our own host for `/health/live`, over HTTP/2; the bytes of the answer as text.
async fn over_http2(address: std::net::SocketAddr, host: &str) -> String {
    let path = if host == "localhost" {
        "/health/live"
    } else {
        "/login"
    };
    let mut headers = vec![0x82, 0x86, 0x44, u8::try_from(path.len()).unwrap()];
    headers.extend(path.as_bytes());
    headers.extend([0x41, u8::try_from(host.len()).unwrap()]);
    headers.extend(host.as_bytes());
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    bytes.extend([0, 0, u8::try_from(headers.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    bytes.extend(headers);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    let mut part = [0; 4_096];
    // Both answers are text that ends its stream; the connection stays open.
    while !["HOST_NAMES", "live"]
        .iter()
        .any(|end| String::from_utf8_lossy(&answer).contains(end))
    {
        let count = stream.read(&mut part).await.unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn ports_answer_for_their_own_host_names_alone() {
    let whole = Whole::start_with(PasswordHashing::FastForTests, |config| {
        config.public_url = Some("https://keys.example.com".parse().unwrap());
        config.host_names = vec!["es.example.com".to_owned()];
        config.trusted_proxies = TrustedProxies::parse("127.0.1.1").unwrap();
    })
    .await;
    let engine = whole.application.engine_address().unwrap();
    let web = whole.application.address();
    let ours = [
        "127.0.0.1",
        "[::1]:80",
        "localhost:1",
        "keys.example.com",
        "es.example.com:9200",
        "apm",
    ];
    for host in ours.into_iter().map(Some).chain([None]) {
        assert_eq!(for_host(web, "/login", host).await.0, 200, "{host:?}");
        assert_eq!(for_host(engine, "/", host).await.0, 401, "{host:?}");
    }
    for host in [
        "evil.example",
        "evil.example:5680",
        "localhost.evil.example",
        "keys.example.com.evil.example",
    ] {
        for address in [web, engine] {
            let (status, answer) = for_host(address, "/login", Some(host)).await;
            assert_eq!(status, 421, "{host}");
            assert!(answer.contains("AGENT_KEYS_HOST_NAMES"), "{answer}");
        }
        // A probe of a load balancer reads nothing that is worth keeping.
        assert_eq!(for_host(web, "/health/live", Some(host)).await.0, 200);
    }
    // The exploit: a page of another site that has pointed its name here signs in and reads.
    let form = [("username", "elastic"), ("password", PASSWORD)];
    let rebound = client()
        .post(format!("http://{web}/api/sign_in"))
        .header("host", "evil.example")
        .header("origin", "http://evil.example")
        .header("sec-fetch-site", "same-origin")
        .form(&form);
    assert_eq!(rebound.send().await.unwrap().status(), 421);
    let rebound = client()
        .get(format!("http://{engine}{AUTHENTICATE}"))
        .header("host", "evil.example")
        .basic_auth("elastic", Some(PASSWORD));
    assert_eq!(rebound.send().await.unwrap().status(), 421);
    // Over HTTP/2 the name is in the address.
    assert!(
        over_http2(web, "evil.example")
            .await
            .contains("AGENT_KEYS_HOST_NAMES")
    );
    assert!(over_http2(web, "localhost").await.contains("live"));
    // A trusted proxy whose client uses TLS has matched the name to a certificate.
    let proxied = |machine| {
        at(machine)
            .get(format!("http://{web}/login"))
            .header("host", "other.example.com")
            .header("x-forwarded-proto", "https")
            .send()
    };
    assert_eq!(proxied(1).await.unwrap().status(), 200);
    assert_eq!(proxied(2).await.unwrap().status(), 421);
}
