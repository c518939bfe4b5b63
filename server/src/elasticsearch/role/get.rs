//! `GET /_security/role/{name}`.

use crate::elasticsearch::{Connection, Error, connection::Effect};
use http::{Method, StatusCode};
use serde_json::Value;
use std::collections::BTreeMap;

impl Connection {
    /// The role's descriptor; `None` when there is no such role.
    #[tracing::instrument(name = "elasticsearch.role.get", skip_all)]
    pub async fn get_role(&self, name: &str) -> Result<Option<Value>, Error> {
        let path = ["_security", "role", name];
        let answer = self.send::<()>(Effect::Reads, Method::GET, &path, &[], None);
        let answer = answer.await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let mut roles: BTreeMap<String, Value> = answer.read()?;
        Ok(roles.remove(name))
    }
}
