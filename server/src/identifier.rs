//! Unique identifiers.

use app::model::timestamp::Timestamp;
use platform::{Random, RandomError};

/// A UUID of version 7, which sorts by the time `at`.
pub fn identifier(random: Random, at: Timestamp) -> Result<String, RandomError> {
    let ms = u64::try_from(at.0).unwrap_or(0);
    let uuid = uuid::Builder::from_unix_timestamp_millis(ms, &random.bytes()?).into_uuid();
    Ok(uuid.hyphenated().to_string())
}
