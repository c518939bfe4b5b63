//! What a call carries in a person's name.

use super::Error;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// The most bytes of a user name that are sent. Elasticsearch's own limit is lower.
const USERNAME_BYTES_MAX: usize = 2_048;

/// What a person signed in with.
#[derive(Clone, Debug)]
pub struct Credential {
    username: String,
    password: SecretString,
}

impl Credential {
    /// A user name and a password, exactly as typed. `None` when Basic authentication could not carry them: such a
    /// pair belongs to nobody.
    pub fn basic(username: &str, password: &str) -> Option<Self> {
        use app::model::user::PASSWORD_BYTES_MAX;
        let carried = !username.is_empty()
            && !username.contains(':')
            && username.len() <= USERNAME_BYTES_MAX
            && password.len() <= PASSWORD_BYTES_MAX;
        carried.then(|| Self {
            username: username.to_owned(),
            password: password.to_owned().into(),
        })
    }

    /// The user name.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The password. Only the session that seals it has a reason to look.
    pub fn password(&self) -> &SecretString {
        &self.password
    }

    pub(super) fn header(&self) -> Result<HeaderValue, Error> {
        let pair = Zeroizing::new(format!(
            "{}:{}",
            self.username,
            self.password.expose_secret()
        ));
        let value = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())));
        let mut value =
            HeaderValue::from_str(&value).map_err(|_| Error::BadAnswer("credential"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}
