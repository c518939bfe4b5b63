//! `GET /_security/user[/{username}]`.

use crate::elasticsearch::{Connection, Error, connection::Effect};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A user as Elasticsearch holds it, whole: writing it back must lose nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredUser {
    /// The user name.
    pub username: String,
    /// Every role.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The name for people.
    pub full_name: Option<String>,
    /// Where to write to them.
    pub email: Option<String>,
    /// Whatever is kept with the user.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// Whether they may sign in.
    #[serde(default)]
    pub enabled: bool,
}

impl StoredUser {
    /// Whether Elasticsearch keeps this user for itself.
    pub fn is_reserved(&self) -> bool {
        self.metadata.get("_reserved") == Some(&Value::Bool(true))
    }
}

impl Connection {
    /// Every user of the native realm and the reserved ones, by name.
    #[tracing::instrument(name = "elasticsearch.user.get_all", skip_all)]
    pub async fn get_users(&self) -> Result<BTreeMap<String, StoredUser>, Error> {
        let path = ["_security", "user"];
        let answer = self.send::<()>(Effect::Reads, Method::GET, &path, &[], None);
        answer.await?.read()
    }

    /// One user; `None` when there is no such user.
    #[tracing::instrument(name = "elasticsearch.user.get", skip_all)]
    pub async fn get_user(&self, username: &str) -> Result<Option<StoredUser>, Error> {
        // No path can hold these, so nobody can have made such a user.
        if matches!(username, "." | "..") {
            return Ok(None);
        }
        // Elasticsearch reads a comma as the end of one name and the start of the next.
        if username.contains(',') {
            return Ok(self.get_users().await?.remove(username));
        }
        let path = ["_security", "user", username];
        let answer = self.send::<()>(Effect::Reads, Method::GET, &path, &[], None);
        let answer = answer.await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let mut users: BTreeMap<String, StoredUser> = answer.read()?;
        Ok(users.remove(username))
    }
}
