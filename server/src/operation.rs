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
    let (services_, person) = (services.clone(), person.clone());
    let task = async move {
        let services = services_;
        let operation = services.random.identifier(&services.clock)?;
        let stamp = person.stamp(&services);
        let intent = Intent {
            operation: &operation,
            action,
            target: target.clone(),
            fingerprint: None,
            details: json!({}),
        };
        services
            .store
            .begin_operation(&grant, intent, &stamp)
            .await?;
        let result = change(person.clone()).await;
        let (state, details) = match &result {
            Ok(changed) => (OperationState::success(action), changed.details.clone()),
            Err(failure) => {
                let state = match failure {
                    Failure::Unconfirmed(_) | Failure::ChangedMeanwhile => OperationState::Unknown,
                    _ => OperationState::Rejected,
                };
                (state, json!({ "reason": failure.to_string() }))
            }
        };
        let ending = Ending {
            state,
            target,
            details,
        };
        let stamp = person.stamp(&services);
        services
            .store
            .end_operation(&grant, &operation, action, ending, &stamp)
            .await?;
        result.map(|changed| changed.value)
    };
    services.detached(task).await
}

/// What a change came to.
pub(crate) struct Changed<T> {
    /// For the caller.
    pub(crate) value: T,
    /// For the audit trail; no secrets.
    pub(crate) details: Value,
}

impl<T> Changed<T> {
    /// A change with nothing more to say about it.
    pub(crate) fn plain(value: T) -> Self {
        Self {
            value,
            details: json!({}),
        }
    }
}
