//! Checks an API key.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Subject;
use crate::{error::ApiError, randomness::NoRandomness, randomness::Randomness, state::Shared};

const SALT_BYTES: usize = 16;

/// The subject of a key, or the detail that is answered: what is wrong with the key.
///
/// Checked in Elasticsearch's order: there, not invalidated, the secret fits, for REST, not expired.
pub(crate) async fn check(
    shared: &Shared,
    id: &str,
    secret: &SecretString,
) -> Result<Result<Arc<Subject>, String>, ApiError> {
    let Some(key) = shared.store.key_for_authentication(id).await? else {
        return Ok(Err(format!("unable to find apikey with id {id}")));
    };
    if key.invalidated {
        return Ok(Err(format!("api key [{id}] has been invalidated")));
    }
    if !fits(secret, &key.secret_hash) {
        return Ok(Err(format!("invalid credentials for API key [{id}]")));
    }
    if key.kind != "rest" {
        return Err(ApiError::Unauthenticated {
            reason: format!(
                "authentication expected API key type of [rest], but API key [{id}] has type [{}]",
                key.kind
            ),
            detail: None,
        });
    }
    if key
        .expiration
        .is_some_and(|end| end <= shared.clock.now_ms())
    {
        return Ok(Err("api key is expired".to_owned()));
    }
    Ok(Ok(key.subject.clone()))
}

/// What is stored of a secret: a salt and SHA-256 over the salt and the secret.
///
/// A slow hash would add nothing: nobody guesses 256 random bits.
pub(crate) fn hash(randomness: Randomness, secret: &SecretString) -> Result<Vec<u8>, NoRandomness> {
    let salt = randomness.bytes::<SALT_BYTES>()?;
    Ok([salt.as_slice(), digest(&salt, secret).as_slice()].concat())
}

fn fits(secret: &SecretString, stored: &[u8]) -> bool {
    stored
        .split_at_checked(SALT_BYTES)
        .is_some_and(|(salt, expected)| digest(salt, secret).ct_eq(expected).into())
}

fn digest(salt: &[u8], secret: &SecretString) -> [u8; 32] {
    Sha256::new()
        .chain_update(salt)
        .chain_update(secret.expose_secret().as_bytes())
        .finalize()
        .into()
}
