//! `POST /_security/api_key`: makes a key. Never sent twice: Elasticsearch would make two.

use crate::elasticsearch::{Connection, Error, connection::Effect};
use app::model::secret::Secret;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

/// A key that was made. The only time its secret is told.
#[derive(Debug, Deserialize)]
pub struct CreatedKey {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it ends, in milliseconds since 1970.
    pub expiration: Option<i64>,
    /// The secret half.
    pub api_key: Secret,
    /// Base64 of `id:api_key`. Elasticsearch before 7.16 does not tell; it can be computed.
    pub encoded: Option<Secret>,
}

impl Connection {
    /// Makes a key as `body` says, and waits until searches see it.
    #[tracing::instrument(name = "elasticsearch.api_key.create", skip_all)]
    pub async fn create_api_key(&self, body: &Value) -> Result<CreatedKey, Error> {
        let path = ["_security", "api_key"];
        let query = [("refresh", "wait_for")];
        let answer = self.send(Effect::Writes, Method::POST, &path, &query, Some(body));
        answer.await?.read()
    }
}
