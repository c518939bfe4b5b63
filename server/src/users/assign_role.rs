//! Giving a user the agent key role, or taking it away.

use super::{change, changeable};
use crate::{
    access::Permission,
    audit::Action,
    context::RequestContext,
    elasticsearch::{
        Connection,
        users::{StoredUser, UserBody},
    },
    error::Error,
};
use app::model::{role::AGENT_KEY_ROLE, user::Username};
use serde_json::{Value, json};

/// Changes this one role and nothing else. Elasticsearch only knows how to replace a whole user, so everything is
/// read when it is this change's turn, written back, and read again: if it is not what was written, somebody else
/// wrote too.
#[tracing::instrument(name = "users.user.assign_role", skip_all)]
pub async fn assign_role(
    ctx: &RequestContext,
    username: Username,
    assigned: bool,
) -> Result<(), Error> {
    let grant = ctx.grant(Permission::ManageSecurity).await?;
    let user = changeable(ctx.elasticsearch()?, &username).await?;
    if holds_role(&user) == assigned {
        return Ok(());
    }
    let action = Action::UserRolesChange;
    let name = username.clone();
    let replace = move |connection| replace_roles(connection, name, assigned);
    change(ctx, grant, action, &username, replace).await
}

fn holds_role(user: &StoredUser) -> bool {
    user.roles.iter().any(|role| role == AGENT_KEY_ROLE)
}

async fn replace_roles(
    connection: Connection,
    username: Username,
    assigned: bool,
) -> Result<Value, Error> {
    let before = changeable(&connection, &username).await?;
    let mut wanted = before.clone();
    wanted.roles.retain(|role| role != AGENT_KEY_ROLE);
    if assigned {
        wanted.roles.push(AGENT_KEY_ROLE.to_owned());
    }
    let body = UserBody {
        password: None,
        roles: &wanted.roles,
        full_name: wanted.full_name.as_deref(),
        email: wanted.email.as_deref(),
        metadata: &wanted.metadata,
        enabled: wanted.enabled,
    };
    connection
        .put_user(&wanted.username, &body)
        .await
        .map_err(Error::of_write)?;
    let after = connection
        .get_user(&wanted.username)
        .await
        .map_err(Error::Unconfirmed)?;
    if after.map(in_order) != Some(in_order(wanted.clone())) {
        return Err(Error::ChangedMeanwhile);
    }
    let details = json!({ "before": before.roles, "after": wanted.roles });
    Ok(details)
}

/// Elasticsearch keeps a set of roles, and may list it in another order.
fn in_order(mut user: StoredUser) -> StoredUser {
    user.roles.sort_unstable();
    user.roles.dedup();
    user
}
