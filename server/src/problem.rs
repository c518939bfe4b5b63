//! From the errors below to what the browser may know. The matches are exhaustive: whoever adds an error decides
//! here what it means to a person.

use crate::{elasticsearch::Error, failure::Failure};
use app::model::{
    problem::{ElasticsearchFault, ProblemKind},
    user::NewUserErrors,
};

/// What the browser learns of a failure.
pub fn problem_kind(failure: &Failure) -> ProblemKind {
    match failure {
        Failure::SignedOut => ProblemKind::SignedOut,
        Failure::SessionEnded(end) => ProblemKind::SessionEnded(*end),
        Failure::SignInRejected => ProblemKind::SignInRejected,
        Failure::Missing(missing) => ProblemKind::Forbidden(missing.clone()),
        Failure::ReauthRequired => ProblemKind::ReauthRequired,
        Failure::NotFound => ProblemKind::NotFound,
        Failure::StillActive => ElasticsearchFault::BadAnswer.into(),
        Failure::AlreadyDone => ProblemKind::AlreadyDone,
        Failure::ChangedMeanwhile => ProblemKind::ChangedMeanwhile,
        Failure::OwnAccount => ProblemKind::OwnAccount,
        Failure::ReservedUser => ProblemKind::ReservedUser,
        Failure::UsernameTaken => ProblemKind::NewUser(NewUserErrors {
            username_taken: true,
            ..NewUserErrors::default()
        }),
        Failure::BadPeriod(error) => ProblemKind::AuditPeriod(*error),
        Failure::BadCursor | Failure::OperationReused => ProblemKind::BadForm,
        Failure::Unconfirmed(_) | Failure::StillUnconfirmed | Failure::GivenUp => {
            ProblemKind::Unconfirmed
        }
        Failure::CacheNotCleared(_) => ElasticsearchFault::CacheNotCleared.into(),
        Failure::Elasticsearch(error) => of_elasticsearch(error),
        Failure::Store(_) => ProblemKind::Storage,
        Failure::Seal(_) | Failure::Random(_) | Failure::TaskEnded => ProblemKind::Internal,
    }
}

fn of_elasticsearch(error: &Error) -> ProblemKind {
    use ElasticsearchFault as Fault;
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

/// Whether a failure is the person's to solve. Those are expected, and logged quietly; the others wake somebody.
pub fn is_expected(kind: &ProblemKind) -> bool {
    kind.status() < 500
}
