//! Test kit: a fresh engine or a remote Elasticsearch, and clients of it.

pub(crate) mod http;
pub(crate) mod namespace;
pub(crate) mod provider;
pub(crate) mod remote;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use embedded::{Config, Engine, PasswordHashing, Version};
pub(crate) use http::Response;
use http::Target;
use platform::Clock;
use remote::Remote;
pub(crate) use serde_json::{Value, json};
use tempfile::TempDir;

/// Start time of the engines' clocks: 2026-01-02T03:04:05.678Z.
const START_MS: i64 = 1_767_323_045_678;
pub(crate) const ELASTIC_PASSWORD: &str = "correct horse";

/// Elasticsearch for one test: a fresh engine, or a namespace in a remote cluster.
pub(crate) struct TestEngine {
    target: Arc<Target>,
    remote: Option<Arc<Remote>>,
    private: Option<Private>,
}

/// The parts of an engine that are accessible in the same process only.
pub(crate) struct Private {
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    pub(crate) folder: TempDir,
}

/// A client: a target and an `Authorization` header.
#[derive(Clone)]
pub(crate) struct Client {
    target: Arc<Target>,
    remote: Option<Arc<Remote>>,
    authorization: Option<String>,
    extra: Vec<(String, String)>,
}

/// Ends a test that cannot run against a remote cluster. The run counts it as not portable.
#[track_caller]
pub(crate) fn not_portable(reason: &str) -> ! {
    panic!("not portable: {reason}")
}

/// The number of rounds: few, or many when AGENT_KEYS_SOAK is set.
pub(crate) fn soak(few: usize, many: usize) -> usize {
    if std::env::var_os("AGENT_KEYS_SOAK").is_some() {
        many
    } else {
        few
    }
}

pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) encoded: String,
}

impl TestEngine {
    /// A fresh engine, or the remote cluster of a conformance run.
    pub(crate) async fn start() -> Self {
        match Remote::from_environment() {
            Some(remote) => Self::at(remote),
            None => Self::fresh(|_| {}).await,
        }
    }

    /// Ends the test if the remote cluster is older than the rule's first version.
    #[track_caller]
    pub(crate) fn since(self, major: u32, minor: u32) -> Self {
        if let Some(remote) = &self.remote {
            let is_there = remote.version >= Version::new(major, minor);
            assert!(is_there, "not in this version: since {major}.{minor}");
        }
        self
    }

    /// As [`Self::start`], for rules about a token service that is on or off.
    pub(crate) async fn start_with_tokens(on: bool) -> Self {
        let Some(remote) = Remote::from_environment() else {
            return Self::fresh(|config| config.token_service = on).await;
        };
        if remote.token_service != on {
            let state = if on { "off" } else { "on" };
            not_portable(&format!("the token service is {state} in this cluster"));
        }
        Self::at(remote)
    }

    /// A fresh engine with other settings, which a remote cluster does not allow.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        if Remote::from_environment().is_some() {
            not_portable("needs settings of its own");
        }
        Self::fresh(change).await
    }

    /// A fresh engine, also in a conformance run.
    pub(crate) async fn fresh(change: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Clock::manual(START_MS);
        let mut config = Config::new(([127, 0, 0, 1], 0).into(), folder.path().join("engine.db"));
        config.elastic_password = Some(ELASTIC_PASSWORD.to_owned().into());
        config.clock = clock.clone();
        config.password_hashing = PasswordHashing::FastForTests;
        change(&mut config);
        let engine = Engine::start(config).await.unwrap();
        Self::of(Private {
            engine,
            clock,
            folder,
        })
    }

    pub(crate) fn of(private: Private) -> Self {
        Self {
            target: Arc::new(Target::plain(private.engine.address())),
            remote: None,
            private: Some(private),
        }
    }

    fn at(remote: Remote) -> Self {
        Self {
            target: remote.target.clone(),
            remote: Some(Arc::new(remote)),
            private: None,
        }
    }

    fn private(&self, reason: &str) -> &Private {
        match &self.private {
            Some(private) => private,
            None => not_portable(reason),
        }
    }

    pub(crate) fn into_private(self) -> Private {
        match self.private {
            Some(private) => private,
            None => not_portable("restarts the engine"),
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.private("moves the clock").clock
    }

    /// Advances the clock, so that later objects are younger: by a second, or by what a shared
    /// clock distinguishes.
    pub(crate) async fn tick(&self) {
        match &self.private {
            Some(private) => private.clock.advance(Duration::from_secs(1)),
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.private("looks into the engine").engine
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.private("reads the engine's files").folder.path()
    }

    pub(crate) fn start_ms(&self) -> i64 {
        let _ = self.private("needs a clock that stands still");
        START_MS
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.private("needs the engine's address").engine.address()
    }

    pub(crate) fn anonymous(&self) -> Client {
        Client {
            target: self.target.clone(),
            remote: self.remote.clone(),
            authorization: None,
            extra: Vec::new(),
        }
    }

    pub(crate) fn with(&self, authorization: impl Into<String>) -> Client {
        Client {
            authorization: Some(authorization.into()),
            ..self.anonymous()
        }
    }

    pub(crate) fn elastic(&self) -> Client {
        self.user("elastic", ELASTIC_PASSWORD)
    }

    pub(crate) fn user(&self, username: &str, password: &str) -> Client {
        self.with(format!("Basic {}", self.basic(username, password)))
    }

    /// Credentials of a user in a `Basic` header.
    pub(crate) fn basic(&self, username: &str, password: &str) -> String {
        let pair = match &self.remote {
            Some(remote) => remote.credentials(username, password),
            None => format!("{username}:{password}"),
        };
        STANDARD.encode(pair)
    }

    pub(crate) fn key(&self, key: &Key) -> Client {
        self.with(format!("ApiKey {}", key.encoded))
    }

    /// Creates a user `name` with a role of the same name that grants the cluster privileges.
    pub(crate) async fn user_with_privileges(&self, name: &str, cluster: &[&str]) -> Client {
        self.user_with_role(name, json!({ "cluster": cluster }))
            .await
    }

    /// Creates a user `name` with a role of the same name.
    pub(crate) async fn user_with_role(&self, name: &str, role: Value) -> Client {
        let elastic = self.elastic();
        elastic
            .put(&format!("/_security/role/{name}"), role)
            .await
            .assert_ok();
        let user = json!({ "password": remote::PASSWORD, "roles": [name] });
        elastic
            .put(&format!("/_security/user/{name}"), user)
            .await
            .assert_ok();
        self.user(name, remote::PASSWORD)
    }
}

impl Client {
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
        path: &str,
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
        match &self.remote {
            None => http::send(&self.target, method, path, &headers, body).await,
            Some(remote) => remote.send(method, path, &headers, body).await,
        }
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

    /// The names of the keys that match a query, in its order.
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

    pub(crate) async fn authentication_status(&self) -> u16 {
        self.get("/_security/_authenticate").await.status
    }
}
