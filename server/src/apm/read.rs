//! The settings, and what they are judged by.

use crate::{
    agent_keys,
    failure::Failure,
    services::{Person, Services},
};
use app::model::apm_settings::{ApmIntegration, KeysInUse};

/// The settings are for everybody who is signed in; the number of keys for those who may list them.
#[tracing::instrument(name = "apm.settings.read", skip_all)]
pub async fn read(services: &Services, person: &Person) -> Result<ApmIntegration, Failure> {
    let access = person.actor(services).await?.access();
    let settings = services.store.read_apm_settings().await?;
    let active_keys = if access.list.is_granted() {
        agent_keys::count_active(services, person).await?
    } else {
        KeysInUse::HIDDEN
    };
    Ok(ApmIntegration {
        settings,
        active_keys,
        elasticsearch_url: services.elasticsearch.first_address().to_owned(),
        embedded: services.elasticsearch.is_embedded(),
    })
}
