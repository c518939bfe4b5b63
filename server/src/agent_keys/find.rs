//! One agent key.

use super::{
    delivery,
    ownership::Ownership,
    query,
    read::{agent_key, is_agent_key},
};
use crate::{access::Permission, context::RequestContext, error::Error};
use app::model::{
    agent_key::{AgentKey, FoundAgentKey, KeyId, KeyStatus},
    revocation::CACHED_MS_MAX,
};
use serde_json::Value;

/// Returns the key of this id with its role descriptors.
#[tracing::instrument(name = "agent_keys.key.look_at", skip_all)]
pub async fn get(ctx: &RequestContext, id: &KeyId) -> Result<FoundAgentKey, Error> {
    let (key, descriptors) = find_stored(ctx, id).await?;
    let read_at = ctx.state.clock.now();
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
        read_at,
    })
}

/// The key of this id, if it is an agent key and this ctx may see it. Every other id is answered alike.
#[tracing::instrument(name = "agent_keys.key.find", skip_all)]
pub async fn find(ctx: &RequestContext, id: &KeyId) -> Result<AgentKey, Error> {
    Ok(find_stored(ctx, id).await?.0)
}

/// The key, and its role descriptors.
async fn find_stored(ctx: &RequestContext, id: &KeyId) -> Result<(AgentKey, Option<Value>), Error> {
    ctx.grant(Permission::ListAgentKeys).await?;
    let access = ctx.permissions().await?.access();
    let mut found = ctx
        .elasticsearch()?
        .query_api_keys(&query::by_id(id))
        .await?;
    let stored = found.api_keys.pop();
    let stored = stored.filter(|key| key.id == id.as_str() && is_agent_key(key));
    let stored = stored.ok_or(Error::NotFound)?;
    let descriptors = stored.role_descriptors.clone();
    let ownership = Ownership::of(ctx, access, std::slice::from_ref(&stored)).await?;
    let now = ctx.state.clock.now();
    let mut key = agent_key(stored, &ownership, access, now)?;
    delivery::recall(ctx, std::slice::from_mut(&mut key), now).await?;
    Ok((key, descriptors))
}
