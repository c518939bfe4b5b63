//! `DELETE /_security/user/{username}`.

use crate::elasticsearch::{Connection, Error, connection::Effect};
use http::{Method, StatusCode};

impl Connection {
    /// Deletes the user. Whether there was one.
    #[tracing::instrument(name = "elasticsearch.user.delete", skip_all)]
    pub async fn delete_user(&self, username: &str) -> Result<bool, Error> {
        let path = ["_security", "user", username];
        let answer = self.send::<()>(Effect::Writes, Method::DELETE, &path, &[], None);
        let answer = answer.await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        answer.success()?;
        Ok(true)
    }
}
