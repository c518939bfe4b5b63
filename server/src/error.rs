//! The error type of every use case, and what the browser learns of each error.

use crate::{elasticsearch, sessions::SealError, store};
use app::model::{
    agent_key::MissingPrivilege,
    audit::PeriodError,
    problem::{ElasticsearchFault, ProblemKind},
    revocation::SelectionError,
    role_mapping::{MappingNameError, RoleMappingErrors},
    session::SessionEnd,
    user::{NewUserErrors, OwnPasswordErrors},
};
use platform::RandomError;

/// A refusal or a fault. [`problem_kind`] decides what the browser learns of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No user is signed in.
    #[error("not signed in")]
    SignedOut,
    /// The session was ended, and not by its browser.
    #[error("the session was ended: {0:?}")]
    SessionEnded(SessionEnd),
    /// Elasticsearch does not accept this name and password.
    #[error("the sign-in was rejected")]
    SignInRejected,
    /// Elasticsearch would refuse: these privileges are missing.
    #[error("privileges are missing: {0:?}")]
    Missing(Vec<MissingPrivilege>),
    /// The password was not entered recently enough for this.
    #[error("the password must be entered again")]
    ReauthRequired,
    /// It does not exist, or the user may not see it.
    #[error("not found")]
    NotFound,
    /// Elasticsearch was asked to revoke a key, answered, and did not revoke it.
    #[error("Elasticsearch did not revoke the key")]
    StillActive,
    /// The same operation is in flight.
    #[error("this operation is in flight")]
    InProgress,
    /// This very operation was begun before.
    #[error("this operation was already started")]
    AlreadyDone,
    /// This very operation was begun before, and asked for something else.
    #[error("this operation was already started, for another request")]
    OperationReused,
    /// A key was created after its operation had been abandoned, so its secret must not be shown.
    #[error("the key was created after its operation had been abandoned")]
    GivenUp,
    /// Another client changed it meanwhile.
    #[error("changed meanwhile by another client")]
    ChangedMeanwhile,
    #[error("the user owns as many active keys as administrators allow")]
    KeysPerUser { max: u32 },
    /// Users may not do this to their own account.
    #[error("not allowed for one's own account")]
    OwnAccount,
    /// Elasticsearch keeps this user for itself.
    #[error("this user is reserved by Elasticsearch")]
    ReservedUser,
    /// The form for the user's own password is not valid.
    #[error("the form for the own password is not valid")]
    OwnPassword(OwnPasswordErrors),
    /// There is a user of this name.
    #[error("the user name is taken")]
    UsernameTaken,
    /// There is a role mapping of this name.
    #[error("the name of the role mapping is taken")]
    MappingNameTaken,
    /// The form of this page cannot change the role mapping.
    #[error("the role mapping cannot be changed here")]
    MappingNotEditable,
    /// The days asked for are no period.
    #[error("the dates are not a valid period")]
    BadPeriod(PeriodError),
    /// The number of keys that the user confirmed is not that of the keys that match.
    #[error("the number of keys was not confirmed")]
    CountNotConfirmed,
    /// The address of a list has an invalid cursor, number of rows, search or filter.
    #[error("invalid address of a list")]
    BadListQuery,
    /// A change was sent, and it is not known whether it was made.
    #[error("the change was sent, and its outcome is unknown")]
    Unconfirmed(#[source] elasticsearch::Error),
    /// The outcome of the change is not known: of this request, or of an earlier one with the same operation.
    #[error("the outcome of the change is still unknown")]
    StillUnconfirmed,
    /// Elasticsearch answered that it had revoked the keys and could not clear its caches, and could not be asked
    /// about them afterwards.
    #[error(
        "Elasticsearch could not clear its key caches, nor be asked whether the key is revoked"
    )]
    CacheNotCleared(#[source] elasticsearch::Error),
    /// Elasticsearch could not be asked, or refused.
    #[error(transparent)]
    Elasticsearch(#[from] elasticsearch::Error),
    /// Our own storage failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A credential could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The task that carried out the change ended early: a mistake of ours.
    #[error("the task of the change ended early")]
    TaskEnded,
}

impl Error {
    /// A fault of a call that changes something: unless it is sure that nothing happened, it is unconfirmed.
    pub fn of_write(error: elasticsearch::Error) -> Self {
        if error.is_definitely_not_applied() {
            Self::Elasticsearch(error)
        } else {
            Self::Unconfirmed(error)
        }
    }

    /// Returns true if Elasticsearch did not answer at all.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Elasticsearch(error) if error.is_outage())
    }

    /// Elasticsearch's own sentence about a refusal, where it gave one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Elasticsearch(error)
            | Self::Unconfirmed(error)
            | Self::CacheNotCleared(error) => error.reason(),
            _ => None,
        }
    }
}

