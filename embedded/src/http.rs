//! HTTP requests and responses in Elasticsearch's format.

pub(crate) mod body;
pub(crate) mod filter_path;
pub(crate) mod media_type;
pub(crate) mod request;
pub(crate) mod response;

use std::time::Duration;

/// Maximum size of a body, in bytes. Larger ones get 413.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Time limit of a request. Slower ones get 503.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
