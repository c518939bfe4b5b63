//! Randomness, passed in.

use crate::clock::Clock;
use app::model::timestamp::Timestamp;
use std::fmt;

/// Source of random bytes: the operating system's generator, or a test's own.
#[derive(Clone, Copy)]
pub struct Random {
    fill: fn(&mut [u8]) -> Result<(), getrandom::Error>,
}

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct RandomError(#[from] getrandom::Error);

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

impl Default for Random {
    fn default() -> Self {
        Self {
            fill: getrandom::fill,
        }
    }
}

impl Random {
    /// `N` bytes that cannot be predicted.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], RandomError> {
        let mut bytes = [0; N];
        (self.fill)(&mut bytes)?;
        Ok(bytes)
    }

    /// A new identifier (UUID version 7): sorted by time, and unique without asking anybody.
    pub fn identifier(&self, clock: &Clock) -> Result<String, RandomError> {
        self.identifier_at(clock.now())
    }

    /// The same for a moment that was taken before.
    pub fn identifier_at(&self, at: Timestamp) -> Result<String, RandomError> {
        let millis = u64::try_from(at.0).unwrap_or(0);
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()?).into_uuid();
        Ok(uuid.hyphenated().to_string())
    }
}
