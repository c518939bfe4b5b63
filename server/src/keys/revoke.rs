//! Revokes agent keys: one operation for each, one call of Elasticsearch for all.

use super::{es_query, get};
use crate::{
    access::{Grant, RevokeAgentKey},
    audit::{Action, Target},
    context::RequestContext,
    elasticsearch::{
        self, Connection,
        keys::{Invalidated, StoredKey},
    },
    error::Error,
    ledger::{self, Changed, Plan, RunError},
    store::OperationState,
};
use app::model::{
    agent_key::{AgentKey, KeyId, KeySource, KeyStatus, RevokedAgentKey},
    problem::ElasticsearchFault,
    session::KeyScope,
};
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// Revokes a key. Revoking a revoked key succeeds: the caller wanted that state.
///
/// A key that is no agent key, that the user may not see, or that is outside their scope, is answered as not found.
#[tracing::instrument(name = "agent_keys.key.revoke", skip_all)]
pub async fn revoke(
    ctx: &RequestContext,
    id: KeyId,
    reason: Reason,
) -> Result<RevokedAgentKey, Error> {
    let grant = ctx.grant::<RevokeAgentKey>().await?;
    let key = get::find_to_revoke(ctx, &id).await?;
    if matches!(key.status, KeyStatus::Revoked { .. }) {
        return Ok(revoked(key, RevokeResult::AlreadyRevoked));
    }
    let keys = [key];
    let mut results = revoke_and_record(ctx, grant, &keys, reason).await?;
    let result = results.pop().unwrap_or(Err(Error::TaskEnded))?;
    let [key] = keys;
    Ok(revoked(key, result))
}

fn revoked(key: AgentKey, result: RevokeResult) -> RevokedAgentKey {
    RevokedAgentKey {
        id: key.id,
        name: key.name,
        already: result == RevokeResult::AlreadyRevoked,
        in_cache: result == RevokeResult::RevokedInCache,
    }
}

/// Reason of a revocation, as it stands in the audit event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A user chose this key.
    Asked,
    /// A user chose several keys at once.
    Bulk,
    /// The secret was never delivered.
    NeverDelivered,
    /// Another key has replaced this one.
    Rotated,
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Self::Asked => "user",
            Self::Bulk => "bulk",
            Self::NeverDelivered => "never_delivered_auto",
            Self::Rotated => "rotation",
        }
    }
}

/// Result for one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RevokeResult {
    Revoked,
    /// Revoked, and Elasticsearch could not remove the key from the cache of every node.
    RevokedInCache,
    /// Revoked before, by another request.
    AlreadyRevoked,
}

/// Revokes these keys, and returns the result of each in their order.
pub(super) async fn revoke_and_record(
    ctx: &RequestContext,
    grant: Grant<RevokeAgentKey>,
    keys: &[AgentKey],
    reason: Reason,
) -> Result<Vec<Result<RevokeResult, Error>>, Error> {
    let reach = ctx.permissions().await?.access().revoke_scope;
    let target = |key: &AgentKey| Target {
        id: Some(key.id.as_str().to_owned()),
        name: Some(key.name.clone()),
    };
    let targets = keys.iter().map(target).collect();
    let details = json!({ "reason": reason.word() });
    let plan = Plan::new(ctx, Action::AgentKeyInvalidate, targets, details)?;
    let ids: Vec<KeyId> = keys.iter().map(|key| key.id.clone()).collect();
    let connection = ctx.elasticsearch()?.clone();
    let call = async move || {
        let changed = |result| Changed {
            state: (result == RevokeResult::RevokedInCache)
                .then_some(OperationState::RevokedInCache),
            ..Changed::new(
                result,
                json!({ "already": result == RevokeResult::AlreadyRevoked, "reason": reason.word() }),
            )
        };
        let results = call(&connection, &ids, reach).await;
        results
            .into_iter()
            .map(|result| result.map(changed))
            .collect()
    };
    let any_made_elsewhere = keys.iter().any(|key| {
        matches!(
            key.source,
            KeySource::Elsewhere | KeySource::ChangedElsewhere
        )
    });
    let task = {
        let ctx = ctx.clone();
        async move {
            let results = ledger::run(&ctx, &grant, plan, call).await;
            if any_made_elsewhere {
                ctx.state.made_elsewhere.clear();
            }
            results.map_err(RunError::into_error)
        }
    };
    ctx.state.run_to_completion(task).await
}

