//! Revoking an agent key.

use super::{
    find::find,
    revocation::{self, Gone, Reason},
};
use crate::{access::Permission, context::RequestContext, error::Error};
use app::model::agent_key::{AgentKey, KeyId, KeyStatus, RevokedAgentKey};

/// Revokes a key. Revoking a revoked key succeeds: the caller wanted it gone, and it is.
///
/// Keys that are no agent keys, that this person may not see, or that belong to somebody else and are out of this
/// person's reach, are answered like keys that do not exist.
#[tracing::instrument(name = "agent_keys.key.revoke", skip_all)]
pub async fn revoke(
    ctx: &RequestContext,
    id: KeyId,
    reason: Reason,
) -> Result<RevokedAgentKey, Error> {
    let grant = ctx.grant(Permission::RevokeAgentKey).await?;
    let key = find(ctx, &id).await?;
    if matches!(key.status, KeyStatus::Revoked { .. }) {
        return Ok(revoked(key, Gone::Before));
    }
    if !key.revocable {
        return Err(Error::NotFound);
    }
    let keys = [key];
    let mut fates = revocation::revoke_and_record(ctx, grant, &keys, reason).await?;
    let gone = fates.pop().unwrap_or(Err(Error::TaskEnded))?;
    let [key] = keys;
    Ok(revoked(key, gone))
}

fn revoked(key: AgentKey, gone: Gone) -> RevokedAgentKey {
    RevokedAgentKey {
        id: key.id,
        name: key.name,
        already: gone == Gone::Before,
    }
}
