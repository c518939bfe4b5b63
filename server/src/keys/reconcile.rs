//! Settles operations without a known outcome: the process ended in between, or Elasticsearch's answer was lost.
//!
//! A key carries its operation in its metadata, so it is found whatever was lost. A key that is found this way has a
//! secret that was never delivered, because it leaves only after the creation is recorded. The key is revoked. Open
//! rotations go on as well.

use super::{
    es_query,
    revoke::{self, Reason},
    rotation_end,
};
use crate::{
    access::ListAgentKeys,
    audit::{Action, Outcome, Target},
    context::RequestContext,
    elasticsearch::keys::StoredKey,
    error::Error,
    store::{OpenOperation, OperationOutcome, OperationState},
};
use app::model::{agent_key::KeyId, session::KeyScope};
use serde_json::{Value, json};
use std::time::Duration;

/// No operation that is still being carried out is older: the sum of its deadlines, and some more.
const IN_FLIGHT_MAX: Duration = Duration::from_secs(30);
/// Age of an operation after which a key that is not found does not exist. A search shows a new key late.
const SEARCH_MAX: Duration = Duration::from_hours(24);
/// Operations of one round, with one search.
const OPERATIONS_MAX: i64 = 1_000;
/// Delays of the searches for the key of a lost answer. A search shows a new key after about a second.
const FOLLOW_UPS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_millis(1_500),
    Duration::from_secs(3),
];

/// Settles the open operations that the user may see: their own, or those of all users. An operation that cannot be
/// settled is logged, and the next round tries again.
#[tracing::instrument(name = "agent_keys.operations.reconcile", skip_all)]
pub async fn reconcile(ctx: &RequestContext) {
    match open_operations(ctx).await {
        Ok(open) => {
            settle_all(ctx, &open).await;
        }
        Err(failure) => report("open operations could not be read", &failure),
    }
    if let Err(failure) = revoke_again(ctx).await {
        report(
            "keys whose secret was lost could not be looked for",
            &failure,
        );
    }
    rotation_end::continue_open(ctx).await;
}

