//! `PUT /_security/user/{username}/_password`.

use crate::elasticsearch::{Connection, Error, connection::Effect};
use app::model::secret::Secret;
use http::Method;
use serde::Serialize;

#[derive(Serialize)]
struct Body<'a> {
    password: &'a Secret,
}

impl Connection {
    /// Gives the user a new password. The old one fails at once.
    #[tracing::instrument(name = "elasticsearch.user.set_password", skip_all)]
    pub async fn set_user_password(&self, username: &str, password: &Secret) -> Result<(), Error> {
        let path = ["_security", "user", username, "_password"];
        let body = Body { password };
        let answer = self.send(Effect::Writes, Method::PUT, &path, &[], Some(&body));
        answer.await?.success()
    }
}
