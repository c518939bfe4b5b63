//! The vocabulary of the tests: a fresh engine, people who ask it, and what they get.

pub(crate) mod http;

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use embedded::{Clock, Config, Engine, PasswordHashing};
pub(crate) use http::Response;
pub(crate) use serde_json::{Value, json};
use tempfile::TempDir;

/// When the engines of the tests start: 2026-01-02T03:04:05.678Z.
pub(crate) const START_MS: i64 = 1_767_323_045_678;
pub(crate) const ELASTIC_PASSWORD: &str = "correct horse";

/// A fresh engine on a database of its own.
pub(crate) struct TestEngine {
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    pub(crate) folder: TempDir,
}

/// Someone who asks: an address and an `Authorization` header.
#[derive(Clone)]
pub(crate) struct Person {
    address: SocketAddr,
    authorization: Option<String>,
    extra: Vec<(String, String)>,
}

/// Says how often a requirement was seen to hold, for the table in `docs/requirements.md`.
pub(crate) fn requirement(id: &str, held: usize, of: usize) {
    let word = if held == of { "pass" } else { "fail" };
    println!("{id} {word} {held}/{of} seed=-");
}

/// How many rounds: few, or many where somebody has the time.
pub(crate) fn soak(few: usize, many: usize) -> usize {
    if std::env::var_os("AGENT_KEYS_SOAK").is_some() {
        many
    } else {
        few
    }
}

/// A key that was created.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) encoded: String,
}

impl TestEngine {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Clock::manual(START_MS);
        let mut config = Config::new(([127, 0, 0, 1], 0).into(), folder.path().join("engine.db"));
        config.elastic_password = Some(ELASTIC_PASSWORD.to_owned().into());
        config.clock = clock.clone();
        config.password_hashing = PasswordHashing::FastForTests;
        change(&mut config);
        let engine = Engine::start(config).await.unwrap();
        Self {
            engine,
            clock,
            folder,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.engine.address()
    }

    pub(crate) fn nobody(&self) -> Person {
        Person {
            address: self.address(),
            authorization: None,
            extra: Vec::new(),
        }
    }

    pub(crate) fn with(&self, authorization: impl Into<String>) -> Person {
        Person {
            authorization: Some(authorization.into()),
            ..self.nobody()
        }
    }

    pub(crate) fn elastic(&self) -> Person {
        self.user("elastic", ELASTIC_PASSWORD)
    }

    pub(crate) fn user(&self, username: &str, password: &str) -> Person {
        self.with(format!(
            "Basic {}",
            STANDARD.encode(format!("{username}:{password}"))
        ))
    }

    pub(crate) fn key(&self, key: &Key) -> Person {
        self.with(format!("ApiKey {}", key.encoded))
    }

    /// A new user `name` with a role of the same name that holds these cluster privileges.
    pub(crate) async fn person_with(&self, name: &str, cluster: &[&str]) -> Person {
        self.person_holding(name, json!({ "cluster": cluster }))
            .await
    }

    /// A new user `name` with a role of the same name.
    pub(crate) async fn person_holding(&self, name: &str, role: Value) -> Person {
        let elastic = self.elastic();
        elastic
            .put(&format!("/_security/role/{name}"), role)
            .await
            .assert_ok();
        let user = json!({ "password": "password of theirs", "roles": [name] });
        elastic
            .put(&format!("/_security/user/{name}"), user)
            .await
            .assert_ok();
        self.user(name, "password of theirs")
    }
}

impl Person {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.extra.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) async fn send(&self, method: &str, target: &str, body: Option<Value>) -> Response {
        let body = body.map(|body| body.to_string().into_bytes());
        self.send_bytes(method, target, body.as_deref(), "application/json")
            .await
    }

    pub(crate) async fn send_bytes(
        &self,
        method: &str,
        target: &str,
        body: Option<&[u8]>,
        content_type: &str,
    ) -> Response {
        let mut headers: Vec<(&str, &str)> = Vec::new();
        if let Some(authorization) = &self.authorization {
            headers.push(("Authorization", authorization));
        }
        if body.is_some() && !content_type.is_empty() {
            headers.push(("Content-Type", content_type));
        }
        headers.extend(
            self.extra
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        http::send(self.address, method, target, &headers, body).await
    }

    pub(crate) async fn get(&self, target: &str) -> Response {
        self.send("GET", target, None).await
    }

    pub(crate) async fn put(&self, target: &str, body: Value) -> Response {
        self.send("PUT", target, Some(body)).await
    }

    pub(crate) async fn post(&self, target: &str, body: Value) -> Response {
        self.send("POST", target, Some(body)).await
    }

    pub(crate) async fn delete(&self, target: &str, body: Value) -> Response {
        self.send("DELETE", target, Some(body)).await
    }

    pub(crate) async fn create_key(&self, body: Value) -> Key {
        let created = self.post("/_security/api_key", body).await.assert_ok();
        Key {
            id: created["id"].as_str().unwrap().to_owned(),
            encoded: created["encoded"].as_str().unwrap().to_owned(),
        }
    }

    pub(crate) async fn query(&self, body: Value) -> Response {
        self.post("/_security/_query/api_key", body).await
    }

    /// The names of the keys that a query finds, in its order.
    pub(crate) async fn names(&self, body: Value) -> Vec<String> {
        let found = self.query(body).await.assert_ok();
        found["api_keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["name"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) async fn invalidate(&self, key: &Key) -> Response {
        self.delete("/_security/api_key", json!({ "ids": [key.id] }))
            .await
    }

    pub(crate) async fn status_of_me(&self) -> u16 {
        self.get("/_security/_authenticate").await.status
    }
}
