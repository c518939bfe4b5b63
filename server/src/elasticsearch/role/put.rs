//! `PUT /_security/role/{name}`: creates or replaces a role.

use crate::elasticsearch::{Connection, Error, connection::Effect};
use http::Method;
use serde_json::Value;

impl Connection {
    /// Makes the role be exactly `descriptor`.
    #[tracing::instrument(name = "elasticsearch.role.put", skip_all)]
    pub async fn put_role(&self, name: &str, descriptor: &Value) -> Result<(), Error> {
        let path = ["_security", "role", name];
        let answer = self.send(Effect::Writes, Method::PUT, &path, &[], Some(descriptor));
        answer.await?.success()
    }
}
