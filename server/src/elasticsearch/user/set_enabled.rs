//! `PUT /_security/user/{username}/_enable` and `_disable`.

use crate::elasticsearch::{Connection, Error, connection::Effect};
use http::Method;

impl Connection {
    /// Lets the user sign in, or no longer. Doing it twice changes nothing.
    #[tracing::instrument(name = "elasticsearch.user.set_enabled", skip_all)]
    pub async fn set_user_enabled(&self, username: &str, enabled: bool) -> Result<(), Error> {
        let verb = if enabled { "_enable" } else { "_disable" };
        let path = ["_security", "user", username, verb];
        let answer = self.send::<()>(Effect::Writes, Method::PUT, &path, &[], None);
        answer.await?.success()
    }
}
