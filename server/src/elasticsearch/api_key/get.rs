//! `GET /_security/api_key`: whether a key belongs to this user.

use crate::elasticsearch::{Connection, Error, connection::Effect};
use app::model::agent_key::KeyId;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct OwnKeys {
    api_keys: Vec<Value>,
}

impl Connection {
    /// Returns true if this user owns the key. Elasticsearch counts the keys of every realm of the security domain.
    #[tracing::instrument(name = "elasticsearch.api_key.owns", skip_all)]
    pub async fn owns_api_key(&self, id: &KeyId) -> Result<bool, Error> {
        let path = ["_security", "api_key"];
        let query = [("id", id.as_str()), ("owner", "true")];
        let answer = self.send::<()>(Effect::Reads, Method::GET, &path, &query, None);
        let answer = answer.await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        let own: OwnKeys = answer.read()?;
        Ok(!own.api_keys.is_empty())
    }
}
