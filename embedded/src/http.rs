//! HTTP requests and responses, as Elasticsearch reads and writes them.

pub(crate) mod body;
pub(crate) mod filter_path;
pub(crate) mod media_type;
pub(crate) mod request;
pub(crate) mod response;

/// The largest body, in bytes. Larger ones are answered with 413.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long a request may take, in seconds. Longer ones are answered with 503.
pub(crate) const REQUEST_SECONDS_MAX: u64 = 30;
