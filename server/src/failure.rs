//! Why a use case did not do what was asked: the error of that layer.

use crate::{elasticsearch, random::RandomError, sessions::SealError, store};
use app::model::{audit_query::PeriodError, session::SessionEnd, viewer::MissingPrivilege};

/// A refusal or a fault. `problem.rs` decides what the browser learns of it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody is signed in.
    #[error("nobody is signed in")]
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
    /// There is no such thing, or not for this person.
    #[error("there is no such thing")]
    NotFound,
    /// Elasticsearch was asked to revoke a key, answered, and did not revoke it.
    #[error("Elasticsearch did not revoke the key")]
    StillActive,
    /// This very operation was begun before.
    #[error("this operation was begun before")]
    AlreadyDone,
    /// This very operation was begun before, and asked for something else.
    #[error("this operation was begun before, with another request")]
    OperationReused,
    /// A key was made, and its operation had been given up meanwhile: its secret must not be shown.
    #[error("the key was made after its operation had been given up")]
    GivenUp,
    /// Somebody changed the thing meanwhile.
    #[error("somebody changed it meanwhile")]
    ChangedMeanwhile,
    /// A person may not do this to their own account.
    #[error("a person may not do this to their own account")]
    OwnAccount,
    /// Elasticsearch keeps this user for itself.
    #[error("Elasticsearch keeps this user for itself")]
    ReservedUser,
    /// There is a user of this name.
    #[error("there is a user of this name")]
    UsernameTaken,
    /// The days asked for are no period.
    #[error("the days asked for are no period")]
    BadPeriod(PeriodError),
    /// A page's cursor that we did not make.
    #[error("the cursor is not one of ours")]
    BadCursor,
    /// A change was sent, and nobody knows whether it was made.
    #[error("it is not known whether the change was made")]
    Unconfirmed(#[source] elasticsearch::Error),
    /// The same change was sent before, and nobody knows whether it was made.
    #[error("it is still not known whether the change was made")]
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
    #[error("the task that carried out the change ended early")]
    TaskEnded,
}

impl Failure {
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
        use elasticsearch::Error::{TimedOut, Unreachable};
        matches!(self, Self::Elasticsearch(Unreachable | TimedOut))
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
