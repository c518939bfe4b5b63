//! What the form for a new key needs.

use super::count_active;
use crate::{access::Permission, context::RequestContext, error::Error};
use app::backend::AgentKeyPreparation;

/// A fresh operation, and the figures that the form warns by.
#[tracing::instrument(name = "agent_keys.form.prepare", skip_all)]
pub async fn prepare(ctx: &RequestContext) -> Result<AgentKeyPreparation, Error> {
    ctx.grant(Permission::CreateAgentKey).await?;
    let now = ctx.state.clock.now();
    let (active_keys, settings) = tokio::try_join!(count_active(ctx), async {
        Ok(ctx.state.store.read_apm_settings().await?)
    })?;
    Ok(AgentKeyPreparation {
        operation: ctx.state.random.identifier(&ctx.state.clock)?,
        now,
        active_keys,
        limit: settings.api_key_limit,
        authorization_enabled: settings.api_key_enabled,
    })
}
