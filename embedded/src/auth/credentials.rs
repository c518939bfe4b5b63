//! Credentials of the `Authorization` header, and the salted SHA-256 hashes of API key secrets.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, header::AUTHORIZATION};
use platform::{Random, RandomError};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Base64 as Java decodes it: standard alphabet, optional padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Credentials of a request.
pub(crate) enum Credentials {
    Basic {
        username: String,
        password: SecretString,
    },
    ApiKey {
        id: String,
        secret: SecretString,
    },
    Bearer(SecretString),
}

/// The reason why a request has no usable credentials.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CredentialsError {
    /// No header, or an unknown scheme.
    Missing,
    /// An invalid `Basic` header, with the part of it that is wrong: `value` or `encoding`.
    BadBasic(&'static str),
    /// An invalid `ApiKey` header, with the detail for the response.
    BadApiKey(String),
}

/// Returns the credentials of a request. Schemes are case-insensitive.
pub(crate) fn credentials(headers: &HeaderMap) -> Result<Credentials, CredentialsError> {
    // Elasticsearch takes the first of several headers.
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Err(CredentialsError::Missing);
    };
    parse_header(value.as_bytes())
}

/// Parses one header value.
pub(crate) fn parse_header(value: &[u8]) -> Result<Credentials, CredentialsError> {
    let Ok(value) = std::str::from_utf8(value) else {
        return Err(CredentialsError::Missing);
    };
    let Some((scheme, token)) = value.split_once(' ') else {
        return Err(CredentialsError::Missing);
    };
    let token = token.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        let (username, password) = pair(token).map_err(|_| {
            let is_base64 = BASE64.decode(token).is_ok();
            CredentialsError::BadBasic(if is_base64 { "value" } else { "encoding" })
        })?;
        Ok(Credentials::Basic { username, password })
    } else if scheme.eq_ignore_ascii_case("apikey") {
        let (id, secret) = pair(token).map_err(CredentialsError::BadApiKey)?;
        if id.is_empty() {
            return Err(CredentialsError::BadApiKey(
                "invalid ApiKey value".to_owned(),
            ));
        }
        Ok(Credentials::ApiKey { id, secret })
    } else if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        Ok(Credentials::Bearer(SecretString::from(token)))
    } else {
        Err(CredentialsError::Missing)
    }
}

/// Decodes a Base64 pair `left:right`. The error is the detail for the response.
pub(crate) fn pair(token: &str) -> Result<(String, SecretString), String> {
    let decoded = BASE64
        .decode(token)
        .map(Zeroizing::new)
        .map_err(|error| match error {
            base64::DecodeError::InvalidByte(_, byte) => {
                format!("Illegal base64 character {byte:x}")
            }
            _ => "Input byte array has incorrect ending byte".to_owned(),
        })?;
    let text = std::str::from_utf8(&decoded).map_err(|_| "invalid ApiKey value".to_owned())?;
    let (left, right) = text.split_once(':').ok_or("invalid ApiKey value")?;
    Ok((left.to_owned(), SecretString::from(right)))
}

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
