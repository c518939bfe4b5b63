//! HTTP requests and responses in Elasticsearch's format.

pub(crate) mod body;
pub(crate) mod filter_path;
pub(crate) mod json;
pub(crate) mod media_type;
pub(crate) mod request;
pub(crate) mod response;

use std::time::Duration;

/// Time limit of a request. Slower ones get 503.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
