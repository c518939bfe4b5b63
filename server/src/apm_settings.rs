//! Settings of the APM integration.

use crate::{access::SaveApmSettings, context::RequestContext, error::Error, keys};
use app::model::apm_settings::{ApmIntegration, ApmSettings, KeysInUse};

/// Returns the settings to every signed-in user, and the number of keys to users who may list them.
#[tracing::instrument(name = "apm.settings.read", skip_all)]
pub async fn read(ctx: &RequestContext) -> Result<ApmIntegration, Error> {
    let access = ctx.permissions().await?.access();
    let settings = ctx.state.store.read_apm_settings().await?;
    let active_keys = if access.list.is_granted() {
        keys::count_active(ctx).await?
    } else {
        KeysInUse::HIDDEN
    };
    Ok(ApmIntegration {
        settings,
        active_keys,
        elasticsearch_url: ctx.state.elasticsearch.first_address().to_owned(),
        embedded: ctx.state.elasticsearch.is_embedded(),
    })
}

/// Saves the settings and records who did.
#[tracing::instrument(name = "apm.settings.save", skip_all)]
pub async fn save(ctx: &RequestContext, settings: ApmSettings) -> Result<(), Error> {
    let grant = ctx.grant::<SaveApmSettings>().await?;
    ctx.require_recent_password()?;
    let event_context = ctx.event_context();
    ctx.state
        .store
        .save_apm_settings(&grant, &settings, &event_context)
        .await?;
    Ok(())
}
