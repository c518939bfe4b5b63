//! Tokens, and what they open.

use super::device::{self, DeviceKey};
use crate::{
    access::Identity,
    audit::chain::{AuditKey, KEY_BYTES},
    elasticsearch::Credential,
    random::{Random, RandomError},
};
use app::model::secret::Secret;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const TOKEN_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// The server's key, in the data directory.
const FILE: &str = "server.key";

/// What the cookie holds: 256 random bits. Does not print.
pub struct Token(Zeroizing<[u8; TOKEN_BYTES]>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// A new token.
    pub fn new(random: &Random) -> Result<Self, RandomError> {
        Ok(Self(Zeroizing::new(random.bytes()?)))
    }

    /// The token of a cookie, if the text can be one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// The cookie's text.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(self.0.as_slice()))
    }

    /// The digest under which the session is stored. The token cannot be computed from it.
    pub fn id_hash(&self) -> String {
        let digest = Sha256::new()
            .chain_update(b"agent-keys session id\0")
            .chain_update(self.0.as_slice())
            .finalize();
        BASE64_URL_SAFE_NO_PAD.encode(digest)
    }
}

/// The server's half of every session's key. Does not print.
#[derive(Clone)]
pub struct ServerKey(SecretString);

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerKey")
    }
}

/// The server's key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ServerKeyError {
    /// The file cannot be read or made.
    #[error("cannot read or make the server's key {path}: {source}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is too short to be a key.
    #[error("{path} is no server key; remove it to get a new one, which ends every session and the audit log's chain", path = path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// Whoever can read it opens every session that is stored.
    #[error("everybody on this machine can read the server's key {path}: chmod 600 it; if somebody may have, remove it to get a new one", path = path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A key cannot be derived from it: a mistake of ours.
    #[error("no key can be derived from the server's key")]
    Derive,
}

impl ServerKey {
    /// The key from the settings.
    pub fn given(key: SecretString) -> Self {
        Self(key)
    }

    /// The key of the audit log's chain: derived, so that neither tells the other.
    pub fn audit_key(&self) -> Result<AuditKey, ServerKeyError> {
        let mut derived = Zeroizing::new([0; KEY_BYTES]);
        Hkdf::<Sha256>::new(None, self.0.expose_secret().as_bytes())
            .expand(b"agent-keys audit chain", derived.as_mut_slice())
            .map_err(|_| ServerKeyError::Derive)?;
        Ok(AuditKey::new(derived))
    }

    /// The key of the cookies by which browsers are known: derived, for the same reason.
    pub fn device_key(&self) -> Result<DeviceKey, SealError> {
        let mut derived = Zeroizing::new([0; device::KEY_BYTES]);
        Hkdf::<Sha256>::new(None, self.0.expose_secret().as_bytes())
            .expand(b"agent-keys known device", derived.as_mut_slice())
            .map_err(|_| SealError)?;
        Ok(DeviceKey::new(derived))
    }

    /// The key in `server.key` in the data directory, which must be there.
    pub fn load(data_dir: &Path) -> Result<Self, ServerKeyError> {
        const CHARACTERS_MIN: usize = 43;
        const EVERYBODY: u32 = 0o007;
        let path = data_dir.join(FILE);
        let exposed = fs::metadata(&path).is_ok_and(|about| about.mode() & EVERYBODY != 0);
        if exposed {
            return Err(ServerKeyError::Exposed { path });
        }
        let text = fs::read_to_string(&path).map(Zeroizing::new);
        let text = text.map_err(|source| ServerKeyError::File {
            path: path.clone(),
            source,
        })?;
        let key = text.trim();
        if key.len() < CHARACTERS_MIN {
            return Err(ServerKeyError::Damaged { path });
        }
        Ok(Self(key.to_owned().into()))
    }

    /// The key in `server.key` in the data directory; made, for this user alone, if there is none.
    pub fn load_or_make(data_dir: &Path, random: &Random) -> Result<Self, ServerKeyError> {
        let path = data_dir.join(FILE);
        let failed = |source| ServerKeyError::File {
            path: path.clone(),
            source,
        };
        let new = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match new {
            Ok(mut file) => {
                let bytes = Zeroizing::new(random.bytes::<32>()?);
                let text = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()));
                file.write_all(text.as_bytes())
                    .and_then(|()| file.sync_all())
                    .map_err(failed)?;
                Ok(Self(text.as_str().to_owned().into()))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load(data_dir),
            Err(error) => Err(failed(error)),
        }
    }
}

/// A credential could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[error("a session's credential could not be sealed")]
pub struct SealError;

#[derive(Serialize)]
struct Sealed<'a> {
    username: &'a str,
    realm: &'a str,
    full_name: Option<&'a str>,
    sign_in_name: &'a str,
    password: &'a str,
}

/// The same, owned: JSON's escapes need room of their own.
#[derive(Deserialize)]
struct Opened {
    username: String,
    realm: String,
    full_name: Option<String>,
    sign_in_name: String,
    password: Secret,
}

pub(super) fn seal(
    key: &ServerKey,
    token: &Token,
    identity: &Identity,
    credential: &Credential,
    random: &Random,
) -> Result<Result<String, SealError>, RandomError> {
    let nonce: [u8; NONCE_BYTES] = random.bytes()?;
    let content = Sealed {
        username: &identity.username,
        realm: &identity.realm,
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

/// What was sealed; `None` if it was sealed with another key, or changed since.
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
        full_name: opened.full_name,
    };
    let credential = Credential::basic(&opened.sign_in_name, opened.password.expose())?;
    Some((identity, credential))
}

fn cipher(key: &ServerKey, token: &Token) -> Result<XChaCha20Poly1305, SealError> {
    let mut derived = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(token.0.as_slice()), key.0.expose_secret().as_bytes())
        .expand(b"agent-keys session credential", derived.as_mut_slice())
        .map_err(|_| SealError)?;
    XChaCha20Poly1305::new_from_slice(derived.as_slice()).map_err(|_| SealError)
}
