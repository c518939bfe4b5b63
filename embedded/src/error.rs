//! Errors of requests, and their form on the wire.

use http::StatusCode;
use serde_json::{Map, Value, json};

use platform::RandomError;

use crate::version::Version;

/// The error of a request.
///
/// Each variant is one `type` of Elasticsearch's error envelope.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The request is not authenticated. Status 401.
    Unauthenticated {
        reason: String,
        /// The problem with an API key or token, for `additional_unsuccessful_credentials`.
        detail: Option<String>,
    },
    /// The access token has expired or was invalidated. Status 401.
    TokenExpired,
    /// The caller may not perform the action. Status 403.
    Unauthorized(String),
    /// The end user of a grant cannot be authenticated. Status 403, caused by a 401.
    GrantRefused {
        cause: Box<ApiError>,
    },
    /// `security_exception` with status 500: an unknown realm or token, or a provider that cannot be
    /// reached.
    SecurityFailure(String),
    /// `security_exception` with status 400.
    SecurityBadRequest(String),
    /// All broken rules of the request.
    Validation(Vec<String>),
    /// A password or a name breaks a rule, or a user does not exist.
    Invalid(String),
    /// A role, user or privilege check cannot be parsed.
    Parse {
        reason: String,
        cause: Option<Box<ApiError>>,
    },
    /// An object parser met an unknown field or a value of the wrong type.
    Content {
        reason: String,
        cause: Option<Box<ApiError>>,
    },
    /// A well-formed value is not acceptable.
    IllegalArgument(String),
    /// The key to update does not exist, or belongs to another user.
    NotFound(String),
    /// Media types that cannot be parsed, contradict each other, or require another version.
    MediaType {
        /// Names of the headers, as in `Accept, Content-Type`.
        headers: &'static str,
        cause: Box<ApiError>,
    },
    /// The cause of a refused media type.
    Status(String),
    /// The body has an unsupported format; `None` without a Content-Type.
    UnsupportedContentType(Option<String>),
    /// No route has this path.
    UnknownPath {
        method: String,
        uri: String,
    },
    /// No route with this path has the method.
    WrongMethod {
        method: String,
        uri: String,
        allowed: Vec<&'static str>,
    },
    FeatureDisabled(&'static str),
    /// The body is larger than [`crate::Config::body_bytes_max`].
    TooLarge,
    /// An OAuth2 error, which has a body of its own form.
    OAuth {
        error: &'static str,
        description: String,
    },
    /// The request is for another host. Status 421.
    OtherHost,
    /// Too many requests are waiting.
    Busy,
    /// The response would need too much memory. Narrower requests succeed.
    DataTooLarge,
    /// The request took longer than [`crate::http::REQUEST_TIMEOUT`].
    TimedOut,
    /// A query cannot run on a field. Status 400, with a [`Self::QueryShard`] as its cause.
    SearchFailed {
        cause: Box<ApiError>,
    },
    /// The cause of a failed search.
    QueryShard(String),
    /// A failure of the engine. The text is for the log only.
    Internal(String),
}

impl ApiError {
    /// Returns an error if there are broken rules.
    pub(crate) fn check_rules(broken: Vec<String>) -> Result<(), Self> {
        if broken.is_empty() {
            return Ok(());
        }
        Err(Self::Validation(broken))
    }

