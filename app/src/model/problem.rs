//! Problems as sent to the browser: a closed set, without internal error texts.

use super::{
    agent_key::MissingPrivilege,
    apm_settings::ApmSettingsErrors,
    new_agent_key::NewAgentKeyErrors,
    revocation::SelectionError,
    role_mapping::RoleMappingErrors,
    rotation::RotationErrors,
    session::SessionEnd,
    user::{NewUserErrors, OwnPasswordErrors},
};
use crate::model::audit::PeriodError;
use crate::model::user::PasswordError;
use leptos::{
    prelude::FromServerFnError,
    server_fn::{codec::PostcardEncoding, error::ServerFnErrorErr},
};
use serde::{Deserialize, Serialize};

/// A problem with the id of its request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub kind: ProblemKind,
    /// Id of the request, to find it in the log.
    pub request_id: Option<String>,
    /// Elasticsearch's reason for a refusal, shortened. Never set for a request that holds a password.
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProblemKind {
    /// 401: not signed in, or the session ended.
    SignedOut,
    /// 401: the session was ended by another session, an administrator or the limit of sessions.
    SessionEnded(SessionEnd),
    /// 401: Elasticsearch no longer accepts the credentials of the session.
    SignInEnded,
    /// 401: wrong user name or password, or a disabled user. The response does not reveal which.
    SignInRejected,
    /// 422: user name or password was left empty.
    SignInIncomplete { username: bool, password: bool },
    /// 409: the user had to sign in before this form could be sent. It was not sent.
    SignedInAgain,
    /// 403: these privileges are missing.
    Forbidden(Vec<MissingPrivilege>),
    /// 403: the password was not entered recently enough for this action (`reauth_required`).
    ReauthRequired,
    /// 403: a form from another origin.
    CrossOrigin,
    /// 409: another user has signed in since the page of this form was rendered.
    OtherUser {
        username: String,
        /// Mark of the user for forms.
        mark: String,
    },
    /// 404: does not exist, or the user may not see it.
    NotFound,
    /// 409: the same operation is in flight.
    InProgress,
    /// 409: the same operation was executed before. Its secret cannot be returned again.
    AlreadyDone,
    /// 409: changed by another request in the meantime.
    ChangedMeanwhile,
    /// The user owns as many active keys as administrators allow.
    KeysPerUser { max: u32 },
    /// 409: not permitted for the user's own account.
    OwnAccount,
    /// 409: a reserved user of Elasticsearch.
    ReservedUser,
    /// 409: a role mapping with rules that the form cannot write, or from the operator's settings file.
    MappingNotEditable,
    /// 422: invalid form for a new key.
    NewAgentKey(NewAgentKeyErrors),
    /// 422: invalid form that rotates a key.
    Rotation(RotationErrors),
    /// 422: invalid form for a new user.
    NewUser(NewUserErrors),
    /// 422: invalid form for a role mapping.
    RoleMapping(RoleMappingErrors),
    /// 422: invalid new password.
    NewPassword(PasswordError),
    /// 422: invalid form for the user's own password.
    OwnPassword(OwnPasswordErrors),
    /// 422: invalid settings of the APM integration.
    ApmSettings(ApmSettingsErrors),
    /// 422: invalid period of the audit log.
    AuditPeriod(PeriodError),
    /// 422: invalid selection of keys to revoke.
    KeySelection(SelectionError),
    /// 422: a form that cannot be parsed.
    BadForm,
    /// 422: Elasticsearch refused a request that passed our validation.
    Refused,
    /// 502, 503 or 504: Elasticsearch is not available.
    Elasticsearch(ElasticsearchFault),
    /// 504: no usable response to a change. It may or may not have been applied.
    Unconfirmed,
    /// 503: the application's own database failed. Nothing was changed.
    Storage,
    /// 503: the browser cannot reach the application.
    Offline,
    /// 500: a bug.
    Internal,
}

