//! Reads the `Authorization` header.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, header::AUTHORIZATION};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// Base64 as Java reads it: the standard alphabet, padding as one likes.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a request presents to prove who sends it.
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

/// Why there are no credentials.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CredentialsError {
    /// No header, or a scheme that means nothing here.
    Missing,
    /// A Basic header whose `value` or `encoding` cannot be read.
    BadBasic(&'static str),
    /// A header that cannot be read, with the detail that is answered.
    BadApiKey(String),
}

/// The credentials of a request. The scheme's case does not matter.
pub(crate) fn credentials(headers: &HeaderMap) -> Result<Credentials, CredentialsError> {
    // With two headers nobody can say which one was meant. Elasticsearch takes the first.
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Err(CredentialsError::Missing);
    };
    parse(value.as_bytes())
}

/// Reads one header value.
pub(crate) fn parse(value: &[u8]) -> Result<Credentials, CredentialsError> {
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

/// The API key that a Base64 text holds. The error is the detail that is answered.
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