async fn call(
    connection: &Connection,
    ids: &[KeyId],
    reach: KeyScope,
) -> Vec<Result<RevokeResult, Error>> {
    let refs: Vec<&KeyId> = ids.iter().collect();
    let only_own = reach == KeyScope::Own;
    let answer = connection.invalidate_api_keys(&refs, only_own).await;
    let answer = match answer {
        Ok(answer) => answer,
        // Elasticsearch sends this after it has revoked the keys. The state of each is looked up all the same.
        Err(elasticsearch::Error::Fault {
            fault: ElasticsearchFault::CacheNotCleared,
            reason,
            ..
        }) => {
            tracing::warn!(
                reason,
                "keys were revoked, and the key caches must be cleared by hand"
            );
            return revoked_in_cache(connection, ids).await;
        }
        Err(error) => return every(ids, || Error::of_write(error.clone())),
    };
    let now: HashSet<&str> = texts(&answer.invalidated_api_keys);
    let before: HashSet<&str> = texts(&answer.previously_invalidated_api_keys);
    let listed = |id: &KeyId| {
        if now.contains(id.as_str()) {
            Some(RevokeResult::Revoked)
        } else {
            before
                .contains(id.as_str())
                .then_some(RevokeResult::AlreadyRevoked)
        }
    };
    // Elasticsearch skips keys that are already revoked and keys that it does not find, and its errors name no ids. So
    // the keys are read again.
    let unlisted: Vec<KeyId> = ids
        .iter()
        .filter(|id| listed(id).is_none())
        .cloned()
        .collect();
    let seen = fetch_status(connection, &unlisted).await;
    let results: Vec<_> = ids
        .iter()
        .map(|id| match (listed(id), &seen) {
            (Some(revoked), _) => Ok(revoked),
            (None, Ok(seen)) => match seen.get(id.as_str()) {
                Some(KeyState::Revoked(_)) => Ok(RevokeResult::AlreadyRevoked),
                Some(KeyState::Active) => Err(Error::StillActive),
                None => Err(Error::NotFound),
            },
            (None, Err(error)) => Err(Error::Unconfirmed(error.clone())),
        })
        .collect();
    report_contradictions(ids, &answer, &results);
    results
}

async fn revoked_in_cache(
    connection: &Connection,
    ids: &[KeyId],
) -> Vec<Result<RevokeResult, Error>> {
    match fetch_status(connection, ids).await {
        Ok(seen) => {
            // Keys that one question revokes are revoked at one moment. Those of an earlier one were before it.
            let moment = |state: &KeyState| match state {
                KeyState::Revoked(at) => *at,
                KeyState::Active => None,
            };
            let last = seen.values().filter_map(moment).max();
            ids.iter()
                .map(|id| match seen.get(id.as_str()) {
                    Some(KeyState::Revoked(at)) if at.is_some() && *at < last => {
                        Ok(RevokeResult::AlreadyRevoked)
                    }
                    Some(KeyState::Revoked(_)) => Ok(RevokeResult::RevokedInCache),
                    Some(KeyState::Active) => Err(Error::StillActive),
                    None => Err(Error::NotFound),
                })
                .collect()
        }
        Err(error) => every(ids, || Error::CacheNotCleared(error.clone())),
    }
}

fn every(ids: &[KeyId], failure: impl Fn() -> Error) -> Vec<Result<RevokeResult, Error>> {
    ids.iter().map(|_| Err(failure())).collect()
}

fn texts(ids: &[String]) -> HashSet<&str> {
    ids.iter().map(String::as_str).collect()
}

/// State of a key in Elasticsearch.
enum KeyState {
    Active,
    /// When, in milliseconds since 1970. Elasticsearch before 8.12 does not tell.
    Revoked(Option<i64>),
}

/// Returns the state of each key that is found.
async fn fetch_status(
    connection: &Connection,
    ids: &[KeyId],
) -> Result<HashMap<String, KeyState>, crate::elasticsearch::Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let query = es_query::by_ids(ids);
    let found = connection.query_api_keys(&query).await?;
    let state = |key: StoredKey| {
        let state = if key.invalidated {
            KeyState::Revoked(key.invalidation)
        } else {
            KeyState::Active
        };
        (key.id, state)
    };
    Ok(found.api_keys.into_iter().map(state).collect())
}

/// Logs contradictions in Elasticsearch's answer. The results hold only what is certain.
fn report_contradictions(
    ids: &[KeyId],
    answer: &Invalidated,
    results: &[Result<RevokeResult, Error>],
) {
    let asked: HashSet<&str> = ids.iter().map(KeyId::as_str).collect();
    let never_asked = answer
        .invalidated_api_keys
        .iter()
        .chain(&answer.previously_invalidated_api_keys)
        .filter(|id| !asked.contains(id.as_str()))
        .count();
    let count = |is: fn(&Error) -> bool| {
        let failures = results.iter().filter_map(|result| result.as_ref().err());
        failures.filter(|failure| is(failure)).count()
    };
    let still_active = count(|failure| matches!(failure, Error::StillActive));
    let not_seen = count(|failure| matches!(failure, Error::Unconfirmed(_)));
    let errors = answer.error_details.len();
    let agrees = answer.error_count == errors as u64 && (errors == still_active || not_seen > 0);
    if never_asked > 0 || !agrees {
        tracing::warn!(
            asked = ids.len(),
            never_asked,
            still_active,
            error_count = answer.error_count,
            error_details = errors,
            "Elasticsearch's answer about revoked keys does not add up"
        );
    }
    if let Some(kind) = answer
        .error_details
        .iter()
        .find_map(|error| error["type"].as_str())
    {
        tracing::warn!(
            errors,
            kind,
            "Elasticsearch could not revoke some of the keys"
        );
    }
}