/// Revokes keys whose secret was lost and whose revocation failed before, or which the end of the process prevented.
async fn revoke_again(ctx: &RequestContext) -> Result<(), Error> {
    let since = ctx.state.now().minus(SEARCH_MAX);
    let reach = ctx.permissions().await?.access().list_scope;
    let owner = (reach == KeyScope::Own).then_some(&ctx.session()?.identity);
    let store = &ctx.state.store;
    let lost = store.unrevoked_creations(owner, since, OPERATIONS_MAX);
    let lost = lost.await?;
    let ids: Vec<_> = lost.iter().filter_map(key_id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    for key in search(ctx, es_query::by_ids(&ids)).await? {
        let made = lost.iter().find(|operation| is_made_by(&key, operation));
        if let Some(operation) = made
            && !key.invalidated
            && !is_recorded(ctx, operation).await?
        {
            revoke_lost(ctx, &key.id).await;
        }
    }
    Ok(())
}

async fn open_operations(ctx: &RequestContext) -> Result<Vec<OpenOperation>, Error> {
    let before = ctx.state.now().minus(IN_FLIGHT_MAX);
    let reach = ctx.permissions().await?.access().list_scope;
    let owner = (reach == KeyScope::Own).then_some(&ctx.session()?.identity);
    let store = &ctx.state.store;
    Ok(store.open_operations(owner, before, OPERATIONS_MAX).await?)
}

/// Looks for the key of a creation whose answer was lost, three times within five seconds.
pub(super) async fn follow_up(ctx: &RequestContext, operation: OpenOperation) {
    let operation = [operation];
    let stopping = ctx.state.elasticsearch.stopping();
    for pause in FOLLOW_UPS {
        let paused = stopping.run_until_cancelled(tokio::time::sleep(pause));
        // The next start looks for it.
        if paused.await.is_none() || settle_all(ctx, &operation).await > 0 {
            return;
        }
    }
}

/// Settles open operations, with one search for the keys of creations and one for those of revocations. Returns the
/// number of settled operations.
async fn settle_all(ctx: &RequestContext, open: &[OpenOperation]) -> usize {
    let (creations, revocations): (Vec<_>, Vec<_>) = open
        .iter()
        .partition(|operation| operation.action == Action::AgentKeyCreate);
    let mut settled = 0;
    let mut count = |result: Result<bool, Error>| match result {
        Ok(is_settled) => settled += usize::from(is_settled),
        Err(failure) => report("an open operation could not be settled", &failure),
    };
    if !creations.is_empty() {
        let ids = creations.iter().map(|operation| operation.id.as_str());
        match search(ctx, es_query::by_operations(ids.collect())).await {
            Ok(keys) => {
                for operation in creations {
                    let made = keys.iter().find(|key| is_made_by(key, operation));
                    count(creation(ctx, operation, made).await);
                }
            }
            Err(failure) => count(Err(failure)),
        }
    }
    if !revocations.is_empty() {
        let ids: Vec<_> = revocations
            .iter()
            .filter_map(|operation| key_id(operation))
            .collect();
        match search(ctx, es_query::by_ids(&ids)).await {
            Ok(keys) => {
                for operation in revocations {
                    let is_target =
                        |key: &&StoredKey| operation.target.id.as_ref() == Some(&key.id);
                    let key = keys.iter().find(is_target);
                    count(revocation(ctx, operation, key).await);
                }
            }
            Err(failure) => count(Err(failure)),
        }
    }
    settled
}

fn report(problem: &str, failure: &Error) {
    let error: &dyn std::error::Error = failure;
    tracing::warn!(error, "{problem}");
}

async fn search(ctx: &RequestContext, query: Value) -> Result<Vec<StoredKey>, Error> {
    Ok(ctx.elasticsearch()?.query_api_keys(&query).await?.api_keys)
}

/// Two people may have begun operations of one name.
fn is_made_by(key: &StoredKey, operation: &OpenOperation) -> bool {
    let by = key.metadata.pointer("/agent_keys/operation");
    by.and_then(Value::as_str) == Some(operation.id.as_str())
        && key.username.as_deref() == Some(operation.owner.username.as_str())
        && key.realm.as_deref() == Some(operation.owner.realm.as_str())
}

fn key_id(operation: &OpenOperation) -> Option<KeyId> {
    operation.target.id.as_deref().and_then(KeyId::parse)
}

/// Returns true if the creation is settled.
async fn creation(
    ctx: &RequestContext,
    operation: &OpenOperation,
    made: Option<&StoredKey>,
) -> Result<bool, Error> {
    let Some(key) = made else {
        let reason = "no key was found within a day";
        return give_up(ctx, operation, reason).await;
    };
    if is_recorded(ctx, operation).await? {
        tracing::error!(
            operation = operation.id,
            "the creation of a key is recorded in the audit log and open in the database: the database was edited, and \
             the key is not revoked"
        );
        return Ok(false);
    }
    let outcome = OperationOutcome {
        action: Action::AgentKeyNeverDelivered,
        target: Target {
            id: Some(key.id.clone()),
            name: key.name.clone(),
        },
        ..outcome(operation, OperationState::NeverDelivered, "lost_before_us")
    };
    let settled = settle(ctx, outcome).await?;
    if settled && !key.invalidated {
        revoke_lost(ctx, &key.id).await;
    }
    Ok(true)
}

/// Returns true if the audit log holds the success of a creation. Its secret has left, so the key is never revoked here.
async fn is_recorded(ctx: &RequestContext, operation: &OpenOperation) -> Result<bool, Error> {
    let events = ctx.state.store.audit_events_of(&[&operation.id]).await?;
    Ok(events.iter().any(|event| {
        event.action == Action::AgentKeyCreate.name()
            && event.outcome == Outcome::Success.name()
            && event.actor.as_ref() == Some(&operation.owner.username)
            && event.actor_realm.as_ref() == Some(&operation.owner.realm)
    }))
}

/// Revokes a key whose secret was lost. A key that cannot be revoked now is marked in the list, and the next round tries
/// again.
async fn revoke_lost(ctx: &RequestContext, id: &str) {
    let Some(id) = KeyId::parse(id) else { return };
    let reason = Reason::NeverDelivered;
    if let Err(failure) = revoke::revoke(ctx, id, reason).await {
        report("a key whose secret was lost could not be revoked", &failure);
    }
}

/// Returns true if the revocation is settled.
async fn revocation(
    ctx: &RequestContext,
    operation: &OpenOperation,
    key: Option<&StoredKey>,
) -> Result<bool, Error> {
    let (state, reason) = match key {
        Some(key) if key.invalidated && operation.in_cache => {
            (OperationState::RevokedInCache, "found revoked afterwards")
        }
        Some(key) if key.invalidated => (OperationState::Revoked, "found revoked afterwards"),
        // Elasticsearch may still be at it, and its search a moment behind.
        Some(_) if operation.began_at.plus(2 * IN_FLIGHT_MAX) > ctx.state.now() => {
            return Ok(false);
        }
        Some(_) => (OperationState::Rejected, "the key still works"),
        None => {
            let reason = "the key was not found within a day";
            return give_up(ctx, operation, reason).await;
        }
    };
    settle(ctx, outcome(operation, state, reason)).await?;
    Ok(true)
}

/// Nothing was found. After long enough, that is an answer.
async fn give_up(
    ctx: &RequestContext,
    operation: &OpenOperation,
    reason: &str,
) -> Result<bool, Error> {
    if operation.began_at.plus(SEARCH_MAX) > ctx.state.now() {
        return Ok(false);
    }
    settle(ctx, outcome(operation, OperationState::Rejected, reason)).await?;
    Ok(true)
}

fn outcome(operation: &OpenOperation, state: OperationState, reason: &str) -> OperationOutcome {
    OperationOutcome {
        owner: operation.owner.clone(),
        operation: operation.id.clone(),
        action: operation.action,
        state,
        target: operation.target.clone(),
        details: json!({ "reason": reason }),
    }
}

/// Returns false if the operation had ended meanwhile.
async fn settle(ctx: &RequestContext, outcome: OperationOutcome) -> Result<bool, Error> {
    let grant = ctx.grant::<ListAgentKeys>().await?;
    let store = &ctx.state.store;
    let event_context = ctx.event_context();
    Ok(store
        .settle_operation(&grant, outcome, &event_context)
        .await?)
}
