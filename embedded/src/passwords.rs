//! Password hashing: slow hashes, a limit on concurrent work, and a cache of verified passwords.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};
use platform::{Clock, Random, RandomError};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::sync::{AcquireError, Semaphore};

use crate::{
    error::ApiError,
    guard::{Client, Lane},
};

/// Minimum length of a password, in characters.
pub(crate) const PASSWORD_CHARACTERS_MIN: usize = 6;
/// Hashes computed concurrently. Each takes 46 MiB and a core.
const CONCURRENT_MAX: usize = 2;
/// Of these, hashes for other clients than the application.
const CONCURRENT_OTHERS_MAX: usize = 1;
/// Requests that may wait for a permit, in each lane. More get 429.
const WAITING_MAX: usize = 256;
/// Lifetime of a verified password in the cache after its last use, in milliseconds: that of
/// Elasticsearch's own cache.
const VERIFIED_MS: i64 = 20 * 60_000;
/// Maximum number of verified passwords in the cache.
const VERIFIED_MAX: usize = 1_000;

/// Cost of password hashes.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordHashing {
    /// argon2id with 46 MiB, two passes: about 50 milliseconds.
    Standard,
    /// argon2id with 64 KiB, one pass. Too weak for anything but tests.
    FastForTests,
}

pub(crate) struct Passwords {
    hasher: Argon2<'static>,
    clock: Clock,
    random: Random,
    permits: Arc<Semaphore>,
    others: Arc<Semaphore>,
    queues: [Semaphore; 2],
    verified: VerifiedPasswords,
    /// A hash that no password matches, so that an unknown user takes as long as a known one.
    decoy_hash: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum HashError {
    #[error("{0}")]
    Parameters(String),
    #[error(transparent)]
    Random(#[from] RandomError),
}

pub(crate) fn hasher(hashing: PasswordHashing) -> Result<Argon2<'static>, HashError> {
    let params = match hashing {
        PasswordHashing::Standard => Params::new(47_104, 2, 1, None),
        PasswordHashing::FastForTests => Params::new(64, 1, 1, None),
    };
    let params = params.map_err(|error| HashError::Parameters(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password into a PHC string. Blocks the thread for about 50 milliseconds.
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
        let decoy_hash = random.password()?;
        Ok(Self {
            decoy_hash: hash(&hasher, &decoy_hash, &random.bytes::<16>()?)?,
            hasher,
            clock,
            random,
            permits: Arc::new(Semaphore::new(CONCURRENT_MAX)),
            others: Arc::new(Semaphore::new(CONCURRENT_OTHERS_MAX)),
            queues: [Semaphore::new(WAITING_MAX), Semaphore::new(WAITING_MAX)],
            verified: VerifiedPasswords {
                key: random.bytes::<32>()?,
                until: Mutex::new(HashMap::new()),
            },
        })
    }

    /// Hashes a password into a PHC string.
    pub(crate) async fn hash(
        &self,
        lane: Lane,
        password: &SecretString,
    ) -> Result<String, ApiError> {
        let salt = self.random.bytes::<16>()?;
        let password = password.clone();
        let hasher = self.hasher.clone();
        self.run_limited(lane, move || hash(&hasher, &password, &salt))
            .await?
            .map_err(|error| ApiError::Internal(error.to_string()))
    }

    /// Returns true if a stored hash is cheaper than the current cost.
    pub(crate) fn is_outdated(&self, stored: &str) -> bool {
        let cost = PasswordHash::new(stored).map(|hash| Params::try_from(&hash));
        let now = self.hasher.params();
        matches!(cost, Ok(Ok(cost)) if cost.m_cost() < now.m_cost() || cost.t_cost() < now.t_cost())
    }

    /// Returns true for a hash of argon2id that costs at least as much as ours, so that its check
    /// cannot be told from others by its time, and not much more, because each check costs as much.
    pub(crate) fn accepts(&self, hash: &str) -> bool {
        PasswordHash::new(hash).is_ok_and(|parsed| {
            parsed.algorithm.as_str() == "argon2id"
                && Params::try_from(&parsed)
                    .is_ok_and(|cost| cost.m_cost() <= 65_536 && cost.t_cost() <= 4)
        }) && !self.is_outdated(hash)
    }

    /// Returns true if the password was verified lately, so that its check costs nothing.
    pub(crate) fn remembers(
        &self,
        client: Client,
        username: &str,
        password: &SecretString,
        stored: Option<&str>,
    ) -> bool {
        let now = self.clock.now_ms();
        stored.is_some_and(|stored| {
            let digest = self.verified.digest(client, username, password, stored);
            self.verified.contains(&digest, now)
        })
    }

    /// Returns true if the password matches the stored hash. `None` is an unknown user, and takes
    /// as long as a known one.
    pub(crate) async fn verify(
        &self,
        client: Client,
        username: &str,
        password: &SecretString,
        stored: Option<&str>,
    ) -> Result<bool, ApiError> {
        let now = self.clock.now_ms();
        // The entry's key includes the stored hash, so a changed password is never found.
        let digest = stored.map(|stored| self.verified.digest(client, username, password, stored));
        if digest.is_some_and(|digest| self.verified.contains(&digest, now)) {
            return Ok(true);
        }
        let hasher = self.hasher.clone();
        let secret = password.clone();
        let against = stored.unwrap_or(&self.decoy_hash).to_owned();
        let matches = self
            .run_limited(client.lane(), move || {
                PasswordHash::new(&against).is_ok_and(|hash| {
                    hasher
                        .verify_password(secret.expose_secret().as_bytes(), &hash)
                        .is_ok()
                })
            })
            .await?;
        match digest {
            Some(digest) if matches => {
                self.verified.insert(digest, now);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Runs slow work on the blocking pool, once a permit is free.
    async fn run_limited<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let [application, other] = &self.queues;
        let queue = match lane {
            Lane::Application => application,
            Lane::Other => other,
        };
        let Ok(_waiting) = queue.try_acquire() else {
            return Err(ApiError::Busy);
        };
        let internal = |error: AcquireError| ApiError::Internal(error.to_string());
        let turn = match lane {
            Lane::Application => None,
            Lane::Other => {
                let others = self.others.clone();
                Some(others.acquire_owned().await.map_err(internal)?)
            }
        };
        let permit = self
            .permits
            .clone()
            .acquire_owned()
            .await
            .map_err(internal)?;
        // The work owns the permits, so that a disconnected client does not free them early.
        tokio::task::spawn_blocking(move || {
            let _permits = (turn, permit);
            work()
        })
        .await
        .map_err(|error| ApiError::Internal(error.to_string()))
    }
}

/// Cache of verified passwords, under keyed digests.
struct VerifiedPasswords {
    key: [u8; 32],
    until: Mutex<HashMap<[u8; 32], i64>>,
}

impl VerifiedPasswords {
    /// Each address has entries of its own, and so has the application: otherwise a stranger's guesses at an active user
    /// would be answered from the entry of that user, past the limits of guessing.
    fn digest(
        &self,
        client: Client,
        username: &str,
        password: &SecretString,
        stored: &str,
    ) -> [u8; 32] {
        let client = match client {
            Client::Application => String::new(),
            Client::Other(address) => address.to_string(),
        };
        let mut hasher = Sha256::new();
        hasher.update(self.key);
        for part in [&client, username, password.expose_secret(), stored] {
            // Lengths distinguish "ab" + "c" from "a" + "bc".
            hasher.update(part.len().to_le_bytes());
            hasher.update(part.as_bytes());
        }
        // The second keyed hash prevents length extension.
        let inner = hasher.finalize();
        Sha256::new()
            .chain_update(self.key)
            .chain_update(inner)
            .finalize()
            .into()
    }

    /// Returns true for a verified password, and extends its lifetime.
    fn contains(&self, digest: &[u8; 32], now: i64) -> bool {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        match until.get_mut(digest) {
            Some(until) if *until > now => {
                *until = now + VERIFIED_MS;
                true
            }
            _ => false,
        }
    }

    fn insert(&self, digest: [u8; 32], now: i64) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= VERIFIED_MAX {
            until.retain(|_, until| *until > now);
        }
        if until.len() >= VERIFIED_MAX
            && let Some(oldest) = until.iter().min_by_key(|(_, until)| **until)
        {
            let oldest = *oldest.0;
            until.remove(&oldest);
        }
        until.insert(digest, now + VERIFIED_MS);
    }
}
