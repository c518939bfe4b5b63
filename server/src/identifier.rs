//! Unique identifiers: of requests, operations, events and sessions.

use app::model::timestamp::Timestamp;
use platform::{Random, RandomError};
use std::{fmt, sync::Arc};

/// A UUID of version 7, which sorts by the time `at`.
pub fn identifier(random: Random, at: Timestamp) -> Result<String, RandomError> {
    let ms = u64::try_from(at.0).unwrap_or(0);
    let uuid = uuid::Builder::from_unix_timestamp_millis(ms, &random.bytes()?).into_uuid();
    Ok(uuid.hyphenated().to_string())
}

/// Identifier of a request, by which its log lines, its audit events and Elasticsearch's own log find each other. Never
/// taken from the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Names a request.
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The identifier as text: ASCII letters, digits and hyphens.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
