//! Ends the old key of a rotation.
//!
//! Nothing happens to it before the browser has confirmed that it displayed the new secret. Then Elasticsearch ends it,
//! if the user may set its expiration; otherwise the service user of the settings revokes it when the time has come;
//! otherwise the user does. If the process ends in between, the next request of the user for the list goes on.

use super::{
    delivery, get,
    revoke::{self, Reason},
    rotations, update,
};
use crate::{access::RevokeAgentKey, context::RequestContext, error::Error, store::StoredRotation};
use app::model::{
    agent_key::{AgentKey, KeyId, KeyReference, KeyStatus, RotationState},
    new_agent_key::{EndMeans, LIFETIME_DAYS_MAX, OperationId},
    session::KeyScope,
    timestamp::{DAY_MS, Timestamp},
};

/// Rotations of one round.
const ROTATIONS_MAX: i64 = 100;

/// Returns what can end this key at a chosen time.
pub(super) fn means(ctx: &RequestContext, key: &AgentKey) -> Result<EndMeans, Error> {
    Ok(if update::can_set_end(ctx, key)? {
        EndMeans::Elasticsearch
    } else if ctx.state.has_service_user {
        EndMeans::ServiceUser
    } else {
        EndMeans::User {
            own: update::is_own(&ctx.session()?.identity, key),
        }
    })
}

/// Records that the browser displayed the secret of a new key, and sets the end of the key that it replaces, if any.
#[tracing::instrument(name = "agent_keys.rotation.confirm", skip_all)]
pub async fn confirm_displayed(ctx: &RequestContext, operation: OperationId) -> Result<(), Error> {
    delivery::confirm_displayed(ctx, operation).await?;
    let ctx_ = ctx.clone();
    let task = async move {
        set_ends(&ctx_).await;
        Ok(())
    };
    ctx.state.run_to_completion(task).await
}

/// Goes on with what is open: sets the ends of old keys whose successors were displayed, and revokes those that are due.
pub(super) async fn continue_open(ctx: &RequestContext) {
    set_ends(ctx).await;
    if let Err(error) = revoke_due(ctx).await {
        report("old keys of rotations could not be revoked", &error);
    }
}

/// Sets the ends of the user's old keys whose successors were displayed.
async fn set_ends(ctx: &RequestContext) {
    let displayed = async {
        let owner = &ctx.session()?.identity;
        let store = &ctx.state.store;
        Ok(store.displayed_rotations(owner, ROTATIONS_MAX).await?)
    };
    match displayed.await {
        Ok(rotations) => {
            for rotation in rotations {
                if let Err(error) = set_end(ctx, rotation).await {
                    report("the end of an old key could not be set", &error);
                }
            }
        }
        Err(error) => report("open rotations could not be read", &error),
    }
}

async fn set_end(ctx: &RequestContext, rotation: StoredRotation) -> Result<(), Error> {
    let state = match end_or_schedule(ctx, &rotation).await {
        Ok(state) => state,
        Err(error) if update::is_refused(&error) => {
            report("Elasticsearch refused the end of an old key", &error);
            unable(ctx)
        }
        Err(error) => return Err(error),
    };
    change(ctx, &rotation, state).await?;
    Ok(())
}

/// State of a rotation whose old key this user cannot end.
fn unable(ctx: &RequestContext) -> RotationState {
    if ctx.state.has_service_user {
        RotationState::Scheduled
    } else {
        RotationState::Failed
    }
}

async fn end_or_schedule(
    ctx: &RequestContext,
    rotation: &StoredRotation,
) -> Result<RotationState, Error> {
    let (Some(end), Some(id)) = (rotation.ends_at, predecessor_id(rotation)) else {
        return Ok(RotationState::Open);
    };
    let key = get::find_to_revoke(ctx, &id).await?;
    let now = ctx.state.now();
    match key.status {
        KeyStatus::Revoked { .. } => Ok(RotationState::Ended),
        KeyStatus::Expired { .. } => Ok(RotationState::Expires),
        KeyStatus::Active { until: Some(until) } if until <= end => Ok(RotationState::Expires),
        KeyStatus::Active { .. } if update::is_due(end, now) => {
            revoke::revoke(ctx, id, Reason::Rotated).await?;
            Ok(RotationState::Ended)
        }
        KeyStatus::Active { .. } => match means(ctx, &key)? {
            EndMeans::Elasticsearch => {
                update::set_end(ctx, &key, end, "rotation").await?;
                Ok(RotationState::Expires)
            }
            EndMeans::ServiceUser | EndMeans::User { .. } => Ok(unable(ctx)),
        },
    }
}