/// Returns what the browser learns of an error. The matches are exhaustive, so that every new error is decided here.
pub fn problem_kind(error: &Error) -> ProblemKind {
    match error {
        Error::SignedOut => ProblemKind::SignedOut,
        Error::SessionEnded(end) => ProblemKind::SessionEnded(*end),
        Error::SignInRejected => ProblemKind::SignInRejected,
        Error::Missing(missing) => ProblemKind::Forbidden(missing.clone()),
        Error::ReauthRequired => ProblemKind::ReauthRequired,
        Error::NotFound => ProblemKind::NotFound,
        Error::StillActive => ElasticsearchFault::NotRevoked.into(),
        Error::InProgress => ProblemKind::InProgress,
        Error::AlreadyDone => ProblemKind::AlreadyDone,
        Error::ChangedMeanwhile => ProblemKind::ChangedMeanwhile,
        Error::KeysPerUser { max } => ProblemKind::KeysPerUser { max: *max },
        Error::OwnAccount => ProblemKind::OwnAccount,
        Error::ReservedUser => ProblemKind::ReservedUser,
        Error::OwnPassword(errors) => ProblemKind::OwnPassword(errors.clone()),
        Error::UsernameTaken => ProblemKind::NewUser(NewUserErrors {
            username_taken: true,
            ..NewUserErrors::default()
        }),
        Error::MappingNameTaken => ProblemKind::RoleMapping(RoleMappingErrors {
            name: Some(MappingNameError::Taken),
            ..RoleMappingErrors::default()
        }),
        Error::MappingNotEditable => ProblemKind::MappingNotEditable,
        Error::BadPeriod(error) => ProblemKind::AuditPeriod(*error),
        Error::CountNotConfirmed => ProblemKind::KeySelection(SelectionError::NotConfirmed),
        Error::BadListQuery | Error::OperationReused => ProblemKind::BadForm,
        Error::Unconfirmed(_) | Error::StillUnconfirmed | Error::GivenUp => {
            ProblemKind::Unconfirmed
        }
        Error::CacheNotCleared(_) => ElasticsearchFault::CacheNotCleared.into(),
        Error::Elasticsearch(error) => of_elasticsearch(error),
        Error::Store(_) => ProblemKind::Storage,
        Error::Seal(_) | Error::Random(_) | Error::TaskEnded => ProblemKind::Internal,
    }
}

fn of_elasticsearch(error: &elasticsearch::Error) -> ProblemKind {
    use ElasticsearchFault as Fault;
    use elasticsearch::Error;
    match error {
        Error::Unreachable => Fault::Unreachable.into(),
        Error::Tls => Fault::Tls.into(),
        Error::TimedOut => Fault::TimedOut.into(),
        // The answer broke off: for a question, that is no more than an answer that cannot be read.
        Error::Interrupted | Error::BadAnswer(_) => Fault::BadAnswer.into(),
        Error::Busy => Fault::Busy.into(),
        Error::Gateway(status) => Fault::Gateway(status.as_u16()).into(),
        Error::WrongProduct => Fault::WrongProduct.into(),
        Error::Fault { fault, .. } => (*fault).into(),
        Error::Unauthorized => ProblemKind::SignInEnded,
        // Elasticsearch refused what it had just allowed: which privilege went missing, it does not say.
        Error::Forbidden { .. } => ProblemKind::Forbidden(Vec::new()),
        Error::Invalid { .. } => ProblemKind::Refused,
        Error::NotFound => ProblemKind::NotFound,
    }
}

/// Returns true if the user can solve it. Such problems are logged as information, all others as errors.
pub fn is_expected(kind: &ProblemKind) -> bool {
    kind.status() < 500
}
