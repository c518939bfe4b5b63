//! Creating or repairing the role.

use super::{ABOUT, recipe, unknown};
use crate::{
    access::Permission,
    audit::{Action, Target},
    context::RequestContext,
    error::Error,
    ledger,
};
use app::model::role::AGENT_KEY_ROLE;

/// Makes the role grant exactly what is documented. What people wrote about it stays, and so do the fields of a later
/// version of Elasticsearch.
#[tracing::instrument(name = "role.role.put", skip_all)]
pub async fn put(ctx: &RequestContext) -> Result<(), Error> {
    let grant = ctx.grant(Permission::ManageSecurity).await?;
    let mut descriptor = recipe(ctx.state.gate.resource());
    let stored = ctx.elasticsearch()?.get_role(AGENT_KEY_ROLE).await?;
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
    let connection = ctx.elasticsearch()?.clone();
    let put = async move || {
        connection
            .put_role(AGENT_KEY_ROLE, &descriptor)
            .await
            .map_err(Error::of_write)?;
        Ok(descriptor)
    };
    ledger::run_one(ctx, grant, Action::RoleUpdate, target, put).await
}
