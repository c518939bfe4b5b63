//! The engine, asked directly.

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::bench::PASSWORD;
use crate::client::{Connection, request};

/// What APM Server asks for every key that it sees.
pub(super) const PRIVILEGES: &str = r#"{"application":[{"application":"apm","privileges":["config_agent:read","event:write","sourcemap:write"],"resources":["-"]}]}"#;

/// The value of `Authorization` for a name and a password.
pub(super) fn basic(username: &str, password: &str) -> String {
    format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{username}:{password}"))
    )
}

/// The value of `Authorization` for a key.
pub(super) fn api_key(id: &str, secret: &str) -> String {
    format!(
        "ApiKey {}",
        BASE64_STANDARD.encode(format!("{id}:{secret}"))
    )
}

/// The request that APM Server sends for a key, header for header.
pub(super) fn privilege_check(host: &str, authorization: &str) -> Vec<u8> {
    let headers = [
        ("Authorization", authorization),
        ("Content-Type", "application/json"),
        ("X-Elastic-Product-Origin", "observability"),
    ];
    request(
        "GET",
        host,
        "/_security/user/_has_privileges",
        &headers,
        PRIVILEGES,
    )
}

/// The engine, as `elastic` uses it.
pub(super) struct Engine {
    connection: Connection,
    host: String,
    authorization: String,
}

impl Engine {
    pub(super) async fn at(host: &str) -> Result<Self> {
        Ok(Self {
            connection: Connection::open(host).await?,
            host: host.to_owned(),
            authorization: basic("elastic", PASSWORD),
        })
    }

    pub(super) async fn ask(&mut self, path: &str, body: &str) -> Result<serde_json::Value> {
        let headers = [
            ("Authorization", self.authorization.as_str()),
            ("Content-Type", "application/json"),
        ];
        let answer = self
            .connection
            .send(&request("POST", &self.host, path, &headers, body))
            .await?;
        if answer.status != 200 {
            bail!(
                "{path} was answered with status {}: {}",
                answer.status,
                answer.text()?
            );
        }
        serde_json::from_slice(&answer.body)
            .with_context(|| format!("{path} was not answered in JSON"))
    }

    /// Makes a key as the page does, and returns its id and its secret.
    pub(super) async fn create(&mut self, name: &str) -> Result<(String, String)> {
        let made = self.ask("/_security/api_key", &new_key(name)).await?;
        let word = |field: &str| {
            made[field]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("a made key has no {field}"))
        };
        Ok((word("id")?, word("api_key")?))
    }
}

/// The request for a new key, as the page sends it.
pub(super) fn new_key(name: &str) -> String {
    serde_json::json!({
        "name": name,
        "metadata": { "application": "apm" },
        "role_descriptors": {
            "apm": { "cluster": [], "index": [], "applications": [{
                "application": "apm",
                "privileges": ["config_agent:read", "event:write"],
                "resources": ["*"],
            }] },
        },
    })
    .to_string()
}
