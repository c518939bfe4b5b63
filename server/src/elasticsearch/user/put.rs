//! `PUT /_security/user/{username}`: creates a user, or replaces everything about one but the password.

use crate::elasticsearch::{Connection, Error, connection::Effect};
use app::model::secret::Secret;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Everything about a user.
#[derive(Debug, Serialize)]
pub struct UserBody<'a> {
    /// Needed for a new user; without it, a user keeps their password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<&'a Secret>,
    /// Every role.
    pub roles: &'a [String],
    /// The name for people.
    pub full_name: Option<&'a str>,
    /// Where to write to them.
    pub email: Option<&'a str>,
    /// Whatever is kept with the user.
    pub metadata: &'a Map<String, Value>,
    /// Whether they may sign in.
    pub enabled: bool,
}

#[derive(Deserialize)]
struct PutUser {
    created: bool,
}

impl Connection {
    /// Writes the user. Whether it was created: otherwise there was one, who has been replaced.
    #[tracing::instrument(name = "elasticsearch.user.put", skip_all)]
    pub async fn put_user(&self, username: &str, user: &UserBody<'_>) -> Result<bool, Error> {
        let path = ["_security", "user", username];
        let answer = self.send(Effect::Writes, Method::PUT, &path, &[], Some(user));
        let put: PutUser = answer.await?.read()?;
        Ok(put.created)
    }
}
