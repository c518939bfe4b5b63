//! The error of a call of Elasticsearch, and its cause in the transport.

use app::model::problem::ElasticsearchFault;
use http::StatusCode;
use std::{error::Error as _, io};

/// Reason for which there is no usable response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Connection failed. Nothing was sent.
    #[error("Elasticsearch cannot be reached")]
    Unreachable,
    /// Certificate verification failed. Nothing was sent.
    #[error("the certificate of Elasticsearch could not be verified")]
    Tls,
    /// The request was sent, and no response arrived in time.
    #[error("Elasticsearch did not answer in time")]
    TimedOut,
    /// The connection broke after the request was sent.
    #[error("the connection to Elasticsearch broke")]
    Interrupted,
    /// Too many calls wait already. Nothing was sent.
    #[error("too many calls are waiting for Elasticsearch")]
    Busy,
    /// A response with this status that is not Elasticsearch's own, for example of a proxy.
    #[error("something else answered in place of Elasticsearch, with status {0}")]
    Gateway(StatusCode),
    /// A success without Elasticsearch's product header.
    #[error("what answered is not Elasticsearch")]
    WrongProduct,
    /// A response of Elasticsearch's that does not follow its API.
    #[error("Elasticsearch's answer cannot be read: {0}")]
    BadAnswer(&'static str),
    /// 401: Elasticsearch does not accept the credential.
    #[error("Elasticsearch does not accept the credential")]
    Unauthorized,
    /// 403: the credential does not allow this.
    #[error("Elasticsearch does not allow this to this user: {reason}")]
    Forbidden {
        /// Elasticsearch's sentence, shortened. It names the missing privilege.
        reason: String,
    },
    /// 400: Elasticsearch refused the request.
    #[error("Elasticsearch refused the request: {kind}: {reason}")]
    Invalid {
        /// The error's type, for example `action_request_validation_exception`.
        kind: String,
        /// Elasticsearch's sentence, shortened.
        reason: String,
    },
    /// 404 with an error in the body.
    #[error("Elasticsearch answered: not found")]
    NotFound,
    /// Any other error of Elasticsearch's own, with the condition behind it where the response names one.
    #[error("Elasticsearch failed with status {status}: {kind}: {reason}")]
    Fault {
        fault: ElasticsearchFault,
        status: StatusCode,
        /// The error's type, for example `cluster_block_exception`.
        kind: String,
        /// Elasticsearch's sentence, shortened.
        reason: String,
    },
}

impl Error {
    /// Label in metrics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
            Self::Busy => "busy",
            Self::Gateway(_) => "gateway",
            Self::WrongProduct => "wrong_product",
            Self::BadAnswer(_) => "bad_answer",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::Invalid { .. } => "invalid",
            Self::NotFound => "not_found",
            Self::Fault { fault, .. } => match fault {
                ElasticsearchFault::ApiKeysDisabled => "api_keys_disabled",
                ElasticsearchFault::Busy => "busy",
                _ => "failed",
            },
        }
    }

    /// Returns true if a change was certainly not applied: nothing was sent, or Elasticsearch itself refused it. After
    /// a 5xx it may have been applied: a primary may have written.
    pub fn is_definitely_not_applied(&self) -> bool {
        match self {
            Self::Unreachable
            | Self::Tls
            | Self::Busy
            | Self::Unauthorized
            | Self::Forbidden { .. }
            | Self::Invalid { .. }
            | Self::NotFound => true,
            Self::Fault { status, .. } => status.is_client_error(),
            Self::TimedOut
            | Self::Interrupted
            | Self::Gateway(_)
            | Self::WrongProduct
            | Self::BadAnswer(_) => false,
        }
    }

    /// Returns true if Elasticsearch did not answer at all.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable | Self::TimedOut)
    }

    /// Elasticsearch's own reason, if any.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Forbidden { reason }
            | Self::Invalid { reason, .. }
            | Self::Fault { reason, .. } => (!reason.is_empty()).then_some(reason),
            _ => None,
        }
    }
}

/// The error for a request without a complete response. Only a failure to connect proves that nothing was sent.
pub(super) fn explain(error: &reqwest::Error) -> Error {
    if error.is_connect() {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if is_tls(inner) {
                return Error::Tls;
            }
            cause = inner.source();
        }
        Error::Unreachable
    } else if error.is_timeout() {
        Error::TimedOut
    } else if is_broken_encoding(error) {
        Error::BadAnswer("encoding")
    } else {
        Error::Interrupted
    }
}

/// Returns true for a TLS error. An I/O error hides the error that it wraps from `source`, sometimes twice.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<rustls::Error>()
        || error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .is_some_and(|inner| is_tls(inner))
}

/// Returns true if the body cannot be decompressed.
fn is_broken_encoding(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            let by_decoder = io
                .get_ref()
                .is_some_and(|inner| inner.is::<flate2::DecompressError>());
            // Broken header or checksum.
            if by_decoder || io.kind() == io::ErrorKind::InvalidData {
                return true;
            }
        }
        cause = inner.source();
    }
    false
}

/// The causes of a request without a response, from the outermost to the innermost, and what they probably mean.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.dedup();
    // The error itself holds the address, and so the names of keys and users.
    if causes.is_empty() {
        causes.push(explain(error).to_string());
    }
    let mut text = causes.join(": ");
    let scheme = error.url().map(url::Url::scheme);
    if scheme == Some("https") && text.contains("InvalidContentType") {
        text += " (no TLS at this port; is it http://?)";
    } else if scheme == Some("http") && text.contains("invalid HTTP") {
        text += " (no HTTP at this port; is it https://?)";
    }
    text
}
