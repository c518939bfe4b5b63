//! Finding out what became of operations whose end nobody saw: the process ended in between, or Elasticsearch's
//! answer was lost.
//!
//! A key carries its operation in its metadata, so it is found whatever was lost. A key that is found this way has a
//! secret that nobody ever had: the secret leaves only after the key's creation is written down. It is revoked.

use super::{query, revocation::Reason, revoke};
use crate::{
    access::Permission,
    audit::{Action, Target},
    elasticsearch::keys::StoredKey,
    failure::Failure,
    services::{Person, Services},
    store::{Ending, OpenOperation, OperationState},
};
use app::model::{agent_key::KeyId, timestamp::DAY_MS, viewer::KeyScope};
use serde_json::{Value, json};
use std::time::Duration;

/// No operation that is still being carried out is older: the sum of its deadlines, and some more.
const UNDER_WAY_MS_MAX: i64 = 30_000;
/// A search may be slow to show a new key; after a day it is certain that there is none.
const SEARCH_MS_MAX: i64 = DAY_MS;
/// How many operations are looked into at once, with one search.
const OPERATIONS_MAX: i64 = 1_000;
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
    let reach = person.actor(services).await?.access().list_scope;
    let owner = (reach == KeyScope::Own).then_some(&person.session().identity);
    let open = services
        .store
        .open_operations(owner, before, OPERATIONS_MAX)
        .await?;
    look_into(services, person, &open).await?;
    Ok(())
}

/// Looks for the key of a creation whose answer was lost, three times within five seconds.
pub(super) async fn follow_up(services: &Services, person: &Person, operation: OpenOperation) {
    let operation = [operation];
    for pause in FOLLOW_UPS {
        tokio::time::sleep(pause).await;
        match look_into(services, person, &operation).await {
            Ok(0) => {}
            Ok(_) => return,
            Err(failure) => {
                let error: &dyn std::error::Error = &failure;
                tracing::info!(error, "a lost key could not be looked for");
            }
        }
    }
}

/// Looks into operations with one search for the keys that were to be made, and one for those that were to be
/// revoked. How many have found their end.
async fn look_into(
    services: &Services,
    person: &Person,
    open: &[OpenOperation],
) -> Result<usize, Failure> {
    let (creations, revocations): (Vec<_>, Vec<_>) = open
        .iter()
        .partition(|operation| operation.action == Action::AgentKeyCreate);
    let mut ended = 0;
    if !creations.is_empty() {
        let ids = creations.iter().map(|operation| operation.id.as_str());
        let keys = search(person, query::by_operations(ids.collect())).await?;
        for operation in creations {
            let made = keys.iter().find(|key| is_made_by(key, operation));
            ended += usize::from(creation(services, person, operation, made).await?);
        }
    }
    if !revocations.is_empty() {
        let ids = revocations.iter().filter_map(|operation| key_id(operation));
        let ids: Vec<_> = ids.collect();
        let keys = search(person, query::by_ids(&ids)).await?;
        for operation in revocations {
            let key = keys
                .iter()
                .find(|key| operation.target.id.as_ref() == Some(&key.id));
            ended += usize::from(revocation(services, person, operation, key).await?);
        }
    }
    Ok(ended)
}

async fn search(person: &Person, query: Value) -> Result<Vec<StoredKey>, Failure> {
    Ok(person
        .elasticsearch()
        .query_api_keys(&query)
        .await?
        .api_keys)
}

/// Two people may have begun operations of one name.
fn is_made_by(key: &StoredKey, operation: &OpenOperation) -> bool {
    let by = key.metadata.pointer("/agent_keys/operation");
    by.and_then(Value::as_str) == Some(operation.id.as_str())
        && key.username.as_deref() == Some(operation.username.as_str())
        && key.realm.as_deref() == Some(operation.realm.as_str())
}

fn key_id(operation: &OpenOperation) -> Option<KeyId> {
    operation.target.id.as_deref().and_then(KeyId::parse)
}

/// Whether the creation has found its end.
async fn creation(
    services: &Services,
    person: &Person,
    operation: &OpenOperation,
    made: Option<&StoredKey>,
) -> Result<bool, Failure> {
    let Some(key) = made else {
        let reason = "no key was found within a day";
        return give_up(services, person, operation, reason).await;
    };
    let ending = Ending {
        state: OperationState::NeverDelivered,
        target: Target {
            id: Some(key.id.clone()),
            name: key.name.clone(),
        },
        details: json!({ "reason": "lost_before_us" }),
    };
    let action = Action::AgentKeyNeverDelivered;
    let settled = settle(services, person, operation, action, ending).await?;
    if settled && !key.invalidated {
        revoke_lost(services, person, &key.id).await;
    }
    Ok(true)
}

/// Nobody has the secret of this key. One that cannot be revoked now is marked in the list, for somebody to do it.
async fn revoke_lost(services: &Services, person: &Person, id: &str) {
    let Some(id) = KeyId::parse(id) else { return };
    let reason = Reason::NeverDelivered;
    if let Err(failure) = revoke::revoke(services, person, id, reason).await {
        let error: &dyn std::error::Error = &failure;
        tracing::warn!(
            error,
            "a key that nobody has the secret of could not be revoked"
        );
    }
}

/// Whether the revocation has found its end.
async fn revocation(
    services: &Services,
    person: &Person,
    operation: &OpenOperation,
    key: Option<&StoredKey>,
) -> Result<bool, Failure> {
    let (state, reason) = match key {
        Some(key) if key.invalidated && operation.in_cache => {
            (OperationState::RevokedInCache, "found revoked afterwards")
        }
        Some(key) if key.invalidated => (OperationState::Revoked, "found revoked afterwards"),
        // Elasticsearch may still be at it, and its search a moment behind.
        Some(_) if operation.began_at.plus_ms(2 * UNDER_WAY_MS_MAX) > services.clock.now() => {
            return Ok(false);
        }
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
    Ok(true)
}

/// Nothing was found. After long enough, that is an answer.
async fn give_up(
    services: &Services,
    person: &Person,
    operation: &OpenOperation,
    reason: &str,
) -> Result<bool, Failure> {
    if operation.began_at.plus_ms(SEARCH_MS_MAX) > services.clock.now() {
        return Ok(false);
    }
    let ending = Ending {
        state: OperationState::Rejected,
        target: operation.target.clone(),
        details: json!({ "reason": reason }),
    };
    settle(services, person, operation, operation.action, ending).await?;
    Ok(true)
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