    /// A single broken rule.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::Validation(vec![message.into()])
    }

    /// A query that its field does not support.
    pub(crate) fn query(reason: impl Into<String>) -> Self {
        Self::SearchFailed {
            cause: Box::new(Self::QueryShard(format!(
                "failed to create query: {}",
                reason.into()
            ))),
        }
    }

    /// A broken rule of a user's name or password.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    pub(crate) fn illegal(reason: impl Into<String>) -> Self {
        Self::IllegalArgument(reason.into())
    }

    pub(crate) fn parse(reason: impl Into<String>) -> Self {
        Self::Parse {
            reason: reason.into(),
            cause: None,
        }
    }

    pub(crate) fn content(reason: impl Into<String>) -> Self {
        Self::Content {
            reason: reason.into(),
            cause: None,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated { .. } | Self::TokenExpired => StatusCode::UNAUTHORIZED,
            Self::Unauthorized(_) | Self::GrantRefused { .. } => StatusCode::FORBIDDEN,
            Self::SecurityBadRequest(_)
            | Self::Validation(_)
            | Self::Invalid(_)
            | Self::Parse { .. }
            | Self::Content { .. }
            | Self::IllegalArgument(_)
            | Self::MediaType { .. }
            | Self::Status(_)
            | Self::SearchFailed { .. }
            | Self::QueryShard(_)
            | Self::FeatureDisabled(_)
            | Self::UnknownPath { .. }
            | Self::OAuth { .. } => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::UnsupportedContentType(_) => StatusCode::NOT_ACCEPTABLE,
            Self::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::OtherHost => StatusCode::MISDIRECTED_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy | Self::DataTooLarge => StatusCode::TOO_MANY_REQUESTS,
            Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) | Self::SecurityFailure(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `type` in the error envelope. Unused for errors without an envelope.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Unauthenticated { .. }
            | Self::TokenExpired
            | Self::Unauthorized(_)
            | Self::GrantRefused { .. }
            | Self::SecurityFailure(_)
            | Self::SecurityBadRequest(_) => "security_exception",
            Self::Validation(_) => "action_request_validation_exception",
            Self::Invalid(_) => "validation_exception",
            Self::Parse { .. } => "parse_exception",
            Self::Content { .. } => "x_content_parse_exception",
            Self::IllegalArgument(_) | Self::OtherHost => "illegal_argument_exception",
            Self::NotFound(_) => "resource_not_found_exception",
            Self::MediaType { .. } => "media_type_header_exception",
            Self::Status(_) => "status_exception",
            Self::SearchFailed { .. } => "search_phase_execution_exception",
            Self::QueryShard(_) => "query_shard_exception",
            Self::FeatureDisabled(_) => "feature_not_enabled_exception",
            Self::TooLarge => "content_too_long_exception",
            Self::Busy => "es_rejected_execution_exception",
            Self::DataTooLarge => "circuit_breaking_exception",
            Self::TimedOut => "timeout_exception",
            Self::UnsupportedContentType(_)
            | Self::UnknownPath { .. }
            | Self::WrongMethod { .. }
            | Self::OAuth { .. }
            | Self::Internal(_) => "exception",
        }
    }

    /// The message for the client. Never contains a secret, a path of this machine or SQL.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Unauthenticated { reason, .. }
            | Self::Content { reason, .. }
            | Self::Unauthorized(reason)
            | Self::SecurityFailure(reason)
            | Self::SecurityBadRequest(reason)
            | Self::Parse { reason, .. }
            | Self::IllegalArgument(reason)
            | Self::NotFound(reason)
            | Self::QueryShard(reason)
            | Self::Status(reason) => reason.clone(),
            Self::TokenExpired => "token expired".to_owned(),
            Self::SearchFailed { .. } => "all shards failed".to_owned(),
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
            Self::OtherHost => {
                "this engine does not answer for this host name; if it is yours, name it in \
                                AGENT_KEYS_HOST_NAMES"
                    .to_owned()
            }
            Self::TooLarge => "entity content is too long".to_owned(),
            Self::OAuth { description, .. } => description.clone(),
            Self::Busy => "rejected execution: too many requests are waiting".to_owned(),
            Self::DataTooLarge => "Data too large: ask for fewer keys".to_owned(),
            Self::TimedOut => "the request took too long".to_owned(),
            Self::Internal(_) => "internal error".to_owned(),
        }
    }

    /// The response body. `error_trace` adds `stack_trace`; `challenges` are the authentication
    /// schemes that a 401 lists.
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
            | Self::TokenExpired
            | Self::Unauthorized(_)
            | Self::GrantRefused { .. }
            | Self::SecurityFailure(_)
            | Self::SecurityBadRequest(_)
            | Self::Validation(_)
            | Self::Invalid(_)
            | Self::Parse { .. }
            | Self::Content { .. }
            | Self::IllegalArgument(_)
            | Self::NotFound(_)
            | Self::MediaType { .. }
            | Self::Status(_)
            | Self::SearchFailed { .. }
            | Self::QueryShard(_)
            | Self::FeatureDisabled(_)
            | Self::OtherHost
            | Self::TooLarge
            | Self::Busy
            | Self::DataTooLarge
            | Self::TimedOut
            | Self::Internal(_) => {
                let mut outer = self.object(error_trace, challenges);
                let mut error = Map::new();
                let root = self.root_cause().object(error_trace, challenges);
                error.insert("root_cause".to_owned(), json!([root]));
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

    /// The authentication schemes of a 401. Empty for other errors.
    pub(crate) fn challenges(&self, challenges: Challenges) -> Vec<&'static str> {
        match self {
            Self::Unauthenticated { .. } => challenges.list(),
            Self::TokenExpired => vec![
                r#"Bearer realm="security", error="invalid_token", error_description="The access token expired""#,
            ],
            _ => Vec::new(),
        }
    }

    fn cause(&self) -> Option<&ApiError> {
        match self {
            Self::GrantRefused { cause }
            | Self::MediaType { cause, .. }
            | Self::SearchFailed { cause } => Some(cause),
            Self::Content { cause, .. } | Self::Parse { cause, .. } => cause.as_deref(),
            _ => None,
        }
    }

    /// The innermost cause. A refused media type is its own, as in Elasticsearch.
    fn root_cause(&self) -> &ApiError {
        match (self, self.cause()) {
            (Self::MediaType { .. }, _) | (_, None) => self,
            (_, Some(cause)) => cause.root_cause(),
        }
    }

    fn object(&self, error_trace: bool, challenges: Challenges) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("type".to_owned(), self.kind().into());
        object.insert("reason".to_owned(), self.reason().into());
        if let Self::Unauthenticated {
            detail: Some(detail),
            ..
        } = self
        {
            object.insert(
                "additional_unsuccessful_credentials".to_owned(),
                detail.clone().into(),
            );
        }
        match self.challenges(challenges).as_slice() {
            [] => {}
            list => {
                let list = match list {
                    [challenge] => json!(challenge),
                    several => json!(several),
                };
                object.insert("header".to_owned(), json!({ "WWW-Authenticate": list }));
            }
        }
        if let Self::FeatureDisabled(feature) = self {
            object.insert("disabled.feature".to_owned(), (*feature).into());
        }
        if error_trace && self.status() != StatusCode::UNAUTHORIZED {
            // Clients only check that the field exists; the engine has no Java stack.
            object.insert(
                "stack_trace".to_owned(),
                format!("{}: {}", self.kind(), self.reason()).into(),
            );
        }
        object
    }
}

/// The authentication schemes that a 401 lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Challenges {
    /// True if bearer tokens are one of them.
    pub(crate) tokens: bool,
    pub(crate) version: Version,
}

impl Challenges {
    /// The schemes in Elasticsearch's order.
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

/// SQLite's code of a search that reached its time limit.
const SQLITE_INTERRUPT: &str = "9";

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::Database(error) if error.code().as_deref() == Some(SQLITE_INTERRUPT) => {
                Self::TimedOut
            }
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
