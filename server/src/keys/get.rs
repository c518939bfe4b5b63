//! Returns agent keys by their ids: one with its details, or several before they are revoked together.

use super::{
    delivery, es_query,
    from_es::{Ownership, agent_key, is_agent_key},
    rotations,
};
use crate::{
    access::ListAgentKeys,
    context::RequestContext,
    elasticsearch::{self, keys::StoredKey},
    error::Error,
};
use app::model::{
    agent_key::{AgentKey, FoundAgentKey, KeyId, KeyStatus},
    revocation::{CACHED_MS_MAX, FoundAgentKeys, KeySelection, is_many},
};
use serde_json::Value;
use std::collections::HashMap;

/// Returns the key of this id with its role descriptors.
#[tracing::instrument(name = "agent_keys.key.look_at", skip_all)]
pub async fn get(ctx: &RequestContext, id: &KeyId) -> Result<FoundAgentKey, Error> {
    let FoundKey {
        key,
        descriptors,
        rotated_from,
        ..
    } = find_stored(ctx, id).await?;
    let rotations = rotations::of_key(ctx, &key).await?;
    let access = ctx.permissions().await?.access();
    let is_active = matches!(key.status, KeyStatus::Active { .. });
    let rotatable = is_active && key.revocable && access.create.is_granted();
    let read_at = ctx.state.now();
    let cached_since = read_at.plus_ms(-CACHED_MS_MAX);
    let is_revoked = matches!(key.status, KeyStatus::Revoked { .. });
    let in_cache = is_revoked
        && ctx
            .state
            .store
            .is_revoked_in_cache(&key.id, cached_since)
            .await?;
    Ok(FoundAgentKey {
        key,
        descriptors: descriptors.map(|descriptors| format!("{descriptors:#}")),
        in_cache,
        notice: ctx.notice(),
        rotations,
        rotated_from,
        rotatable,
        read_at,
    })
}

/// Returns the key with this id, if the user may revoke it or it is revoked already. The error is the same for every
/// other id, unless Elasticsearch gave no answer about its owner.
#[tracing::instrument(name = "agent_keys.key.find", skip_all)]
pub async fn find_to_revoke(ctx: &RequestContext, id: &KeyId) -> Result<AgentKey, Error> {
    let FoundKey {
        key, unknown_owner, ..
    } = find_stored(ctx, id).await?;
    if key.revocable || matches!(key.status, KeyStatus::Revoked { .. }) {
        Ok(key)
    } else {
        Err(unknown_owner.map_or(Error::NotFound, Error::from))
    }
}

/// A key as Elasticsearch stores it.
struct FoundKey {
    key: AgentKey,
    descriptors: Option<Value>,
    /// The key that it replaces, by its metadata.
    rotated_from: Option<KeyId>,
    /// The error because of which the owner is unknown.
    unknown_owner: Option<elasticsearch::Error>,
}

async fn find_stored(ctx: &RequestContext, id: &KeyId) -> Result<FoundKey, Error> {
    ctx.grant::<ListAgentKeys>().await?;
    let access = ctx.permissions().await?.access();
    let mut found = ctx
        .elasticsearch()?
        .query_api_keys(&es_query::by_id(id))
        .await?;
    found.api_keys.retain(|key| key.id == id.as_str());
    let mut found = agent_keys_of(ctx, found.api_keys).await?;
    let stored = found.pop().ok_or(Error::NotFound)?;
    let descriptors = stored.role_descriptors.clone();
    let rotated_from = stored
        .metadata
        .pointer("/agent_keys/rotated_from")
        .and_then(Value::as_str)
        .and_then(KeyId::parse);
    let ownership = Ownership::of(ctx, access, std::slice::from_ref(&stored)).await?;
    let now = ctx.state.now();
    let mut key = agent_key(stored, &ownership, access, now)?;
    delivery::recall(ctx, std::slice::from_mut(&mut key), now).await?;
    let unknown_owner = ownership.failure(&key);
    Ok(FoundKey {
        key,
        descriptors,
        rotated_from,
        unknown_owner,
    })
}

/// Returns those that are agent keys: by what Elasticsearch stores of them, or because they were created here.
async fn agent_keys_of(
    ctx: &RequestContext,
    stored: Vec<StoredKey>,
) -> Result<Vec<StoredKey>, Error> {
    let (mut keys, others): (Vec<_>, Vec<_>) = stored.into_iter().partition(is_agent_key);
    let ids: Vec<_> = others
        .iter()
        .filter_map(|key| KeyId::parse(&key.id))
        .collect();
    let created = ctx.state.store.creations(&ids).await?;
    let was_created = |key: &StoredKey| created.iter().any(|creation| creation.key_id == key.id);
    keys.extend(others.into_iter().filter(was_created));
    Ok(keys)
}

/// Returns the chosen keys that are agent keys and that the user may see.
#[tracing::instrument(name = "agent_keys.keys.find", skip_all)]
pub async fn get_selection(
    ctx: &RequestContext,
    chosen: KeySelection,
) -> Result<FoundAgentKeys, Error> {
    let (mut keys, mut missing) = (Vec::new(), Vec::new());
    for (id, key) in get_many(ctx, &chosen).await?.0 {
        match key {
            Some(key) => keys.push(key),
            None => missing.push(id),
        }
    }
    let revocable = keys.iter().filter(|key| key.revocable).count();
    Ok(FoundAgentKeys {
        password_needed: is_many(revocable) && ctx.require_recent_password().is_err(),
        keys,
        missing,
        read_at: ctx.state.now(),
    })
}

/// Returns each chosen id with its key, in their order, and whose keys they are.
pub(super) async fn get_many<'a>(
    ctx: &'a RequestContext,
    chosen: &KeySelection,
) -> Result<(Vec<(KeyId, Option<AgentKey>)>, Ownership<'a>), Error> {
    ctx.grant::<ListAgentKeys>().await?;
    let access = ctx.permissions().await?.access();
    let now = ctx.state.now();
    let query = es_query::by_ids(chosen.ids());
    let found = ctx.elasticsearch()?.query_api_keys(&query).await?;
    let found = agent_keys_of(ctx, found.api_keys).await?;
    let ownership = Ownership::of(ctx, access, &found).await?;
    let mut keys = found
        .into_iter()
        .map(|stored| agent_key(stored, &ownership, access, now))
        .collect::<Result<Vec<_>, _>>()?;
    delivery::recall(ctx, &mut keys, now).await?;
    let with_id = |key: AgentKey| (key.id.clone(), key);
    let mut keys: HashMap<_, _> = keys.into_iter().map(with_id).collect();
    let with_key = |id: &KeyId| (id.clone(), keys.remove(id));
    Ok((chosen.ids().iter().map(with_key).collect(), ownership))
}
