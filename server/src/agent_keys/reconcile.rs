//! Finding out what became of operations whose end nobody saw: the process ended in between, or Elasticsearch's
//! answer was lost.
//!
//! A key carries its operation in its metadata, so it is found whatever was lost. A key that is found this way has a
//! secret that nobody ever had: the secret leaves only after the key's creation is written down. It is revoked.

use super::{query, revoke};
use crate::{
    access::Permission,
    audit::{Action, Target},
    failure::Failure,
    services::{Person, Services},
    store::{Ending, OpenOperation, OperationState},
};
use app::model::{access::Reach, agent_key::KeyId, timestamp::DAY_MS};
use serde_json::json;
use std::time::Duration;

/// No operation that is still being carried out is older: the sum of its deadlines, and some more.
const UNDER_WAY_MS_MAX: i64 = 30_000;
/// A search may be slow to show a new key; after a day it is certain that there is none.
const SEARCH_MS_MAX: i64 = DAY_MS;
/// How many operations are looked into at once.
const OPERATIONS_MAX: i64 = 50;
/// When a lost answer's key is looked for. A search shows a new key after about a second.
const FOLLOW_UPS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_millis(1_500),
    Duration::from_secs(3),
];

/// Looks into what this person may see: their own operations, or everybody's. Never fails: what cannot be found out
/// now is found out later.
#[tracing::instrument(name = "agent_keys.operations.reconcile", skip_all)]
pub async fn reconcile(services: &Services, person: &Person) {
    if let Err(failure) = try_reconcile(services, person).await {
        let error: &dyn std::error::Error = &failure;
        tracing::warn!(error, "open operations could not be looked into");
    }
}

async fn try_reconcile(services: &Services, person: &Person) -> Result<(), Failure> {
    let before = services.clock.now().plus_ms(-UNDER_WAY_MS_MAX);
    let reach = person.actor(services).await?.access().list_reach;
    let owner = (reach == Reach::Own).then_some(&person.session().identity);
    let open = services
        .store
        .open_operations(owner, before, OPERATIONS_MAX)
        .await?;
    for operation in &open {
        look_into(services, person, operation).await?;
    }
    Ok(())
}

/// Looks for the key of a creation whose answer was lost, three times within five seconds.
pub(super) async fn follow_up(services: &Services, person: &Person, operation: &OpenOperation) {
    for pause in FOLLOW_UPS {
        tokio::time::sleep(pause).await;
        match look_into(services, person, operation).await {
            Ok(Found::End) => return,
            Ok(Found::Nothing) => {}
            Err(failure) => {
                let error: &dyn std::error::Error = &failure;
                tracing::info!(error, "a lost key could not be looked for");
            }
        }
    }
}

/// Whether the end of an operation was found.
enum Found {
    End,
    Nothing,
}

async fn look_into(
    services: &Services,
    person: &Person,
    operation: &OpenOperation,
) -> Result<Found, Failure> {
    match operation.action {
        Action::AgentKeyInvalidate => revocation(services, person, operation).await,
        _ => creation(services, person, operation).await,
    }
}

async fn creation(
    services: &Services,
    person: &Person,
    operation: &OpenOperation,
) -> Result<Found, Failure> {
    let mut found = person
        .elasticsearch()
        .query_api_keys(&query::by_operation(&operation.id))
        .await?;
    let owned = |key: &crate::elasticsearch::api_key::query::StoredKey| {
        key.username.as_deref() == Some(operation.username.as_str())
    };
    let Some(key) = found.api_keys.pop().filter(owned) else {
        let reason = "no key was found within a day";
        return give_up(services, person, operation, reason).await;
    };
    let target = Target {
        id: Some(key.id.clone()),
        name: key.name,
    };
    let ending = Ending {
        state: OperationState::NeverDelivered,
        target,
        details: json!({ "reason": "lost_before_us" }),
    };
    let action = Action::AgentKeyNeverDelivered;
    if settle(services, person, operation, action, ending).await?
        && !key.invalidated
        && let Some(id) = KeyId::parse(&key.id)
    {
        let reason = revoke::Reason::NeverDelivered;
        revoke::revoke(services, person, id, reason).await?;
    }
    Ok(Found::End)
}

async fn revocation(
    services: &Services,
    person: &Person,
    operation: &OpenOperation,
) -> Result<Found, Failure> {
    let id = operation.target.id.as_deref().and_then(KeyId::parse);
    let stored = match id {
        Some(id) => {
            let query = query::by_id(&id);
            let found = person.elasticsearch().query_api_keys(&query).await?;
            found.api_keys.into_iter().next()
        }
        None => None,
    };
    let (state, reason) = match stored {
        Some(key) if key.invalidated => (OperationState::Revoked, "found revoked afterwards"),
        Some(_) => (OperationState::Rejected, "the key still works"),
        None => {
            let reason = "the key was not found within a day";
            return give_up(services, person, operation, reason).await;
        }
    };
    let ending = Ending {
        state,
        target: operation.target.clone(),
        details: json!({ "reason": reason }),
    };
    let action = Action::AgentKeyInvalidate;
    settle(services, person, operation, action, ending).await?;
    Ok(Found::End)
}

/// Nothing was found. After long enough, that is an answer.
async fn give_up(
    services: &Services,
    person: &Person,
    operation: &OpenOperation,
    reason: &str,
) -> Result<Found, Failure> {
    if operation.began_at.plus_ms(SEARCH_MS_MAX) > services.clock.now() {
        return Ok(Found::Nothing);
    }
    let ending = Ending {
        state: OperationState::Rejected,
        target: operation.target.clone(),
        details: json!({ "reason": reason }),
    };
    settle(services, person, operation, operation.action, ending).await?;
    Ok(Found::End)
}

async fn settle(
    services: &Services,
    person: &Person,
    operation: &OpenOperation,
    action: Action,
    ending: Ending,
) -> Result<bool, Failure> {
    let grant = person.grant(services, Permission::ListAgentKeys).await?;
    let stamp = person.stamp(services);
    let settled = services
        .store
        .settle_operation(&grant, operation, action, ending, &stamp);
    Ok(settled.await?)
}
