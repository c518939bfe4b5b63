//! API keys: `/_security/api_key` and `/_security/_query/api_key`.

use super::{Connection, Error, call::CallKind};
use app::model::{agent_key::KeyId, secret::Secret};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A new key, with its secret. Elasticsearch returns the secret only here.
#[derive(Debug, Deserialize)]
pub struct CreatedKey {
    pub id: String,
    pub name: String,
    /// Milliseconds since 1970.
    pub expiration: Option<i64>,
    /// The secret half.
    pub api_key: Secret,
    /// Base64 of `id:api_key`. Absent before Elasticsearch 7.16; it can be computed.
    pub encoded: Option<Secret>,
}

/// One page of a search.
#[derive(Debug, Deserialize)]
pub struct FoundKeys {
    /// Matching keys on all pages.
    pub total: u64,
    #[serde(default)]
    pub api_keys: Vec<StoredKey>,
    /// Results of aggregations, by name.
    #[serde(default)]
    pub aggregations: BTreeMap<String, Value>,
}

/// A key as Elasticsearch stores it.
#[derive(Debug, Deserialize)]
pub struct StoredKey {
    pub id: String,
    /// Very old keys may have none.
    pub name: Option<String>,
    /// Milliseconds since 1970.
    pub creation: i64,
    /// Milliseconds since 1970.
    pub expiration: Option<i64>,
    #[serde(default)]
    pub invalidated: bool,
    /// Milliseconds since 1970; since Elasticsearch 8.12.
    pub invalidation: Option<i64>,
    /// The owner.
    pub username: Option<String>,
    /// The owner's realm.
    pub realm: Option<String>,
    #[serde(default)]
    pub metadata: Value,
    /// Privileges, by descriptor name; since Elasticsearch 8.5.
    pub role_descriptors: Option<Value>,
    /// Sort values of this row, for `search_after`.
    #[serde(default, rename = "_sort")]
    pub sort: Vec<Value>,
}

/// Result of a revocation. Unknown ids and keys that were revoked before are in none of the lists.
#[derive(Debug, Deserialize)]
pub struct Invalidated {
    /// Revoked by this request.
    pub invalidated_api_keys: Vec<String>,
    /// Revoked by another request in the meantime.
    #[serde(default)]
    pub previously_invalidated_api_keys: Vec<String>,
    /// Number of keys that could not be revoked.
    #[serde(default)]
    pub error_count: u64,
    /// An error for each of them. Elasticsearch does not name the key in it.
    #[serde(default)]
    pub error_details: Vec<Value>,
}

/// Changes to a key. What is absent stays as it is.
#[derive(Debug, Default, Serialize)]
pub struct KeyUpdate {
    /// Time value from now, for example `3600s`; positive. Since Elasticsearch 8.13. A key that has an end cannot become
    /// one that never expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration: Option<String>,
    /// Replaces all metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

#[derive(Deserialize)]
struct Updated {
    updated: bool,
}

#[derive(Serialize)]
struct Invalidation<'a> {
    ids: &'a [&'a KeyId],
    owner: bool,
}

#[derive(Deserialize)]
struct OwnKeys {
    api_keys: Vec<Value>,
}

impl Connection {
    /// `POST /_security/api_key`: creates a key, and waits until searches find it. Never sent twice: Elasticsearch
    /// would create two keys.
    #[tracing::instrument(name = "elasticsearch.api_key.create", skip_all)]
    pub async fn create_api_key(&self, body: &Value) -> Result<CreatedKey, Error> {
        let path = ["_security", "api_key"];
        let query = [("refresh", "wait_for")];
        let response = self.send(CallKind::Write, Method::POST, &path, &query, Some(body));
        response.await?.read()
    }

    /// `POST /_security/_query/api_key`: searches keys. A user with only `manage_own_api_key` finds only their own.
    #[tracing::instrument(name = "elasticsearch.api_key.query", skip_all)]
    pub async fn query_api_keys(&self, body: &Value) -> Result<FoundKeys, Error> {
        let path = ["_security", "_query", "api_key"];
        let response = self.send(CallKind::Read, Method::POST, &path, &[], Some(body));
        response.await?.read()
    }

    /// Returns true if this user owns the key. Elasticsearch counts the keys of every realm of the security domain.
    #[tracing::instrument(name = "elasticsearch.api_key.owns", skip_all)]
    pub async fn owns_api_key(&self, id: &KeyId) -> Result<bool, Error> {
        let path = ["_security", "api_key"];
        let query = [("id", id.as_str()), ("owner", "true")];
        let response = self.send::<()>(CallKind::Read, Method::GET, &path, &query, None);
        let response = response.await?;
        if response.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        let own: OwnKeys = response.read()?;
        Ok(!own.api_keys.is_empty())
    }

    /// `PUT /_security/api_key/{id}`, since Elasticsearch 8.4: changes an active key of this user. Returns false if there
    /// was nothing to change. Elasticsearch also stores the user's present privileges as the limit of the key.
    ///
    /// Errors: [`Error::NotFound`] for a key of another owner, even for a superuser; [`Error::Invalid`] for a revoked or
    /// expired key, and for a version that cannot do this.
    #[tracing::instrument(name = "elasticsearch.api_key.update", skip_all)]
    pub async fn update_api_key(&self, id: &KeyId, update: &KeyUpdate) -> Result<bool, Error> {
        let path = ["_security", "api_key", id.as_str()];
        let response = self.send(CallKind::Write, Method::PUT, &path, &[], Some(update));
        let updated: Updated = response.await?.read()?;
        Ok(updated.updated)
    }

    /// `DELETE /_security/api_key`: revokes these keys. With `only_own`, keys of other owners are left alone.
    #[tracing::instrument(name = "elasticsearch.api_key.invalidate", skip_all)]
    pub async fn invalidate_api_keys(
        &self,
        ids: &[&KeyId],
        only_own: bool,
    ) -> Result<Invalidated, Error> {
        let body = Invalidation {
            ids,
            owner: only_own,
        };
        let path = ["_security", "api_key"];
        let kind = match ids {
            [_] => CallKind::Write,
            _ => CallKind::BulkWrite,
        };
        let response = self.send(kind, Method::DELETE, &path, &[], Some(&body));
        response.await?.read()
    }
}
