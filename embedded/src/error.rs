//! Everything a request can be refused with, and what it looks like on the wire.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{random::RandomError, version::Version};

/// Why a request was refused.
///
/// Each variant is one `type` of Elasticsearch's error envelope.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The caller did not prove who they are. Status 401.
    Unauthenticated {
        reason: String,
        /// What was wrong with an API key or token, for `additional_unsuccessful_credentials`.
        detail: Option<String>,
    },
    /// The caller is known and may not do this. Status 403.
    Unauthorized(String),
    /// A grant's end user could not be authenticated. Status 403, caused by a 401.
    GrantRefused { cause: Box<ApiError> },
    /// `security_exception` with status 400.
    SecurityBadRequest(String),
    /// Every rule that the request breaks, together.
    Validation(Vec<String>),
    /// A password or a role's name breaks a rule.
    Invalid(String),
    /// A role, user or privilege check could not be read.
    Parse(String),
    /// The strict parser met an unknown field or a value of the wrong type.
    Content {
        reason: String,
        cause: Option<Box<ApiError>>,
    },
    /// The value is well formed and still not acceptable.
    IllegalArgument(String),
    /// A key to update does not exist, or is someone else's.
    NotFound(String),
    /// The media types of the request cannot be read, contradict each other, or ask for another version.
    MediaType {
        /// The headers, as in `Accept, Content-Type`.
        headers: &'static str,
        cause: Box<ApiError>,
    },
    /// The cause of a refused media type.
    Status(String),
    /// The body is in a format that is not supported; `None` without a Content-Type.
    UnsupportedContentType(Option<String>),
    /// No operation has this path.
    UnknownPath { method: String, uri: String },
    /// The path exists, the method on it does not.
    WrongMethod {
        method: String,
        uri: String,
        allowed: Vec<&'static str>,
    },
    /// The feature is switched off.
    FeatureDisabled(&'static str),
    /// The body is larger than [`crate::http::BODY_BYTES_MAX`].
    TooLarge,
    /// An OAuth2 error, which has its own shape.
    OAuth {
        error: &'static str,
        description: String,
    },
    /// More work is waiting than can be done in time.
    Busy,
    /// The request took longer than [`crate::http::REQUEST_SECONDS_MAX`].
    TimedOut,
    /// Our fault. The text is for the log only.
    Internal(String),
}

