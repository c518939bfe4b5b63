//! Unique identifiers: of requests, operations, events and sessions.

use app::model::timestamp::Timestamp;
use http::Extensions;
use platform::{Random, RandomError};
use std::{fmt, sync::Arc};

/// A UUID of version 7, which sorts by the time `at`.
pub fn identifier(random: Random, at: Timestamp) -> Result<String, RandomError> {
    let ms = u64::try_from(at.0).unwrap_or(0);
    let uuid = uuid::Builder::from_unix_timestamp_millis(ms, &random.bytes()?).into_uuid();
    Ok(uuid.hyphenated().to_string())
}

/// Identifier of a request, by which its log lines, its audit events and Elasticsearch's own log find each other. Made
/// here or by a trusted proxy, never taken from the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId {
    id: Arc<str>,
    traceparent: Option<Arc<str>>,
}

impl RequestId {
    /// Names a request.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            traceparent: None,
        }
    }

    /// The id that the request with these extensions was given.
    pub fn of(extensions: &Extensions) -> Self {
        let known = extensions.get::<Self>().cloned();
        known.unwrap_or_else(|| Self::new("unnamed"))
    }

    /// The same request as part of a trace, in the form of the W3C's Trace Context.
    pub fn with_traceparent(self, traceparent: &str) -> Self {
        Self {
            traceparent: Some(traceparent.into()),
            ..self
        }
    }

    /// The identifier as text: ASCII letters, digits, and `-`, `_`, `.`, `:`.
    pub fn as_str(&self) -> &str {
        &self.id
    }

    /// Value of the header `traceparent`, which Elasticsearch gets as well.
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// The part of the trace that all its requests share.
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent()?.split('-').nth(1)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}
