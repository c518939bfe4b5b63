//! What the form for a new key needs.

use super::count_active;
use crate::{
    access::Permission,
    failure::Failure,
    services::{Person, Services},
};
use app::backend::AgentKeyPreparation;

/// A fresh operation, and the figures that the form warns by.
#[tracing::instrument(name = "agent_keys.form.prepare", skip_all)]
pub async fn prepare(services: &Services, person: &Person) -> Result<AgentKeyPreparation, Failure> {
    person.grant(services, Permission::CreateAgentKey).await?;
    let now = services.clock.now();
    let (active_keys, settings) = tokio::try_join!(count_active(services, person), async {
        Ok(services.store.read_apm_settings().await?)
    })?;
    Ok(AgentKeyPreparation {
        operation: services.random.identifier(&services.clock)?,
        now,
        active_keys,
        limit: settings.api_key_limit,
        authorization_enabled: settings.api_key_enabled,
    })
}
