//! Session tokens, and sealing of identity and credential with them.

use super::{SealError, ServerKey};
use crate::{access::Identity, credential::Credential};
use app::model::secret::Secret;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use platform::{Random, RandomError};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

const TOKEN_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;

/// Session token: 128 random bits, the cookie's value. Does not print.
pub struct Token(Zeroizing<[u8; TOKEN_BYTES]>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    pub fn new(random: Random) -> Result<Self, RandomError> {
        Ok(Self(Zeroizing::new(random.bytes()?)))
    }

    /// Wraps the bytes of a cookie.
    pub fn of(bytes: [u8; TOKEN_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the bytes for a cookie.
    pub fn expose(&self) -> &[u8; TOKEN_BYTES] {
        &self.0
    }

    /// Returns the digest under which the session is stored. The token cannot be computed from it.
    pub fn id_hash(&self) -> String {
        let digest = Sha256::new()
            .chain_update(b"agent-keys session id\0")
            .chain_update(self.0.as_slice())
            .finalize();
        BASE64_URL_SAFE_NO_PAD.encode(digest)
    }
}

#[derive(Serialize)]
struct Sealed<'a> {
    username: &'a str,
    realm: &'a str,
    realm_kind: &'a str,
    full_name: Option<&'a str>,
    sign_in_name: &'a str,
    password: &'a str,
}

/// Owned counterpart of [`Sealed`]: JSON escapes cannot be borrowed.
#[derive(Deserialize)]
struct Opened {
    username: String,
    realm: String,
    /// Missing in a session of an earlier version.
    #[serde(default)]
    realm_kind: String,
    full_name: Option<String>,
    sign_in_name: String,
    password: Secret,
}

pub(super) fn seal(
    key: &ServerKey,
    token: &Token,
    identity: &Identity,
    credential: &Credential,
    random: Random,
) -> Result<Result<String, SealError>, RandomError> {
    let nonce: [u8; NONCE_BYTES] = random.bytes()?;
    let content = Sealed {
        username: &identity.username,
        realm: &identity.realm,
        realm_kind: &identity.realm_kind,
        full_name: identity.full_name.as_deref(),
        sign_in_name: credential.username(),
        password: credential.password().expose_secret(),
    };
    let sealed = serde_json::to_vec(&content)
        .map(Zeroizing::new)
        .map_err(|_| SealError)
        .and_then(|content| {
            let id_hash = token.id_hash();
            let payload = Payload {
                msg: &content,
                aad: id_hash.as_bytes(),
            };
            cipher(key, token)?
                .encrypt(&XNonce::from(nonce), payload)
                .map_err(|_| SealError)
        })
        .map(|encrypted| BASE64_URL_SAFE_NO_PAD.encode([nonce.as_slice(), &encrypted].concat()));
    Ok(sealed)
}

/// Opens what [`seal`] returned; `None` if another key sealed it or it was changed since.
pub(super) fn open(key: &ServerKey, token: &Token, sealed: &str) -> Option<(Identity, Credential)> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (nonce, encrypted) = bytes.split_first_chunk::<NONCE_BYTES>()?;
    let id_hash = token.id_hash();
    let payload = Payload {
        msg: encrypted,
        aad: id_hash.as_bytes(),
    };
    let content = cipher(key, token)
        .ok()?
        .decrypt(&XNonce::from(*nonce), payload)
        .map(Zeroizing::new)
        .ok()?;
    let opened: Opened = serde_json::from_slice(&content).ok()?;
    let identity = Identity {
        username: opened.username,
        realm: opened.realm,
        realm_kind: opened.realm_kind,
        full_name: opened.full_name,
    };
    let credential = Credential::basic(&opened.sign_in_name, opened.password.expose())?;
    Some((identity, credential))
}

fn cipher(key: &ServerKey, token: &Token) -> Result<XChaCha20Poly1305, SealError> {
    let key = key.session_key(token.0.as_slice())?;
    XChaCha20Poly1305::new_from_slice(key.as_slice()).map_err(|_| SealError)
}
