//! Saving the settings.

use crate::{access::Permission, context::RequestContext, error::Error};
use app::model::apm_settings::ApmSettings;

/// Saves the settings, and writes down who did.
#[tracing::instrument(name = "apm.settings.save", skip_all)]
pub async fn save(ctx: &RequestContext, settings: ApmSettings) -> Result<(), Error> {
    let grant = ctx.grant(Permission::SaveApmSettings).await?;
    let stamp = ctx.stamp();
    ctx.state
        .store
        .save_apm_settings(&grant, &settings, &stamp)
        .await?;
    Ok(())
}
