//! `GET /_security/_authenticate`: who a credential belongs to.

use super::{Connection, Error, connection::Effect};
use http::Method;
use serde::Deserialize;

/// Who Elasticsearch says this is.
#[derive(Clone, Debug, Deserialize)]
pub struct Authenticated {
    /// The user name, as Elasticsearch has it.
    pub username: String,
    /// The name for people.
    pub full_name: Option<String>,
    /// Which realm checked the password.
    pub authentication_realm: Realm,
    /// Whether the user is enabled.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

/// A realm.
#[derive(Clone, Debug, Deserialize)]
pub struct Realm {
    /// Its name.
    pub name: String,
}

fn enabled() -> bool {
    true
}

impl Connection {
    /// Asks who this connection's credential belongs to.
    #[tracing::instrument(name = "elasticsearch.user.authenticate", skip_all)]
    pub async fn authenticate(&self) -> Result<Authenticated, Error> {
        let path = ["_security", "_authenticate"];
        let answer = self.send::<()>(Effect::Reads, Method::GET, &path, &[], None);
        answer.await?.read()
    }
}
