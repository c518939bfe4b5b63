//! Creating or repairing the role.

use super::{ABOUT, recipe, unknown};
use crate::{
    access::Permission,
    audit::{Action, Target},
    failure::Failure,
    operation::{self, Changed},
    services::{Person, Services},
};
use app::model::role::AGENT_KEY_ROLE;

/// Makes the role grant exactly what is documented. What people wrote about it stays, and so do the fields of a later
/// version of Elasticsearch.
#[tracing::instrument(name = "role.role.put", skip_all)]
pub async fn put(services: &Services, person: &Person) -> Result<(), Failure> {
    let grant = person.grant(services, Permission::ManageSecurity).await?;
    let mut descriptor = recipe(services.gate.resource());
    let stored = person.elasticsearch().get_role(AGENT_KEY_ROLE).await?;
    if let Some(stored) = stored {
        for field in ABOUT {
            if let Some(value) = stored.get(field) {
                descriptor[field] = value.clone();
            }
        }
        for (field, value) in unknown(&stored) {
            descriptor[field] = value;
        }
    }
    let target = Target {
        id: None,
        name: Some(AGENT_KEY_ROLE.to_owned()),
    };
    let change = move |person: Person| async move {
        person
            .elasticsearch()
            .put_role(AGENT_KEY_ROLE, &descriptor)
            .await
            .map_err(Failure::of_write)?;
        Ok(Changed::with_details((), descriptor))
    };
    operation::carry_out(services, person, grant, Action::RoleUpdate, target, change).await
}
