//! The server key: a secret file, from which the keys of sessions, audit log and known devices are derived.

use super::known_device::{self, DeviceKey};
use crate::{
    audit::chain::{AuditKey, KEY_BYTES},
    config::Config,
};
use app::model::session::SessionId;
use hkdf::Hkdf;
use platform::{Random, RandomError, private_files};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::{
    fmt, fs,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// File in the data directory.
pub const FILE: &str = "server.key";

/// Server key: half of the key that seals each session. Does not print.
#[derive(Clone)]
pub struct ServerKey(SecretString);

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerKey")
    }
}

/// Origin of a server key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// From a setting, or from the file of an earlier start.
    Given,
    /// Just made, and in no file yet.
    Made,
}

#[derive(Debug, thiserror::Error)]
pub enum ServerKeyError {
    #[error(
        "the database was used with a server key that is not here: put server.key back into {data_dir}, or set \
         AGENT_KEYS_SERVER_KEY. If it is lost, run agent-keys rekey, which makes a new one, ends every session and \
         seals the audit log as it is", data_dir = .0.display()
    )]
    Missing(PathBuf),
    #[error(
        "the database was used with another server key: put that one back into AGENT_KEYS_SERVER_KEY or server.key. \
         To use the present one from now on, run agent-keys rekey, which ends every session and seals the audit log \
         as it is"
    )]
    Other,
    #[error("cannot read or create the server key {path}: {source}", path = path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{path} is no server key; remove it to get a new one, which ends every session and the audit log's chain", path = path.display())]
    Damaged { path: PathBuf },
    /// The file is readable by every account of the machine.
    #[error("every account of this machine can read the server key {path}: run chmod 600 on it; if it may have been read, remove it to get a new one", path = path.display())]
    Exposed { path: PathBuf },
    #[error(transparent)]
    Random(#[from] RandomError),
    /// Unreachable: HKDF rejects only lengths that are not used here.
    #[error("no key can be derived from the server key")]
    Derive,
}

#[derive(Debug, thiserror::Error)]
#[error("a session's credential could not be sealed")]
pub struct SealError;

impl ServerKey {
    /// The key of the setting, or else of the data directory, or else a made one.
    pub fn of_config(config: &Config, random: Random) -> Result<(Self, KeySource), ServerKeyError> {
        match &config.server_key {
            Some(key) => Ok((Self::given(key.clone()), KeySource::Given)),
            None => Self::load_or_make(&config.data_dir, random),
        }
    }

    pub fn given(key: SecretString) -> Self {
        Self(key)
    }

    /// Derives the key of the audit log's chain.
    pub fn audit_key(&self) -> Result<AuditKey, ServerKeyError> {
        let key = self.derive::<KEY_BYTES>(None, b"agent-keys audit chain");
        Ok(AuditKey::new(key.map_err(|_| ServerKeyError::Derive)?))
    }

    /// Derives the key of the cookies by which browsers are recognised.
    pub fn device_key(&self) -> Result<DeviceKey, SealError> {
        let key = self.derive::<{ known_device::KEY_BYTES }>(None, b"agent-keys known device")?;
        Ok(DeviceKey::new(key))
    }

    /// Derives the key that seals one session from the server key and the session's token.
    pub(super) fn session_key(&self, token: &[u8]) -> Result<Zeroizing<[u8; 32]>, SealError> {
        self.derive(Some(token), b"agent-keys session credential")
    }

    /// Derives the authentication code of a session's notice: HKDF's expansion is a keyed pseudorandom function.
    pub(super) fn notice_code(
        &self,
        session: &SessionId,
        message: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let purpose = [b"agent-keys notice".as_slice(), message].concat();
        self.derive(Some(session.as_str().as_bytes()), &purpose)
    }

    fn derive<const N: usize>(
        &self,
        salt: Option<&[u8]>,
        purpose: &[u8],
    ) -> Result<Zeroizing<[u8; N]>, SealError> {
        let mut derived = Zeroizing::new([0; N]);
        Hkdf::<Sha256>::new(salt, self.0.expose_secret().as_bytes())
            .expand(purpose, derived.as_mut_slice())
            .map_err(|_| SealError)?;
        Ok(derived)
    }

    /// Reads `server.key` in the data directory, which must exist.
    pub fn load(data_dir: &Path) -> Result<Self, ServerKeyError> {
        const CHARACTERS_MIN: usize = 43;
        const OTHERS: u32 = 0o007;
        let path = data_dir.join(FILE);
        let exposed = fs::metadata(&path).is_ok_and(|about| about.mode() & OTHERS != 0);
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

    /// Reads `server.key` in the data directory, or makes a key. [`ServerKey::save`] writes a made one.
    pub fn load_or_make(
        data_dir: &Path,
        random: Random,
    ) -> Result<(Self, KeySource), ServerKeyError> {
        match Self::load(data_dir) {
            Err(ServerKeyError::File { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                Ok((Self(random.secret()?), KeySource::Made))
            }
            loaded => Ok((loaded?, KeySource::Given)),
        }
    }

    /// Writes a made key to `server.key` in the data directory, readable by this account alone.
    pub fn save(&self, data_dir: &Path) -> Result<(), ServerKeyError> {
        let path = data_dir.join(FILE);
        let new = private_files::open_options()
            .write(true)
            .create_new(true)
            .open(&path);
        new.and_then(|mut file| {
            file.write_all(self.0.expose_secret().as_bytes())?;
            file.sync_all()?;
            private_files::give_to_owner_of_directory(&path)
        })
        .map_err(|source| ServerKeyError::File { path, source })
    }
}
