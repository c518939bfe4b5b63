//! A change of Elasticsearch that is written down before and after, for everything but new keys, whose operation
//! comes with the form.

use crate::{
    access::Grant,
    audit::{Action, Target},
    failure::Failure,
    services::{Person, Services},
    store::{Ending, Intent, OperationState},
};
use serde_json::{Value, json};

/// Carries out `change` to its end, whether or not anybody still waits for it, between a durable intent and a
/// durable outcome.
pub(crate) async fn carry_out<T, C, F>(
    services: &Services,
    person: &Person,
    grant: Grant,
    action: Action,
    target: Target,
    change: C,
) -> Result<T, Failure>
where
    T: Send + 'static,
    C: FnOnce(Person) -> F + Send + 'static,
    F: Future<Output = Result<Changed<T>, Failure>> + Send,
{
    let one = Targets {
        targets: vec![target],
        details: json!({}),
    };
    let change = async move |person| vec![change(person).await];
    let mut results = carry_out_each(services, person, grant, action, one, change).await?;
    results.pop().unwrap_or(Err(Failure::TaskEnded))
}

/// The same for many targets at once: an operation, an intent and an outcome for each of them. `change` answers for
/// each, in their order.
pub(crate) async fn carry_out_each<T, C, F>(
    services: &Services,
    person: &Person,
    grant: Grant,
    action: Action,
    Targets { targets, details }: Targets,
    change: C,
) -> Result<Vec<Result<T, Failure>>, Failure>
where
    T: Send + 'static,
    C: FnOnce(Person) -> F + Send + 'static,
    F: Future<Output = Vec<Result<Changed<T>, Failure>>> + Send,
{
    let (services_, person) = (services.clone(), person.clone());
    let task = async move {
        let services = services_;
        let identifier = |_: &Target| services.random.identifier(&services.clock);
        let operations = targets
            .iter()
            .map(identifier)
            .collect::<Result<Vec<_>, _>>()?;
        let mut intents = Vec::with_capacity(targets.len());
        for (operation, target) in operations.iter().zip(&targets) {
            intents.push(Intent {
                operation,
                action,
                target: target.clone(),
                fingerprint: None,
                details: details.clone(),
            });
        }
        let stamp = person.stamp(&services);
        services
            .store
            .begin_operations(&grant, intents, &stamp)
            .await?;
        let results = change(person.clone()).await;
        let endings = operations
            .into_iter()
            .zip(targets)
            .zip(&results)
            .map(|((operation, target), result)| {
                let ending = ending(action, target, &details, result);
                (operation, ending)
            })
            .collect();
        let stamp = person.stamp(&services);
        let written = services
            .store
            .end_operations(&grant, action, endings, &stamp)
            .await;
        if let Err(error) = written {
            // Nobody may be told that nothing was changed when something was, or may have been.
            if results.iter().all(certainly_nothing) {
                return Err(error.into());
            }
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "what became of a change could not be written down");
            return Err(Failure::StillUnconfirmed);
        }
        let value = |result: Result<Changed<T>, Failure>| result.map(|changed| changed.value);
        Ok(results.into_iter().map(value).collect())
    };
    services.detached(task).await
}

/// Whether a change certainly did nothing.
fn certainly_nothing<T>(result: &Result<T, Failure>) -> bool {
    match result {
        Ok(_)
        | Err(Failure::Unconfirmed(_) | Failure::CacheNotCleared(_) | Failure::ChangedMeanwhile) => {
            false
        }
        Err(_) => true,
    }
}

fn ending<T>(
    action: Action,
    target: Target,
    known: &Value,
    result: &Result<Changed<T>, Failure>,
) -> Ending {
    let (state, details) = match result {
        Ok(changed) => {
            let usual = OperationState::success(action);
            (changed.state.unwrap_or(usual), changed.details.clone())
        }
        Err(failure) => {
            let state = match failure {
                Failure::Unconfirmed(_) | Failure::ChangedMeanwhile => OperationState::Unknown,
                Failure::CacheNotCleared(_) => OperationState::UnknownInCache,
                _ => OperationState::Rejected,
            };
            // Why it was asked for stays; where that is not told, the failure is the reason.
            let place = if known["reason"].is_null() {
                "reason"
            } else {
                "failure"
            };
            let mut details = known.clone();
            details[place] = failure.to_string().into();
            (state, details)
        }
    };
    Ending {
        state,
        target,
        details,
    }
}

/// What a change is done to.
pub(crate) struct Targets {
    /// Each of them.
    pub(crate) targets: Vec<Target>,
    /// What is known of the change beforehand, for the audit trail; no secrets.
    pub(crate) details: Value,
}

/// What a change came to.
pub(crate) struct Changed<T> {
    /// For the caller.
    pub(crate) value: T,
    /// For the audit trail; no secrets.
    pub(crate) details: Value,
    /// The state of the operation, where it is not the usual one of a success.
    pub(crate) state: Option<OperationState>,
}

impl<T> Changed<T> {
    /// A change with nothing more to say about it.
    pub(crate) fn plain(value: T) -> Self {
        Self::with_details(value, json!({}))
    }

    /// A change with something for the audit trail.
    pub(crate) fn with_details(value: T, details: Value) -> Self {
        Self {
            value,
            details,
            state: None,
        }
    }
}
