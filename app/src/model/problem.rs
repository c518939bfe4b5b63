//! What can go wrong, as the browser may know it: closed, without free text from below.

use super::{
    apm_settings::ApmSettingsErrors, new_agent_key::NewAgentKeyErrors, revocation::SelectionError,
    session::SessionEnd, user::NewUserErrors,
};
use crate::model::audit_query::PeriodError;
use crate::model::{user::PasswordError, viewer::MissingPrivilege};
use leptos::{
    prelude::FromServerFnError,
    server_fn::{codec::PostcardEncoding, error::ServerFnErrorErr},
};
use serde::{Deserialize, Serialize};

/// A refusal or a fault, with the number under which the log tells more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What went wrong.
    pub kind: ProblemKind,
    /// The request's identifier: the person can tell it to whoever reads the log.
    pub request_id: Option<String>,
    /// Elasticsearch's own sentence about its refusal, shortened; never of a request that holds a password.
    pub reason: Option<String>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProblemKind {
    /// 401: nobody is signed in, or the session ended.
    SignedOut,
    /// 401: the session was ended, and not by its browser.
    SessionEnded(SessionEnd),
    /// 401: Elasticsearch no longer accepts the person who was signed in.
    SignInEnded,
    /// 401: name and password do not belong together, or the user is disabled. Elasticsearch does not say which, nor do we.
    SignInRejected,
    /// 403: Elasticsearch would refuse; these are missing.
    Forbidden(Vec<MissingPrivilege>),
    /// 403: for this the password must have been entered a short while ago, and was not (`reauth_required`).
    ReauthRequired,
    /// 403: a form came from somewhere else than our own pages.
    CrossOrigin,
    /// 404: there is no such thing, or not for this person.
    NotFound,
    /// 409: this very request was carried out before. The secret was shown then, and is gone.
    AlreadyDone,
    /// 409: somebody changed the thing meanwhile.
    ChangedMeanwhile,
    /// 409: a person may not do this to their own account.
    OwnAccount,
    /// 409: Elasticsearch keeps this user for itself.
    ReservedUser,
    /// 422: the form for a new key.
    NewAgentKey(NewAgentKeyErrors),
    /// 422: the form for a new user.
    NewUser(NewUserErrors),
    /// 422: the form for a new password.
    NewPassword(PasswordError),
    /// 422: the form of the APM integration.
    ApmSettings(ApmSettingsErrors),
    /// 422: the days asked for in the audit log.
    AuditPeriod(PeriodError),
    /// 422: the keys that were chosen to be revoked together.
    KeySelection(SelectionError),
    /// 422: a form that no page of ours sends.
    BadForm,
    /// 422: Elasticsearch refused what our own rules allowed.
    Refused,
    /// 502, 503 or 504: Elasticsearch could not be used.
    Elasticsearch(ElasticsearchFault),
    /// 504: a change was sent and no usable answer came; it may or may not have happened.
    Unconfirmed,
    /// 503: our own storage. Nothing was changed.
    Storage,
    /// 503: the browser could not reach this application.
    Offline,
    /// 500: a mistake of ours.
    Internal,
}

/// Why Elasticsearch could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ElasticsearchFault {
    /// No connection.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// It asked us to come back later.
    Busy,
    /// Something between answered in its place, with this status.
    Gateway(u16),
    /// Its certificate could not be verified.
    Tls,
    /// Something answered that is not Elasticsearch.
    WrongProduct,
    /// Elasticsearch answered, but not what the contract says.
    BadAnswer,
    /// API keys are switched off (`xpack.security.authc.api_key.enabled`).
    ApiKeysDisabled,
    /// Security is switched off (`xpack.security.enabled`).
    SecurityDisabled,
    /// Elasticsearch is older than 8.0.
    TooOld {
        /// The first number of its version.
        major: u32,
        /// The second.
        minor: u32,
    },
    /// It is OpenSearch, which has another security API.
    OpenSearch,
    /// The licence has expired.
    LicenseExpired,
    /// This call is not offered by Elasticsearch Serverless.
    NotOnServerless,
    /// The cluster has no master node.
    NoMaster,
    /// The index of users and keys cannot be read or written at the moment.
    SecurityIndexUnavailable,
    /// The cluster or an index is blocked, for example while the cluster starts.
    Blocked,
    /// A disk is almost full, so Elasticsearch takes no more writes.
    FloodStage,
    /// A circuit breaker refused the request: too little memory.
    OutOfMemory,
    /// The request is larger than Elasticsearch, or a proxy, accepts.
    RequestTooLarge,
    /// The change was made, and Elasticsearch could not clear its caches of keys.
    CacheNotCleared,
    /// Elasticsearch answered with another error of its own, with this status.
    Failed(u16),
}

impl ProblemKind {
    /// The HTTP status of an answer that is this problem.
    pub fn status(&self) -> u16 {
        match self {
            Self::SignedOut | Self::SessionEnded(_) | Self::SignInEnded | Self::SignInRejected => {
                401
            }
            Self::Forbidden(_) | Self::ReauthRequired | Self::CrossOrigin => 403,
            Self::NotFound => 404,
            Self::AlreadyDone | Self::ChangedMeanwhile | Self::OwnAccount | Self::ReservedUser => {
                409
            }
            Self::NewAgentKey(_)
            | Self::NewUser(_)
            | Self::NewPassword(_)
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
    /// The word with which the sign-in page is told why the session is no more; `None` when it still is.
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
