//! A page's word that it has drawn a new key's secret.

use crate::{access::Permission, context::RequestContext, error::Error, store::Acknowledged};
use app::model::new_agent_key::OperationId;

/// Writes it down. Saying it twice changes nothing.
#[tracing::instrument(name = "agent_keys.secret.acknowledge", skip_all)]
pub async fn acknowledge(ctx: &RequestContext, operation: OperationId) -> Result<(), Error> {
    let grant = ctx.grant(Permission::CreateAgentKey).await?;
    let stamp = ctx.stamp();
    let acknowledged = ctx
        .state
        .store
        .acknowledge_secret(&grant, operation.as_str(), &stamp);
    match acknowledged.await? {
        Acknowledged::Delivered => Ok(()),
        Acknowledged::NotYet => Err(Error::ChangedMeanwhile),
        Acknowledged::NoSuch => Err(Error::NotFound),
    }
}
