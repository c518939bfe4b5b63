//! Rotates a key: creates its successor, with the same privileges and labels.
//!
//! The pair is recorded together with the intent of the creation, so no key is half of a pair. The old key gets its end
//! only after the browser has confirmed that it displayed the new secret: see [`rotation_end`].

use super::{count_active, create, get, rotation_end};
use crate::{access::CreateAgentKey, context::RequestContext, error::Error};
use app::{
    backend::RotationPreparation,
    model::{
        agent_key::{AgentKey, KeyId, KeyStatus},
        new_agent_key::{CreatedAgentKey, NewAgentKey, ReplacedKey},
        rotation::{NewRotation, lifetime_days, successor_name, successor_privileges},
        timestamp::Timestamp,
    },
};

/// A fresh operation, the key, and what the form warns of.
#[tracing::instrument(name = "agent_keys.rotation.prepare", skip_all)]
pub async fn prepare(ctx: &RequestContext, id: KeyId) -> Result<RotationPreparation, Error> {
    ctx.grant::<CreateAgentKey>().await?;
    let (key, until) = find_active(ctx, &id).await?;
    let (active_keys, settings) = tokio::try_join!(count_active(ctx), async {
        Ok(ctx.state.store.read_apm_settings().await?)
    })?;
    Ok(RotationPreparation {
        operation: ctx.state.new_identifier()?,
        now: ctx.state.now(),
        name: successor_name(&key.name),
        privileges: successor_privileges(&key.rights),
        lifetime_days: lifetime_days(key.created, until),
        means: rotation_end::means(ctx, &key)?,
        key,
        active_keys,
        limit: settings.api_key_limit,
    })
}

/// Creates the successor of a key and returns its secret, once. The same operation never makes a second key.
#[tracing::instrument(name = "agent_keys.key.rotate", skip_all)]
pub async fn rotate(ctx: &RequestContext, new: NewRotation) -> Result<CreatedAgentKey, Error> {
    let (key, until) = find_active(ctx, &new.key).await?;
    let means = rotation_end::means(ctx, &key)?;
    let new = NewAgentKey {
        operation: new.operation,
        name: new.name,
        privileges: successor_privileges(&key.rights),
        expiration: new.expiration,
        replaces: Some(ReplacedKey {
            id: key.id,
            name: key.name,
            former_end: until,
            ends_at: new.ends_at,
            means,
        }),
        labels: key.labels,
    };
    create::create(ctx, new).await
}

/// Returns a key that works and that the user may revoke, with its expiration.
async fn find_active(
    ctx: &RequestContext,
    id: &KeyId,
) -> Result<(AgentKey, Option<Timestamp>), Error> {
    let key = get::find_to_revoke(ctx, id).await?;
    match key.status {
        KeyStatus::Active { until } => Ok((key, until)),
        KeyStatus::Expired { .. } | KeyStatus::Revoked { .. } => Err(Error::ChangedMeanwhile),
    }
}
