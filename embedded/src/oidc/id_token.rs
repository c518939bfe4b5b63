//! Checks of ID tokens.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{JwkSet, PublicKeyUse},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

/// Most seconds by which the provider's clock may differ.
const SKEW_SECONDS: i64 = 60;

/// Algorithm with which a provider signs its ID tokens. It is never read from the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdTokenAlgorithm {
    #[default]
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
}

impl IdTokenAlgorithm {
    fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Rs384 => Algorithm::RS384,
            Self::Rs512 => Algorithm::RS512,
            Self::Ps256 => Algorithm::PS256,
            Self::Ps384 => Algorithm::PS384,
            Self::Ps512 => Algorithm::PS512,
            Self::Es256 => Algorithm::ES256,
            Self::Es384 => Algorithm::ES384,
        }
    }

    /// Left half of the digest of `text`, in the token's own coding.
    fn half_digest(self, text: &str) -> String {
        let digest = match self {
            Self::Rs256 | Self::Ps256 | Self::Es256 => Sha256::digest(text).to_vec(),
            Self::Rs384 | Self::Ps384 | Self::Es384 => Sha384::digest(text).to_vec(),
            Self::Rs512 | Self::Ps512 => Sha512::digest(text).to_vec(),
        };
        BASE64_URL_SAFE_NO_PAD.encode(&digest[..digest.len() / 2])
    }
}

/// What an ID token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) algorithm: IdTokenAlgorithm,
    pub(super) nonce: &'a str,
    pub(super) access_token: Option<&'a SecretString>,
    pub(super) now_ms: i64,
}

/// The reason why an ID token is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No known key fits the signature. The provider may have changed its keys.
    NoKey,
    Other(&'static str),
}

/// Returns the claims of an ID token whose signature, issuer, audience, times, nonce and access
/// token are right.
pub(super) fn verified_claims(
    token: &SecretString,
    keys: &JwkSet,
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, Refusal> {
    let algorithm = expected.algorithm.algorithm();
    let token = token.expose_secret();
    let header = decode_header(token).map_err(|_| Refusal::Other("no JSON web token"))?;
    if header.alg != algorithm {
        return Err(Refusal::Other("signed with another algorithm"));
    }
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.set_required_spec_claims(&["iss", "aud", "sub"]);
    // Checked below, by this engine's clock.
    validation.validate_exp = false;
    let candidates = keys.keys.iter().filter(|key| {
        let fits_id = header.kid.is_none() || key.common.key_id == header.kid;
        fits_id && key.common.public_key_use != Some(PublicKeyUse::Encryption)
    });
    let mut claims = None;
    for key in candidates {
        let Ok(key) = DecodingKey::from_jwk(key) else {
            continue;
        };
        match decode::<Map<String, Value>>(token, &key, &validation) {
            Ok(decoded) => {
                claims = Some(decoded.claims);
                break;
            }
            Err(error) => match error.kind() {
                ErrorKind::InvalidIssuer => return Err(Refusal::Other("of another issuer")),
                ErrorKind::InvalidAudience => return Err(Refusal::Other("for another client")),
                ErrorKind::MissingRequiredClaim(_) => {
                    return Err(Refusal::Other("a claim is missing"));
                }
                _ => {}
            },
        }
    }
    let claims = claims.ok_or(Refusal::NoKey)?;
    check(&claims, expected)
        .map(|()| claims)
        .map_err(Refusal::Other)
}

fn check(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), &'static str> {
    let seconds = |name: &str| claims.get(name).and_then(Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "times of this age are exact")]
    let (now, skew) = (expected.now_ms as f64 / 1_000.0, SKEW_SECONDS as f64);
    if seconds("exp").ok_or("without an end")? + skew <= now {
        return Err("expired");
    }
    if seconds("iat").ok_or("without a time")? - skew > now {
        return Err("issued in the future");
    }
    if claims.contains_key("nbf") && seconds("nbf").is_none_or(|from| from - skew > now) {
        return Err("not valid yet");
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let nonce = text("nonce").unwrap_or_default();
    if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err("with another nonce");
    }
    let several = claims
        .get("aud")
        .and_then(Value::as_array)
        .is_some_and(|audiences| audiences.len() > 1);
    match text("azp") {
        Some(party) if party != expected.client_id => return Err("for another client"),
        None if several => return Err("for several clients"),
        _ => {}
    }
    if let (Some(half), Some(access_token)) = (text("at_hash"), expected.access_token) {
        let right = expected.algorithm.half_digest(access_token.expose_secret());
        if half != right {
            return Err("for another access token");
        }
    }
    Ok(())
}