/// Reason why Elasticsearch is not available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ElasticsearchFault {
    Unreachable,
    /// Time-out.
    TimedOut,
    /// Elasticsearch answered 429.
    Busy,
    /// A proxy answered with this status.
    Gateway(u16),
    /// Its certificate could not be verified.
    Tls,
    /// The response is not from Elasticsearch.
    WrongProduct,
    /// Elasticsearch's response cannot be parsed.
    BadAnswer,
    /// API keys are switched off (`xpack.security.authc.api_key.enabled`).
    ApiKeysDisabled,
    /// Security is switched off (`xpack.security.enabled`).
    SecurityDisabled,
    /// Elasticsearch is older than 8.0.
    TooOld {
        major: u32,
        minor: u32,
    },
    /// OpenSearch, which has another security API.
    OpenSearch,
    /// The licence has expired.
    LicenseExpired,
    /// Elasticsearch Serverless does not offer this call.
    NotOnServerless,
    /// The cluster has no master node.
    NoMaster,
    /// The security index is not available.
    SecurityIndexUnavailable,
    /// The cluster or an index is blocked, for example while the cluster starts.
    Blocked,
    /// A disk is almost full, so Elasticsearch accepts no writes.
    FloodStage,
    /// A circuit breaker refused the request: too little memory.
    OutOfMemory,
    /// The request is larger than Elasticsearch, or a proxy, accepts.
    RequestTooLarge,
    /// The change was applied, but Elasticsearch could not clear its key caches.
    CacheNotCleared,
    /// Elasticsearch answered, and the key still works.
    NotRevoked,
    /// Another error of Elasticsearch, with this status.
    Failed(u16),
}

impl ProblemKind {
    /// Returns the HTTP status of the response.
    pub fn status(&self) -> u16 {
        match self {
            Self::SignedOut | Self::SessionEnded(_) | Self::SignInEnded | Self::SignInRejected => {
                401
            }
            Self::Forbidden(_) | Self::ReauthRequired | Self::CrossOrigin => 403,
            Self::NotFound => 404,
            Self::InProgress
            | Self::SignedInAgain
            | Self::OtherUser { .. }
            | Self::AlreadyDone
            | Self::ChangedMeanwhile
            | Self::KeysPerUser { .. }
            | Self::OwnAccount
            | Self::ReservedUser
            | Self::MappingNotEditable => 409,
            Self::SignInIncomplete { .. }
            | Self::NewAgentKey(_)
            | Self::Rotation(_)
            | Self::NewUser(_)
            | Self::RoleMapping(_)
            | Self::NewPassword(_)
            | Self::OwnPassword(_)
            | Self::ApmSettings(_)
            | Self::AuditPeriod(_)
            | Self::KeySelection(_)
            | Self::BadForm
            | Self::Refused => 422,
            Self::Internal => 500,
            Self::Elasticsearch(fault) => fault.status(),
            Self::Unconfirmed => 504,
            Self::Storage | Self::Offline => 503,
        }
    }
}

impl ProblemKind {
    /// Returns the `reason` parameter of the sign-in page; `None` if the session has not ended.
    pub fn end_of_session(&self) -> Option<&'static str> {
        match self {
            Self::SignedOut | Self::SignInEnded => Some("ended"),
            Self::SessionEnded(end) => Some(end.name()),
            _ => None,
        }
    }
}

impl ElasticsearchFault {
    fn status(self) -> u16 {
        match self {
            Self::Unreachable
            | Self::Busy
            | Self::NoMaster
            | Self::SecurityIndexUnavailable
            | Self::Blocked
            | Self::FloodStage
            | Self::OutOfMemory => 503,
            Self::TimedOut => 504,
            Self::ApiKeysDisabled
            | Self::SecurityDisabled
            | Self::NotOnServerless
            | Self::TooOld { .. }
            | Self::OpenSearch => 501,
            Self::RequestTooLarge => 413,
            Self::Gateway(_)
            | Self::Tls
            | Self::WrongProduct
            | Self::BadAnswer
            | Self::LicenseExpired
            | Self::CacheNotCleared
            | Self::NotRevoked
            | Self::Failed(_) => 502,
        }
    }
}

impl From<ProblemKind> for Problem {
    fn from(kind: ProblemKind) -> Self {
        Self {
            kind,
            request_id: None,
            reason: None,
        }
    }
}

impl From<ElasticsearchFault> for ProblemKind {
    fn from(fault: ElasticsearchFault) -> Self {
        Self::Elasticsearch(fault)
    }
}

impl FromServerFnError for Problem {
    type Encoder = PostcardEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        use ServerFnErrorErr as E;
        match error {
            E::Request(_) => ProblemKind::Offline,
            E::Deserialization(_) | E::Args(_) | E::MissingArg(_) => ProblemKind::BadForm,
            E::Registration(_)
            | E::UnsupportedRequestMethod(_)
            | E::ServerError(_)
            | E::MiddlewareError(_)
            | E::Serialization(_)
            | E::Response(_) => ProblemKind::Internal,
        }
        .into()
    }
}
