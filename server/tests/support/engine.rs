//! The engine of a test, and what is asked of it directly.

use super::{PASSWORD, attacker::Attacker};
use http::Method;
use platform::Clock;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// An engine of this test alone.
pub(crate) struct Engine {
    engine: embedded::Engine,
    http: reqwest::Client,
    directory: TempDir,
}

impl Engine {
    /// Starts one that lives by `clock`.
    pub(crate) async fn start(clock: &Clock) -> Self {
        Self::start_hashing(clock, embedded::PasswordHashing::FastForTests).await
    }

    /// The same, with passwords that cost this much.
    pub(crate) async fn start_hashing(clock: &Clock, hashing: embedded::PasswordHashing) -> Self {
        Self::start_with(clock, |config| config.password_hashing = hashing).await
    }

    /// One that answers as an older version.
    pub(crate) async fn start_as(clock: &Clock, version: embedded::Version) -> Self {
        Self::start_with(clock, |config| config.version = version).await
    }

    async fn start_with(clock: &Clock, change: impl FnOnce(&mut embedded::Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = embedded::Config::new(
            "127.0.0.1:0".parse().unwrap(),
            directory.path().join("engine.db"),
        );
        config.elastic_password = Some(PASSWORD.into());
        config.password_hashing = embedded::PasswordHashing::FastForTests;
        change(&mut config);
        config.clock = clock.clone();
        Self {
            engine: embedded::Engine::start(config).await.unwrap(),
            http: super::client(),
            directory,
        }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.engine.address())
    }

    /// Its address without the scheme.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.engine.address()
    }

    /// Copies this key, under other ids and names, straight in the engine's database. The copies are older.
    pub(crate) async fn copy_key(&self, id: &str, numbers: std::ops::RangeInclusive<usize>) {
        const COPIED: &str = "secret_hash, type, expiration, invalidated, username, realm_name, realm_type, metadata, \
             application, system, irregular, creator, role_descriptors, limited_by";
        let (first, last) = numbers.into_inner();
        let copy = format!(
            "WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last}) \
             INSERT INTO api_keys (id, name, creation, {COPIED}) \
             SELECT printf('copy%d', n), printf('copy %d', n), creation - n, {COPIED} \
             FROM numbers, api_keys WHERE id = '{id}'"
        );
        let database = self.directory.path().join("engine.db");
        Attacker::with_file(&database).await.run(&copy).await;
    }

    /// Asks it something as this user, and answers the body of a success.
    pub(crate) async fn ask_as(
        &self,
        user: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url()))
            .basic_auth(user, Some(PASSWORD));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let body: Value = response.json().await.unwrap_or_default();
        assert!(
            status.is_success() || status == 404,
            "{path}: {status} {body}"
        );
        body
    }

    /// The same as the superuser.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        self.ask_as("elastic", method, path, body).await
    }

    /// Creates or replaces a user.
    pub(crate) async fn put_user(&self, name: &str, roles: &[&str]) {
        let body =
            json!({ "password": PASSWORD, "roles": roles, "full_name": format!("{name} Example") });
        self.ask(Method::PUT, &format!("/_security/user/{name}"), Some(body))
            .await;
    }

    /// Creates or replaces a role.
    pub(crate) async fn put_role(&self, name: &str, descriptor: Value) {
        self.ask(
            Method::PUT,
            &format!("/_security/role/{name}"),
            Some(descriptor),
        )
        .await;
    }

    /// Registers Kibana's privileges, as Kibana does when it starts. Without them Elasticsearch grants a name only to an
    /// entry that names it alone.
    pub(crate) async fn register_kibana_privileges(&self) {
        let names = [
            "all",
            "read",
            "space_all",
            "space_read",
            "feature_apm.all",
            "feature_apm.read",
            "feature_apm.minimal_all",
            "feature_apm.minimal_read",
            "feature_apm.settings_save",
        ];
        let privileges: Map<String, Value> = names
            .into_iter()
            .map(|name| {
                (
                    name.to_owned(),
                    json!({ "actions": [format!("ui:{name}")] }),
                )
            })
            .collect();
        self.ask(
            Method::PUT,
            "/_security/privilege",
            Some(json!({ "kibana-.kibana": privileges })),
        )
        .await;
    }

    /// The documented role.
    pub(crate) async fn put_agent_key_role(&self) {
        let descriptor = json!({
            "cluster": ["manage_own_api_key"],
            "applications": [
                { "application": "apm", "privileges": ["event:write", "config_agent:read"], "resources": ["*"] },
                { "application": "kibana-.kibana", "privileges": ["feature_apm.all"], "resources": ["space:default"] },
            ],
        });
        self.put_role("apm_agent_key_role", descriptor).await;
    }

    /// Makes a key as Kibana would; its id.
    pub(crate) async fn kibana_key(&self, user: &str, name: &str) -> String {
        let body = json!({
            "name": name,
            "metadata": { "application": "apm" },
            "role_descriptors": { "apm": { "cluster": [], "index": [], "applications": [
                { "application": "apm", "privileges": ["event:write"], "resources": ["*"] },
            ] } },
        });
        let key = self
            .ask_as(user, Method::POST, "/_security/api_key", Some(body))
            .await;
        key["id"].as_str().unwrap().to_owned()
    }

    /// Every key, of whatever kind.
    pub(crate) async fn keys(&self) -> Vec<Value> {
        let body = json!({ "size": 10_000 });
        let found = self
            .ask(Method::POST, "/_security/_query/api_key", Some(body))
            .await;
        found["api_keys"].as_array().unwrap().clone()
    }

    /// A user as the engine holds it.
    pub(crate) async fn user(&self, name: &str) -> Value {
        self.ask(Method::GET, &format!("/_security/user/{name}"), None)
            .await[name]
            .clone()
    }
}
