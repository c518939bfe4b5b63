//! A page's word that it has drawn a new key's secret.

use crate::{
    access::Permission,
    failure::Failure,
    services::{Person, Services},
    store::Acknowledged,
};
use app::model::new_agent_key::OperationId;

/// Writes it down. Saying it twice changes nothing.
#[tracing::instrument(name = "agent_keys.secret.acknowledge", skip_all)]
pub async fn acknowledge(
    services: &Services,
    person: &Person,
    operation: OperationId,
) -> Result<(), Failure> {
    let grant = person.grant(services, Permission::CreateAgentKey).await?;
    let stamp = person.stamp(services);
    let acknowledged = services
        .store
        .acknowledge_secret(&grant, operation.as_str(), &stamp);
    match acknowledged.await? {
        Acknowledged::Delivered => Ok(()),
        Acknowledged::NotYet => Err(Failure::ChangedMeanwhile),
        Acknowledged::NoSuch => Err(Failure::NotFound),
    }
}
