//! Salted SHA-256 hashes of API key secrets.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use platform::{Random, RandomError};

const SALT_BYTES: usize = 16;

/// Returns a random salt followed by SHA-256 over salt and secret.
///
/// The hash may be fast, because a secret has 256 random bits.
pub(crate) fn hash(random: Random, secret: &SecretString) -> Result<Vec<u8>, RandomError> {
    let salt = random.bytes::<SALT_BYTES>()?;
    Ok([salt.as_slice(), digest(&salt, secret).as_slice()].concat())
}

pub(crate) fn matches(secret: &SecretString, stored: &[u8]) -> bool {
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