impl ApiError {
    /// One broken rule.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::Validation(vec![message.into()])
    }

    pub(crate) fn illegal(reason: impl Into<String>) -> Self {
        Self::IllegalArgument(reason.into())
    }

    pub(crate) fn parse(reason: impl Into<String>) -> Self {
        Self::Parse(reason.into())
    }

    pub(crate) fn content(reason: impl Into<String>) -> Self {
        Self::Content {
            reason: reason.into(),
            cause: None,
        }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
            Self::Unauthorized(_) | Self::GrantRefused { .. } => StatusCode::FORBIDDEN,
            Self::SecurityBadRequest(_)
            | Self::Validation(_)
            | Self::Invalid(_)
            | Self::Parse(_)
            | Self::Content { .. }
            | Self::IllegalArgument(_)
            | Self::MediaType { .. }
            | Self::Status(_)
            | Self::FeatureDisabled(_)
            | Self::UnknownPath { .. }
            | Self::OAuth { .. } => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::UnsupportedContentType(_) => StatusCode::NOT_ACCEPTABLE,
            Self::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `type` of the envelope. Errors without an envelope never ask for it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Unauthenticated { .. }
            | Self::Unauthorized(_)
            | Self::GrantRefused { .. }
            | Self::SecurityBadRequest(_) => "security_exception",
            Self::Validation(_) => "action_request_validation_exception",
            Self::Invalid(_) => "validation_exception",
            Self::Parse(_) => "parse_exception",
            Self::Content { .. } => "x_content_parse_exception",
            Self::IllegalArgument(_) => "illegal_argument_exception",
            Self::NotFound(_) => "resource_not_found_exception",
            Self::MediaType { .. } => "media_type_header_exception",
            Self::Status(_) => "status_exception",
            Self::FeatureDisabled(_) => "feature_not_enabled_exception",
            Self::TooLarge => "content_too_long_exception",
            Self::Busy => "es_rejected_execution_exception",
            Self::TimedOut => "timeout_exception",
            Self::UnsupportedContentType(_)
            | Self::UnknownPath { .. }
            | Self::WrongMethod { .. }
            | Self::OAuth { .. }
            | Self::Internal(_) => "exception",
        }
    }

    /// What the client is told. Never holds a secret, a path of this machine or SQL.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Unauthenticated { reason, .. }
            | Self::Content { reason, .. }
            | Self::Unauthorized(reason)
            | Self::SecurityBadRequest(reason)
            | Self::Parse(reason)
            | Self::IllegalArgument(reason)
            | Self::NotFound(reason)
            | Self::Status(reason) => reason.clone(),
            Self::MediaType { headers, .. } => {
                format!("Invalid media-type value on headers [{headers}]")
            }
            Self::GrantRefused { .. } => "Failed to authenticate api key grant".to_owned(),
            Self::Validation(messages) => {
                let mut reason = "Validation Failed: ".to_owned();
                for (index, message) in messages.iter().enumerate() {
                    reason.push_str(&format!("{}: {message};", index + 1));
                }
                reason
            }
            Self::Invalid(message) => format!("Validation Failed: 1: {message};"),
            Self::UnsupportedContentType(None) => "Content-Type header is missing".to_owned(),
            Self::UnsupportedContentType(Some(content_type)) => {
                format!("Content-Type header [{content_type}] is not supported")
            }
            Self::UnknownPath { method, uri } => {
                format!("no handler found for uri [{uri}] and method [{method}]")
            }
            Self::WrongMethod {
                method,
                uri,
                allowed,
            } => format!(
                "Incorrect HTTP method for uri [{uri}] and method [{method}], allowed: [{}]",
                allowed.join(", ")
            ),
            Self::FeatureDisabled(feature) => format!("{feature} are not enabled"),
            Self::TooLarge => "entity content is too long".to_owned(),
            Self::OAuth { description, .. } => description.clone(),
            Self::Busy => "rejected execution: too many requests are waiting".to_owned(),
            Self::TimedOut => "the request took too long".to_owned(),
            Self::Internal(_) => "internal error".to_owned(),
        }
    }

    /// The whole body, with `stack_trace` fields when `error_trace` was asked for, and with
    /// bearer tokens among the ways to authenticate when they are one.
    pub(crate) fn body(&self, error_trace: bool, challenges: Challenges) -> Value {
        match self {
            Self::UnknownPath { .. } => json!({ "error": self.reason() }),
            Self::WrongMethod { .. } | Self::UnsupportedContentType(_) => {
                json!({ "error": self.reason(), "status": self.status().as_u16() })
            }
            Self::OAuth { error, description } => {
                json!({ "error": error, "error_description": description })
            }
            Self::Unauthenticated { .. }
            | Self::Unauthorized(_)
            | Self::GrantRefused { .. }
            | Self::SecurityBadRequest(_)
            | Self::Validation(_)
            | Self::Invalid(_)
            | Self::Parse(_)
            | Self::Content { .. }
            | Self::IllegalArgument(_)
            | Self::NotFound(_)
            | Self::MediaType { .. }
            | Self::Status(_)
            | Self::FeatureDisabled(_)
            | Self::TooLarge
            | Self::Busy
            | Self::TimedOut
            | Self::Internal(_) => {
                let mut outer = self.object(error_trace, challenges);
                let mut error = Map::new();
                error.insert("root_cause".to_owned(), json!([outer.clone()]));
                if let Some(cause) = self.cause() {
                    error.insert(
                        "caused_by".to_owned(),
                        cause.object(error_trace, challenges).into(),
                    );
                }
                error.append(&mut outer);
                json!({ "error": error, "status": self.status().as_u16() })
            }
        }
    }

    fn cause(&self) -> Option<&ApiError> {
        match self {
            Self::GrantRefused { cause } | Self::MediaType { cause, .. } => Some(cause),
            Self::Content { cause, .. } => cause.as_deref(),
            _ => None,
        }
    }

    fn object(&self, error_trace: bool, challenges: Challenges) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("type".to_owned(), self.kind().into());
        object.insert("reason".to_owned(), self.reason().into());
        if let Self::Unauthenticated { detail, .. } = self {
            if let Some(detail) = detail {
                object.insert(
                    "additional_unsuccessful_credentials".to_owned(),
                    detail.clone().into(),
                );
            }
            object.insert(
                "header".to_owned(),
                json!({ "WWW-Authenticate": challenges.list() }),
            );
        }
        if let Self::FeatureDisabled(feature) = self {
            object.insert("disabled.feature".to_owned(), (*feature).into());
        }
        if error_trace && !matches!(self, Self::Unauthenticated { .. }) {
            // There is no Java stack to show; clients only look whether the field is there.
            object.insert(
                "stack_trace".to_owned(),
                format!("{}: {}", self.kind(), self.reason()).into(),
            );
        }
        object
    }
}

/// The ways to authenticate that a 401 offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Challenges {
    /// Bearer tokens are one of them.
    pub(crate) tokens: bool,
    pub(crate) version: Version,
}

impl Challenges {
    /// In the order of Elasticsearch's answers.
    pub(crate) fn list(self) -> Vec<&'static str> {
        let basic = if self.version.has_comma_in_challenge() {
            r#"Basic realm="security", charset="UTF-8""#
        } else {
            r#"Basic realm="security" charset="UTF-8""#
        };
        let mut challenges = vec![basic];
        if self.tokens {
            challenges.push(r#"Bearer realm="security""#);
        }
        challenges.push("ApiKey");
        challenges
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<serde_json::Error> for ApiError {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<RandomError> for ApiError {
    fn from(error: RandomError) -> Self {
        Self::Internal(error.to_string())
    }
}
