//! Giving a user the agent key role, or taking it away.

use super::{change, changeable};
use crate::{
    access::Permission,
    audit::Action,
    elasticsearch::users::{StoredUser, UserBody},
    failure::Failure,
    operation::Changed,
    services::{Person, Services},
};
use app::model::{role::AGENT_KEY_ROLE, user::Username};
use serde_json::json;

/// Changes this one role and nothing else. Elasticsearch only knows how to replace a whole user, so everything is
/// read when it is this change's turn, written back, and read again: if it is not what was written, somebody else
/// wrote too.
#[tracing::instrument(name = "users.user.assign_role", skip_all)]
pub async fn assign_role(
    services: &Services,
    person: &Person,
    username: Username,
    assigned: bool,
) -> Result<(), Failure> {
    let grant = person.grant(services, Permission::ManageSecurity).await?;
    let user = changeable(person, &username).await?;
    if holds_role(&user) == assigned {
        return Ok(());
    }
    let action = Action::UserRolesChange;
    let name = username.clone();
    let replace = move |person| replace_roles(person, name, assigned);
    change(services, person, grant, action, &username, replace).await
}

fn holds_role(user: &StoredUser) -> bool {
    user.roles.iter().any(|role| role == AGENT_KEY_ROLE)
}

async fn replace_roles(
    person: Person,
    username: Username,
    assigned: bool,
) -> Result<Changed<()>, Failure> {
    let before = changeable(&person, &username).await?;
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
    let connection = person.elasticsearch();
    connection
        .put_user(&wanted.username, &body)
        .await
        .map_err(Failure::of_write)?;
    let after = connection
        .get_user(&wanted.username)
        .await
        .map_err(Failure::Unconfirmed)?;
    if after.map(in_order) != Some(in_order(wanted.clone())) {
        return Err(Failure::ChangedMeanwhile);
    }
    let details = json!({ "before": before.roles, "after": wanted.roles });
    Ok(Changed::with_details((), details))
}

/// Elasticsearch keeps a set of roles, and may list it in another order.
fn in_order(mut user: StoredUser) -> StoredUser {
    user.roles.sort_unstable();
    user.roles.dedup();
    user
}
