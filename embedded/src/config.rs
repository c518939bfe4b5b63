//! What the engine is started with.

use std::{net::SocketAddr, path::PathBuf};

use secrecy::SecretString;

use crate::{clock::Clock, version::Version};

/// What an engine needs to start. Nothing else is read: no environment, no file.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen. Port 0 picks a free port; see [`crate::Engine::address`].
    pub listen: SocketAddr,
    /// The SQLite file. It is created, readable by its owner only, when it is missing.
    pub database_file: PathBuf,
    /// The password `elastic` gets on the first start. `None` generates one.
    /// Later starts do not look at it.
    pub elastic_password: Option<SecretString>,
    /// Where the time comes from.
    pub clock: Clock,
    /// Whether OAuth2 tokens are given out. As in Elasticsearch they are not, by default, where
    /// the listener speaks plain HTTP.
    pub token_service: bool,
    /// What a password costs to check. Only tests change it.
    #[doc(hidden)]
    pub password_hashing: PasswordHashing,
    /// The version that is answered as. Only tests ask for an older one.
    #[doc(hidden)]
    pub version: Version,
}

impl Config {
    /// A configuration with the system's clock and a generated first password.
    #[must_use]
    pub fn new(listen: SocketAddr, database_file: PathBuf) -> Self {
        Self {
            listen,
            database_file,
            elastic_password: None,
            clock: Clock::system(),
            token_service: false,
            password_hashing: PasswordHashing::Standard,
            version: Version::CURRENT,
        }
    }
}

/// What a password costs to check.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordHashing {
    /// argon2id with 46 MiB, two passes: about 50 milliseconds.
    Standard,
    /// argon2id with 64 KiB, one pass. A stolen database would give its passwords away,
    /// so nothing but tests may choose it.
    FastForTests,
}
