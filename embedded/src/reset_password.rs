//! Gives a user a new password, without knowing the old one.

use std::path::Path;

use secrecy::SecretString;

use crate::{
    passwords::{PasswordHashing, hash, hasher},
    random::Random,
    store::{self, users::set_password},
};

/// Why a password was not reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetPasswordError {
    /// The database cannot be opened or changed.
    #[error("cannot change the embedded engine's database: {0}")]
    Database(String),
    /// There is no such user.
    #[error("there is no user named {username} in the embedded engine")]
    UnknownUser {
        /// The name that was asked for.
        username: String,
    },
    /// The password could not be made.
    #[error("cannot make a password: {0}")]
    Password(String),
}

/// Gives `username` a generated password and answers it.
///
/// Works beside an engine that runs on the same file: the engine reads a user's stored hash
/// with every request, so the old password fails at once.
///
/// # Errors
///
/// When there is no database, or no such user in it.
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
