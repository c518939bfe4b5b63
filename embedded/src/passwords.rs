//! Passwords: hashed slowly, checked in bounded number, and not twice within a minute.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::{
    clock::Clock,
    error::ApiError,
    random::{Random, RandomError},
};

/// Hashes computed at the same time. Each takes 46 MiB and a core.
const AT_ONCE: usize = 2;
/// Requests that may wait for their turn. More are answered with 429.
const WAITING_MAX: usize = 256;
/// How long a verified password is remembered, in milliseconds.
const REMEMBERED_MS: i64 = 60_000;
/// How many are remembered.
const REMEMBERED_MAX: usize = 1_000;

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

/// Checks and hashes passwords.
pub(crate) struct Passwords {
    hasher: Argon2<'static>,
    clock: Clock,
    random: Random,
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    verified: VerifiedPasswords,
    /// A hash that no password fits, so that an unknown user costs what a known one costs.
    nobody: String,
}

/// Why there is no hasher.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HashError {
    #[error("{0}")]
    Parameters(String),
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// The hasher for a configuration.
pub(crate) fn hasher(hashing: PasswordHashing) -> Result<Argon2<'static>, HashError> {
    let params = match hashing {
        PasswordHashing::Standard => Params::new(47_104, 2, 1, None),
        PasswordHashing::FastForTests => Params::new(64, 1, 1, None),
    };
    let params = params.map_err(|error| HashError::Parameters(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password into a PHC string. Takes long; not for an async thread.
pub(crate) fn hash(
    hasher: &Argon2<'_>,
    password: &SecretString,
    salt: &[u8],
) -> Result<String, HashError> {
    hasher
        .hash_password_with_salt(password.expose_secret().as_bytes(), salt)
        .map(|hash| hash.to_string())
        .map_err(|error| HashError::Parameters(error.to_string()))
}

impl Passwords {
    pub(crate) fn new(
        hashing: PasswordHashing,
        clock: Clock,
        random: Random,
    ) -> Result<Self, HashError> {
        let hasher = hasher(hashing)?;
        let nobody = random.password()?;
        Ok(Self {
            nobody: hash(&hasher, &nobody, &random.bytes::<16>()?)?,
            hasher,
            clock,
            random,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            queue: Arc::new(Semaphore::new(WAITING_MAX)),
            verified: VerifiedPasswords {
                key: random.bytes::<32>()?,
                until: Mutex::new(HashMap::new()),
            },
        })
    }

    /// Hashes a password into a PHC string.
    pub(crate) async fn hash(&self, password: &SecretString) -> Result<String, ApiError> {
        let salt = self.random.bytes::<16>()?;
        let password = password.clone();
        let hasher = self.hasher.clone();
        self.in_turn(move || hash(&hasher, &password, &salt))
            .await?
            .map_err(|error| ApiError::Internal(error.to_string()))
    }

    /// Whether a stored hash is cheaper to guess at than those that are made now.
    pub(crate) fn is_outdated(&self, stored: &str) -> bool {
        let cost = PasswordHash::new(stored).map(|hash| Params::try_from(&hash));
        let now = self.hasher.params();
        matches!(cost, Ok(Ok(cost)) if cost.m_cost() < now.m_cost() || cost.t_cost() < now.t_cost())
    }

    /// Whether the password fits the stored hash. `None` stands for a user who is not there,
    /// and takes as long as one who is.
    pub(crate) async fn verify(
        &self,
        username: &str,
        password: &SecretString,
        stored: Option<&str>,
    ) -> Result<bool, ApiError> {
        let now = self.clock.now_ms();
        // The stored hash is part of the name, so a changed password is never remembered.
        let remembered = stored.map(|stored| self.verified.name(username, password, stored));
        if remembered.is_some_and(|name| self.verified.holds(&name, now)) {
            return Ok(true);
        }
        let hasher = self.hasher.clone();
        let secret = password.clone();
        let against = stored.unwrap_or(&self.nobody).to_owned();
        let fits = self
            .in_turn(move || {
                PasswordHash::new(&against).is_ok_and(|hash| {
                    hasher
                        .verify_password(secret.expose_secret().as_bytes(), &hash)
                        .is_ok()
                })
            })
            .await?;
        match remembered {
            Some(name) if fits => {
                self.verified.remember(name, now);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Runs slow work on the blocking pool when it is its turn.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let Ok(_place) = self.queue.clone().try_acquire_owned() else {
            return Err(ApiError::Busy);
        };
        let turn = self
            .turns
            .clone()
            .acquire_owned()
            .await
            .map_err(|error| ApiError::Internal(error.to_string()))?;
        // The turn moves into the work: a client that goes away does not start another one early.
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await
        .map_err(|error| ApiError::Internal(error.to_string()))
    }
}

/// The passwords that were verified in the last minute, under names that only this process
/// can compute.
struct VerifiedPasswords {
    key: [u8; 32],
    until: Mutex<HashMap<[u8; 32], i64>>,
}

impl VerifiedPasswords {
    fn name(&self, username: &str, password: &SecretString, stored: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.key);
        for part in [username, password.expose_secret(), stored] {
            // Lengths keep "ab" + "c" apart from "a" + "bc".
            digest.update(part.len().to_le_bytes());
            digest.update(part.as_bytes());
        }
        // Hashing the outcome again with the key leaves no way to extend a name.
        let inner = digest.finalize();
        Sha256::new()
            .chain_update(self.key)
            .chain_update(inner)
            .finalize()
            .into()
    }

    fn holds(&self, name: &[u8; 32], now: i64) -> bool {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(name).is_some_and(|until| *until > now)
    }

    fn remember(&self, name: [u8; 32], now: i64) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= REMEMBERED_MAX {
            until.retain(|_, until| *until > now);
        }
        if until.len() >= REMEMBERED_MAX {
            until.clear();
        }
        until.insert(name, now + REMEMBERED_MS);
    }
}
