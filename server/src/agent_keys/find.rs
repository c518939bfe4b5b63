//! One agent key.

use super::{
    delivery,
    ownership::Ownership,
    query,
    read::{agent_key, is_agent_key},
};
use crate::{
    access::Permission,
    failure::Failure,
    services::{Person, Services},
};
use app::model::{
    agent_key::{AgentKey, FoundAgentKey, KeyId, KeyStatus},
    revocation::CACHED_MS_MAX,
};
use serde_json::Value;

/// Returns the key of this id with its role descriptors.
#[tracing::instrument(name = "agent_keys.key.look_at", skip_all)]
pub async fn look_at(
    services: &Services,
    person: &Person,
    id: &KeyId,
) -> Result<FoundAgentKey, Failure> {
    let (key, descriptors) = find_stored(services, person, id).await?;
    let read_at = services.clock.now();
    let cached_since = read_at.plus_ms(-CACHED_MS_MAX);
    let is_revoked = matches!(key.status, KeyStatus::Revoked { .. });
    let in_cache = is_revoked
        && services
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

/// The key of this id, if it is an agent key and this person may see it. Every other id is answered alike.
#[tracing::instrument(name = "agent_keys.key.find", skip_all)]
pub async fn find(services: &Services, person: &Person, id: &KeyId) -> Result<AgentKey, Failure> {
    Ok(find_stored(services, person, id).await?.0)
}

/// The key, and its role descriptors.
async fn find_stored(
    services: &Services,
    person: &Person,
    id: &KeyId,
) -> Result<(AgentKey, Option<Value>), Failure> {
    person.grant(services, Permission::ListAgentKeys).await?;
    let access = person.actor(services).await?.access();
    let mut found = person
        .elasticsearch()
        .query_api_keys(&query::by_id(id))
        .await?;
    let stored = found.api_keys.pop();
    let stored = stored.filter(|key| key.id == id.as_str() && is_agent_key(key));
    let stored = stored.ok_or(Failure::NotFound)?;
    let descriptors = stored.role_descriptors.clone();
    let ownership = Ownership::of(person, access, std::slice::from_ref(&stored)).await?;
    let now = services.clock.now();
    let mut key = agent_key(stored, &ownership, access, now)?;
    delivery::recall(services, person, std::slice::from_mut(&mut key), now).await?;
    Ok((key, descriptors))
}
