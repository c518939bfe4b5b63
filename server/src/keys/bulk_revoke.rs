//! Revokes many agent keys at once.

use super::{
    from_es::{Ownership, agent_key},
    get::get_many,
    list::{cursor_of, read_revocable},
    revoke::{Reason, RevokeResult, revoke_and_record},
};
use crate::{access::RevokeAgentKey, context::RequestContext, error::Error};
use app::model::{
    agent_key::{AgentKey, KeyId, KeyStatus},
    key_list::{Cursor, KeyListQuery},
    revocation::{
        KEYS_MAX, KeyRevocation, KeySelection, MatchingKeys, MatchingRequest, RevocationEnding,
        SAMPLE_MAX, is_many,
    },
    timestamp::Timestamp,
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
    let grant = ctx.grant::<RevokeAgentKey>().await?;
    if is_many(chosen.ids().len()) {
        ctx.require_recent_password()?;
    }
    let (mut told, mut to_revoke) = (Vec::new(), Vec::new());
    let (found, ownership) = get_many(ctx, &chosen).await?;
    for (id, key) in found {
        match key {
            Some(key) if matches!(key.status, KeyStatus::Revoked { .. }) => {
                told.push(ended(key, RevocationEnding::Already));
            }
            Some(key) if key.revocable => to_revoke.push(key),
            Some(key) => match ownership.failure(&key) {
                Some(error) => return Err(error.into()),
                None => told.push(unknown(id)),
            },
            None => told.push(unknown(id)),
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

/// Returns the number of keys that match search and filters and that the user may revoke, and the oldest of them.
#[tracing::instrument(name = "agent_keys.matching.find", skip_all)]
pub async fn find_matching(
    ctx: &RequestContext,
    query: KeyListQuery,
) -> Result<MatchingKeys, Error> {
    ctx.grant::<RevokeAgentKey>().await?;
    let read_at = ctx.state.now();
    let rows = u32::from(SAMPLE_MAX);
    let found = read_revocable(ctx, query, read_at, None, rows).await?;
    let access = ctx.permissions().await?.access();
    let ownership = Ownership::of(ctx, access, &found.api_keys).await?;
    let sample = found.api_keys.into_iter();
    let sample = sample.map(|key| agent_key(key, &ownership, access, read_at));
    Ok(MatchingKeys {
        count: found.total,
        sample: sample.collect::<Result<_, _>>()?,
        password_needed: is_above_limit(found.total) && ctx.require_recent_password().is_err(),
        read_at,
    })
}

/// Revokes the next [`KEYS_MAX`] keys that match search and filters. Returns their results, and the position after them
/// if there are more.
///
/// The position goes by creation, so a key that could not be revoked is not tried again in the next batch.
#[tracing::instrument(name = "agent_keys.matching.revoke", skip_all)]
pub async fn revoke_matching(
    ctx: &RequestContext,
    query: KeyListQuery,
    request: MatchingRequest,
) -> Result<(Vec<KeyRevocation>, Option<Cursor>), Error> {
    ctx.grant::<RevokeAgentKey>().await?;
    if is_above_limit(request.confirmed) {
        ctx.require_recent_password()?;
    }
    let until = Timestamp(request.read_at.0.min(ctx.state.now().0));
    let after = request.after.as_ref();
    let rows = u32::try_from(KEYS_MAX)
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let mut found = read_revocable(ctx, query, until, after, rows).await?;
    // The batches before have changed the number.
    if after.is_none() && found.total != request.confirmed {
        return Err(Error::CountNotConfirmed);
    }
    let more = found.api_keys.len() > KEYS_MAX;
    found.api_keys.truncate(KEYS_MAX);
    let last = found.api_keys.last().filter(|_| more);
    let next = last.and_then(|key| cursor_of(&key.sort));
    let ids: Vec<_> = found.api_keys.iter().map(|key| &key.id).collect();
    let results = match KeySelection::parse(&ids) {
        Ok(chosen) => revoke_many(ctx, chosen).await?,
        // Nothing is left to revoke.
        Err(_) => Vec::new(),
    };
    Ok((results, next))
}

fn is_above_limit(keys: u64) -> bool {
    usize::try_from(keys).is_ok_and(is_many)
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
