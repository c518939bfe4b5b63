//! Changes of Elasticsearch, each between a durable intent and a durable outcome.
//!
//! The intent is in the database before Elasticsearch is called, and the outcome before the caller gets its answer. A
//! crash in between leaves an open operation. [`keys::reconcile`](crate::keys::reconcile) settles those of keys; those of
//! users and roles stay open in the audit log.

use crate::{
    access::{Grant, Permission},
    audit::{Action, Target},
    context::RequestContext,
    error::Error,
    store::{self, BeginResult, Intent, OperationOutcome, OperationOwner, OperationState},
};
use serde_json::{Value, json};

/// One call of Elasticsearch, with an operation for each target.
pub(crate) struct Plan {
    pub(crate) intents: Vec<Intent>,
    /// Details of an operation that fails, beside the error; no secrets.
    pub(crate) failure_details: Value,
    /// True if a success that another process has settled meanwhile must not be used.
    pub(crate) must_record: bool,
}

impl Plan {
    /// A plan with new operations.
    pub(crate) fn new(
        ctx: &RequestContext,
        action: Action,
        targets: Vec<Target>,
        details: Value,
    ) -> Result<Self, Error> {
        let state = &ctx.state;
        let intent = |target| {
            Ok(Intent {
                operation: state.new_identifier()?,
                action,
                target,
                fingerprint: None,
                details: details.clone(),
                replaces: None,
            })
        };
        Ok(Self {
            intents: targets
                .into_iter()
                .map(intent)
                .collect::<Result<_, Error>>()?,
            failure_details: details,
            must_record: false,
        })
    }
}

/// A successful change.
pub(crate) struct Changed<T> {
    pub(crate) value: T,
    /// Details for the audit event; no secrets.
    pub(crate) details: Value,
    /// Elasticsearch's id of the target, where it was not known before.
    pub(crate) id: Option<String>,
    /// State of the operation, where it is not the usual one of a success.
    pub(crate) state: Option<OperationState>,
}

impl<T> Changed<T> {
    pub(crate) fn new(value: T, details: Value) -> Self {
        Self {
            value,
            details,
            id: None,
            state: None,
        }
    }
}

/// Result of each target, in their order.
pub(crate) type Results<T> = Vec<Result<T, Error>>;

/// Reason why [`run`] returns no results.
pub(crate) enum RunError<T> {
    /// Nothing was sent.
    NotBegun(Error),
    /// Elasticsearch was called, and the outcome is not in the database. Without an error, another process has settled
    /// the operation meanwhile.
    NotRecorded {
        results: Results<T>,
        error: Option<store::Error>,
    },
}

impl<T, E: Into<Error>> From<E> for RunError<T> {
    fn from(error: E) -> Self {
        Self::NotBegun(error.into())
    }
}

impl<T> RunError<T> {
    /// Returns the error for the caller. It never says that nothing was changed when something was, or may have been.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::NotBegun(error) => error,
            Self::NotRecorded { error: None, .. } => Error::GivenUp,
            Self::NotRecorded {
                results,
                error: Some(error),
            } => {
                if results.iter().all(is_definitely_not_applied) {
                    return error.into();
                }
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the outcome of a change could not be recorded");
                Error::StillUnconfirmed
            }
        }
    }
}

/// Records the intents, all or none; calls Elasticsearch; records the outcomes. `call` returns a result for each
/// target, in their order.
pub(crate) async fn run<P: Permission, T, F>(
    ctx: &RequestContext,
    grant: &Grant<P>,
    plan: Plan,
    call: impl FnOnce() -> F,
) -> Result<Results<T>, RunError<T>>
where
    F: Future<Output = Results<Changed<T>>>,
{
    let store = &ctx.state.store;
    let begun = store
        .begin_operations(grant, &plan.intents, &ctx.event_context())
        .await?;
    match begun {
        BeginResult::Started => {}
        BeginResult::Duplicate(OperationState::Unknown | OperationState::NeverDelivered) => {
            return Err(Error::StillUnconfirmed.into());
        }
        BeginResult::Duplicate(OperationState::Intended | OperationState::Revoking) => {
            return Err(Error::InProgress.into());
        }
        BeginResult::Duplicate(_) => return Err(Error::AlreadyDone.into()),
        BeginResult::Conflict => return Err(Error::OperationReused.into()),
    }
    let results = call().await;
    let owner = OperationOwner::from(grant.identity());
    let outcomes: Vec<_> = plan
        .intents
        .into_iter()
        .zip(&results)
        .map(|(intent, result)| outcome(intent, &owner, &plan.failure_details, result))
        .collect();
    let recorded = store
        .finish_operations(grant, outcomes, &ctx.event_context())
        .await;
    let is_complete = |recorded: &[bool]| {
        !plan.must_record
            || recorded
                .iter()
                .zip(&results)
                .all(|(recorded, result)| *recorded || result.is_err())
    };
    let error = match recorded {
        Ok(recorded) if is_complete(&recorded) => None,
        Ok(_) => Some(None),
        Err(error) => Some(Some(error)),
    };
    let results = results
        .into_iter()
        .map(|result| result.map(|changed| changed.value))
        .collect();
    match error {
        None => Ok(results),
        Some(error) => Err(RunError::NotRecorded { results, error }),
    }
}

/// Runs [`run`] for one target, to its end even if the client disconnects.
pub(crate) async fn run_one<P, C, F>(
    ctx: &RequestContext,
    grant: Grant<P>,
    action: Action,
    target: Target,
    call: C,
) -> Result<(), Error>
where
    P: Permission + Send + Sync + 'static,
    C: FnOnce() -> F + Send + 'static,
    F: Future<Output = Result<Value, Error>> + Send,
{
    let plan = Plan::new(ctx, action, vec![target], json!({}))?;
    let call = async move || vec![call().await.map(|details| Changed::new((), details))];
    let task = {
        let ctx = ctx.clone();
        async move {
            let results = run(&ctx, &grant, plan, call).await;
            let mut results = results.map_err(RunError::into_error)?;
            results.pop().unwrap_or(Err(Error::TaskEnded))
        }
    };
    ctx.state.run_to_completion(task).await
}

/// Returns true if the change was certainly not made.
fn is_definitely_not_applied<T>(result: &Result<T, Error>) -> bool {
    match result {
        Ok(_)
        | Err(Error::Unconfirmed(_) | Error::CacheNotCleared(_) | Error::ChangedMeanwhile) => false,
        Err(_) => true,
    }
}

fn outcome<T>(
    intent: Intent,
    owner: &OperationOwner,
    failure_details: &Value,
    result: &Result<Changed<T>, Error>,
) -> OperationOutcome {
    let Intent {
        operation,
        action,
        mut target,
        ..
    } = intent;
    let (state, details) = match result {
        Ok(changed) => {
            if changed.id.is_some() {
                target.id.clone_from(&changed.id);
            }
            let usual = OperationState::success(action);
            (changed.state.unwrap_or(usual), changed.details.clone())
        }
        Err(error) => {
            let state = match error {
                Error::Unconfirmed(_) | Error::ChangedMeanwhile => OperationState::Unknown,
                Error::CacheNotCleared(_) => OperationState::UnknownInCache,
                _ => OperationState::Rejected,
            };
            // The reason of the request stays; without one, the error is the reason.
            let field = if failure_details["reason"].is_null() {
                "reason"
            } else {
                "failure"
            };
            let mut details = failure_details.clone();
            details[field] = error.to_string().into();
            (state, details)
        }
    };
    OperationOutcome {
        owner: owner.clone(),
        operation,
        action,
        state,
        target,
        details,
    }
}
