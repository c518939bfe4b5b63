//! User name and password of a signed-in user, which every call of Elasticsearch carries.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderValue, header::InvalidHeaderValue};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// The most bytes of a user name that are sent. Elasticsearch's own limit is lower.
const USERNAME_BYTES_MAX: usize = 2_048;

/// User name and password.
#[derive(Clone, Debug)]
pub struct Credential {
    username: String,
    password: SecretString,
}

impl Credential {
    /// A user name and a password, exactly as typed. `None` if Basic authentication cannot carry them: no user has
    /// such a pair.
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

    pub fn username(&self) -> &str {
        &self.username
    }

    /// The password. Only the sealed session needs it apart from the header.
    pub fn password(&self) -> &SecretString {
        &self.password
    }

    /// Value of `Authorization`, marked as sensitive.
    pub fn header(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        let pair = Zeroizing::new(format!(
            "{}:{}",
            self.username,
            self.password.expose_secret()
        ));
        let value = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())));
        let mut value = HeaderValue::from_str(&value)?;
        value.set_sensitive(true);
        Ok(value)
    }
}
