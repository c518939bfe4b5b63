//! Revokes many agent keys at once.

use super::{
    get::get_many,
    revoke::{Reason, RevokeResult, revoke_and_record},
};
use crate::{access::Permission, context::RequestContext, error::Error};
use app::model::{
    agent_key::{AgentKey, KeyId, KeyStatus},
    revocation::{KeyRevocation, KeySelection, RevocationEnding, is_many},
};

/// Revokes the chosen keys, and returns the result of each in their order. More than a few need a recently entered
/// password.
///
/// A key that is no agent key, that the user may not see, or that is outside their scope, is answered as not found. The
/// call fails as a whole only if nothing was changed.
#[tracing::instrument(name = "agent_keys.keys.revoke", skip_all)]
pub async fn revoke_many(
    ctx: &RequestContext,
    chosen: KeySelection,
) -> Result<Vec<KeyRevocation>, Error> {
    let grant = ctx.grant(Permission::RevokeAgentKey).await?;
    if is_many(chosen.ids().len()) {
        ctx.require_recent_password()?;
    }
    let (mut told, mut to_revoke) = (Vec::new(), Vec::new());
    for (id, key) in get_many(ctx, &chosen).await? {
        match key {
            Some(key) if matches!(key.status, KeyStatus::Revoked { .. }) => {
                told.push(ended(key, RevocationEnding::Already));
            }
            Some(key) if key.revocable => to_revoke.push(key),
            Some(_) | None => told.push(unknown(id)),
        }
    }
    if !to_revoke.is_empty() {
        let results = revoke_and_record(ctx, grant, &to_revoke, Reason::Bulk).await?;
        for (key, result) in to_revoke.into_iter().zip(results) {
            told.push(match result {
                Ok(RevokeResult::Revoked) => ended(key, RevocationEnding::Revoked),
                // In the second case Elasticsearch reported it, and a second look was not possible.
                Ok(RevokeResult::RevokedInCache) | Err(Error::CacheNotCleared(_)) => {
                    ended(key, RevocationEnding::RevokedInCache)
                }
                Ok(RevokeResult::AlreadyRevoked) => ended(key, RevocationEnding::Already),
                Err(Error::StillActive) => ended(key, RevocationEnding::StillActive),
                Err(Error::Unconfirmed(_)) => ended(key, RevocationEnding::Unconfirmed),
                Err(Error::NotFound) => unknown(key.id),
                // Every other error concerns the whole request, before anything is changed.
                Err(failure) => return Err(failure),
            });
        }
    }
    let place = |id: &KeyId| chosen.ids().iter().position(|chosen| chosen == id);
    told.sort_by_cached_key(|revocation| place(&revocation.id));
    Ok(told)
}

fn ended(key: AgentKey, ending: RevocationEnding) -> KeyRevocation {
    KeyRevocation {
        id: key.id,
        name: Some(key.name),
        ending,
    }
}

fn unknown(id: KeyId) -> KeyRevocation {
    KeyRevocation {
        id,
        name: None,
        ending: RevocationEnding::NotFound,
    }
}
