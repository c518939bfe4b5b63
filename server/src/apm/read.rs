//! The settings, and what they are judged by.

use crate::{agent_keys, context::RequestContext, error::Error};
use app::model::apm_settings::{ApmIntegration, KeysInUse};

/// The settings are for everybody who is signed in; the number of keys for those who may list them.
#[tracing::instrument(name = "apm.settings.read", skip_all)]
pub async fn read(ctx: &RequestContext) -> Result<ApmIntegration, Error> {
    let access = ctx.permissions().await?.access();
    let settings = ctx.state.store.read_apm_settings().await?;
    let active_keys = if access.list.is_granted() {
        agent_keys::count_active(ctx).await?
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
