//! Reads the recorded rotations of a key.

use super::update;
use crate::{context::RequestContext, error::Error, store::StoredRotation};
use app::model::agent_key::{AgentKey, KeyId, KeyReference, KeyStatus, Rotation, RotationState};

/// Rotations of one key that are read.
pub(super) const ROWS_MAX: i64 = 100;

/// Returns the rotations of a key, for its page.
pub(super) async fn of_key(ctx: &RequestContext, key: &AgentKey) -> Result<Vec<Rotation>, Error> {
    let stored = ctx.state.store.rotations_of(&key.id, ROWS_MAX).await?;
    let shown = |rotation: StoredRotation| {
        let undoable = is_undoable(ctx, &rotation, key);
        let reference = |id: Option<String>, name: Option<String>| {
            Some(KeyReference {
                id: KeyId::parse(&id?)?,
                name: name.unwrap_or_default(),
            })
        };
        Some(Rotation {
            predecessor: reference(rotation.predecessor.id, rotation.predecessor.name)?,
            successor: reference(rotation.successor.id, rotation.successor.name)?,
            by: rotation.owner.username,
            began_at: rotation.began_at,
            ends_at: match (rotation.ends_at, rotation.former_end) {
                (Some(chosen), Some(former)) => Some(chosen.min(former)),
                (chosen, _) => chosen,
            },
            state: rotation.state,
            undoable,
        })
    };
    Ok(stored.into_iter().filter_map(shown).collect())
}

/// Returns true if the rotation has ended this key, whose time has not come, and the user can take that back.
pub(super) fn is_undoable(ctx: &RequestContext, rotation: &StoredRotation, key: &AgentKey) -> bool {
    let KeyStatus::Active { until } = key.status else {
        return false;
    };
    if rotation.predecessor.id.as_deref() != Some(key.id.as_str()) || !key.revocable {
        return false;
    }
    match rotation.state {
        RotationState::Scheduled => rotation.ends_at.is_some_and(|end| end > ctx.state.now()),
        RotationState::Expires => {
            until != rotation.former_end && update::can_set_end(ctx, key).unwrap_or(false)
        }
        _ => false,
    }
}
