//! Resets the password of a user.

use std::path::Path;

use platform::Random;
use secrecy::SecretString;

use crate::{
    passwords::{PasswordHashing, hash, hasher},
    store::{self, users::set_password},
};

/// The reason why a password was not reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetPasswordError {
    /// The database cannot be opened or changed.
    #[error("cannot change the embedded engine's database: {0}")]
    Database(String),
    #[error("there is no user named {username} in the embedded engine")]
    UnknownUser { username: String },
    /// The password cannot be generated or hashed.
    #[error("cannot make a password: {0}")]
    Password(String),
}

/// Sets a generated password for `username` and returns it.
///
/// The file may be in use by a running engine. The engine reads the stored hash for every request,
/// so the old password is invalid at once.
///
/// # Errors
///
/// When the database or the user does not exist.
pub async fn reset_password(
    database_file: &Path,
    username: &str,
) -> Result<SecretString, ResetPasswordError> {
    let database = |error: String| ResetPasswordError::Database(error);
    let made = |error: String| ResetPasswordError::Password(error);
    let mut connection = store::connect(database_file)
        .await
        .map_err(|error| database(error.to_string()))?;
    let random = Random;
    let password = random.password().map_err(|error| made(error.to_string()))?;
    let salt = random
        .bytes::<16>()
        .map_err(|error| made(error.to_string()))?;
    let secret = password.clone();
    let hashed = tokio::task::spawn_blocking(move || {
        hash(&hasher(PasswordHashing::Standard)?, &secret, &salt)
    })
    .await
    .map_err(|error| made(error.to_string()))?
    .map_err(|error| made(error.to_string()))?;
    let changed = set_password(&mut connection, username, &hashed)
        .await
        .map_err(|error| database(error.to_string()))?;
    if !changed {
        return Err(ResetPasswordError::UnknownUser {
            username: username.to_owned(),
        });
    }
    Ok(password)
}