/// Revokes the old keys whose time has come: those of all users, if this user may, or the user's own.
async fn revoke_due(ctx: &RequestContext) -> Result<(), Error> {
    let reach = ctx.permissions().await?.access().revoke_scope;
    let owner = (reach == KeyScope::Own).then_some(&ctx.session()?.identity);
    let store = &ctx.state.store;
    let due = store
        .due_rotations(owner, ctx.state.now(), ROTATIONS_MAX)
        .await?;
    for mut rotation in due {
        // Taken first, so that it cannot be undone from here on.
        if rotation.state == RotationState::Scheduled {
            if !change(ctx, &rotation, RotationState::Ending).await? {
                continue;
            }
            rotation.state = RotationState::Ending;
        }
        let Some(id) = predecessor_id(&rotation) else {
            continue;
        };
        let state = match revoke::revoke(ctx, id, Reason::Rotated).await {
            Ok(_) => RotationState::Ended,
            // The key is gone; or it is another user's, whom only others may end.
            Err(Error::NotFound) if reach == KeyScope::All => RotationState::Failed,
            Err(Error::NotFound) => continue,
            Err(error) => return Err(error),
        };
        change(ctx, &rotation, state).await?;
    }
    Ok(())
}

/// Undoes the end of the old key, which works on as before. The new key stays.
///
/// Elasticsearch cannot restore that a key never expires: such a key gets the latest end instead.
#[tracing::instrument(name = "agent_keys.rotation.undo", skip_all)]
pub async fn undo(ctx: &RequestContext, id: KeyId) -> Result<KeyReference, Error> {
    let key = get::find_to_revoke(ctx, &id).await?;
    let rotations = ctx
        .state
        .store
        .rotations_of(&id, rotations::ROWS_MAX)
        .await?;
    let rotation = rotations
        .into_iter()
        .find(|rotation| rotations::is_undoable(ctx, rotation, &key))
        .ok_or(Error::ChangedMeanwhile)?;
    let ctx_ = ctx.clone();
    let task = async move {
        if rotation.state == RotationState::Expires {
            let end = restored_end(rotation.former_end, ctx_.state.now());
            update::set_end(&ctx_, &key, end, "rotation_undone").await?;
        }
        if !change(&ctx_, &rotation, RotationState::Undone).await? {
            return Err(Error::ChangedMeanwhile);
        }
        Ok(KeyReference {
            id: key.id,
            name: key.name,
        })
    };
    ctx.state.run_to_completion(task).await
}

/// Returns the end that an old key gets back.
fn restored_end(former: Option<Timestamp>, now: Timestamp) -> Timestamp {
    former.unwrap_or_else(|| now.plus_ms(i64::from(LIFETIME_DAYS_MAX) * DAY_MS))
}

async fn change(
    ctx: &RequestContext,
    rotation: &StoredRotation,
    to: RotationState,
) -> Result<bool, Error> {
    let grant = ctx.grant::<RevokeAgentKey>().await?;
    let (store, event_context) = (&ctx.state.store, ctx.event_context());
    Ok(store
        .change_rotation(&grant, rotation, to, &event_context)
        .await?)
}

fn predecessor_id(rotation: &StoredRotation) -> Option<KeyId> {
    rotation.predecessor.id.as_deref().and_then(KeyId::parse)
}

fn report(problem: &str, error: &Error) {
    let error: &dyn std::error::Error = error;
    tracing::warn!(error, "{problem}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undone_end_is_the_former_one_or_the_latest_possible() {
        let now = Timestamp(1_797_244_927_000);
        let former = now.plus_ms(DAY_MS);
        assert_eq!(restored_end(Some(former), now), former);
        assert_eq!(restored_end(None, now), now.plus_ms(3_650 * DAY_MS));
    }
}
