//! The name of one request, by which its log lines, its audit rows and Elasticsearch's own log find each other.

use std::{fmt, sync::Arc};

/// A request's identifier. Always made here, never taken from the browser.
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
