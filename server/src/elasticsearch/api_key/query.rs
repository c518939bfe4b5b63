//! `POST /_security/_query/api_key`: searches keys. Who has only `manage_own_api_key` gets only their own.

use crate::elasticsearch::{Connection, Error, connection::Effect};
use http::Method;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What was found.
#[derive(Debug, Deserialize)]
pub struct FoundKeys {
    /// How many keys match, whatever the page.
    pub total: u64,
    /// This page of them.
    #[serde(default)]
    pub api_keys: Vec<StoredKey>,
    /// Results of aggregations, by name.
    #[serde(default)]
    pub aggregations: BTreeMap<String, Value>,
}

/// A key as Elasticsearch holds it.
#[derive(Debug, Deserialize)]
pub struct StoredKey {
    /// Its id.
    pub id: String,
    /// Its name; very old keys may have none.
    pub name: Option<String>,
    /// Milliseconds since 1970.
    pub creation: i64,
    /// Milliseconds since 1970.
    pub expiration: Option<i64>,
    /// Whether it was revoked.
    #[serde(default)]
    pub invalidated: bool,
    /// When it was revoked, since 8.12.
    pub invalidation: Option<i64>,
    /// The owner.
    pub username: Option<String>,
    /// The owner's realm.
    pub realm: Option<String>,
    /// Whatever its maker stored with it.
    #[serde(default)]
    pub metadata: Value,
    /// What it may do, by descriptor name. Elasticsearch before 8.5 does not tell.
    pub role_descriptors: Option<Value>,
    /// Its place in the order that was asked for.
    #[serde(default, rename = "_sort")]
    pub sort: Vec<Value>,
}

impl Connection {
    /// Searches keys as `body` says.
    #[tracing::instrument(name = "elasticsearch.api_key.query", skip_all)]
    pub async fn query_api_keys(&self, body: &Value) -> Result<FoundKeys, Error> {
        let path = ["_security", "_query", "api_key"];
        let answer = self.send(Effect::Reads, Method::POST, &path, &[], Some(body));
        answer.await?.read()
    }
}
