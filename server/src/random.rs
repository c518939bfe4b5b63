//! Randomness, passed in.

use crate::clock::Clock;

/// Where random bytes come from: the operating system's generator, or a test's own.
#[derive(Clone, Copy)]
pub struct Random {
    fill: fn(&mut [u8]) -> Result<(), getrandom::Error>,
}

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct RandomError(#[from] getrandom::Error);

impl Default for Random {
    fn default() -> Self {
        Self {
            fill: getrandom::fill,
        }
    }
}

impl Random {
    /// `N` bytes that nobody can predict.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], RandomError> {
        let mut bytes = [0; N];
        (self.fill)(&mut bytes)?;
        Ok(bytes)
    }

    /// A new identifier (UUID version 7): sorted by time, and unique without asking anybody.
    pub fn identifier(&self, clock: &Clock) -> Result<String, RandomError> {
        let millis = u64::try_from(clock.now().0).unwrap_or(0);
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()?).into_uuid();
        Ok(uuid.hyphenated().to_string())
    }
}
