//! Saving the settings.

use crate::{
    access::Permission,
    failure::Failure,
    services::{Person, Services},
};
use app::model::apm_settings::ApmSettings;

/// Saves the settings, and writes down who did.
#[tracing::instrument(name = "apm.settings.save", skip_all)]
pub async fn save(
    services: &Services,
    person: &Person,
    settings: ApmSettings,
) -> Result<(), Failure> {
    let grant = person.grant(services, Permission::SaveApmSettings).await?;
    let stamp = person.stamp(services);
    services
        .store
        .save_apm_settings(&grant, &settings, &stamp)
        .await?;
    Ok(())
}
