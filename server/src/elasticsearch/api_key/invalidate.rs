//! `DELETE /_security/api_key`: revokes keys.

use crate::elasticsearch::{Connection, Error, connection::Effect};
use app::model::agent_key::KeyId;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What became of each id. Elasticsearch passes over ids it does not know, and keys that were revoked before.
#[derive(Debug, Deserialize)]
pub struct Invalidated {
    /// Revoked by this request.
    pub invalidated_api_keys: Vec<String>,
    /// Revoked meanwhile by somebody else.
    #[serde(default)]
    pub previously_invalidated_api_keys: Vec<String>,
    /// Keys that could not be revoked.
    #[serde(default)]
    pub error_count: u64,
    /// An error for each of them. Elasticsearch does not say in them which key it is.
    #[serde(default)]
    pub error_details: Vec<Value>,
}

#[derive(Serialize)]
struct Body<'a> {
    ids: &'a [&'a KeyId],
    owner: bool,
}

impl Connection {
    /// Revokes these keys. With `only_own`, keys of other owners are out of reach.
    #[tracing::instrument(name = "elasticsearch.api_key.invalidate", skip_all)]
    pub async fn invalidate_api_keys(
        &self,
        ids: &[&KeyId],
        only_own: bool,
    ) -> Result<Invalidated, Error> {
        let body = Body {
            ids,
            owner: only_own,
        };
        let path = ["_security", "api_key"];
        let effect = match ids {
            [_] => Effect::Writes,
            _ => Effect::WritesMany,
        };
        let answer = self.send(effect, Method::DELETE, &path, &[], Some(&body));
        answer.await?.read()
    }
}
