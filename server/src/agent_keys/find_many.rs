//! Several agent keys, before they are revoked together.

use super::{
    ownership::Ownership,
    query,
    read::{agent_key, is_agent_key},
};
use crate::{access::Permission, context::RequestContext, error::Error};
use app::model::{
    agent_key::{AgentKey, KeyId},
    revocation::{FoundAgentKeys, KeySelection, is_many},
};
use std::collections::HashMap;

/// The chosen keys, as far as they are agent keys that this ctx may see.
#[tracing::instrument(name = "agent_keys.keys.find", skip_all)]
pub async fn find_many(
    ctx: &RequestContext,
    chosen: KeySelection,
) -> Result<FoundAgentKeys, Error> {
    let (mut keys, mut missing) = (Vec::new(), Vec::new());
    for (id, key) in look_up(ctx, &chosen).await? {
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
        read_at: ctx.state.clock.now(),
    })
}

/// Each chosen id with its key, in their order.
pub(super) async fn look_up(
    ctx: &RequestContext,
    chosen: &KeySelection,
) -> Result<Vec<(KeyId, Option<AgentKey>)>, Error> {
    ctx.grant(Permission::ListAgentKeys).await?;
    let access = ctx.permissions().await?.access();
    let now = ctx.state.clock.now();
    let query = query::by_ids(chosen.ids());
    let found = ctx.elasticsearch()?.query_api_keys(&query).await?;
    let ownership = Ownership::of(ctx, access, &found.api_keys).await?;
    let keys = found.api_keys.into_iter().filter(is_agent_key);
    let mut keys = keys
        .map(|stored| {
            Ok((
                stored.id.clone(),
                agent_key(stored, &ownership, access, now)?,
            ))
        })
        .collect::<Result<HashMap<_, _>, Error>>()?;
    let with_key = |id: &KeyId| (id.clone(), keys.remove(id.as_str()));
    Ok(chosen.ids().iter().map(with_key).collect())
}
