//! Letting a user sign in, or no longer.

use super::{changeable, not_own_account, target};
use crate::{
    access::Permission,
    audit::Action,
    failure::Failure,
    operation::{self, Changed},
    services::{Person, Services},
};
use app::model::user::Username;

/// Enables or disables a user. Nobody disables themselves.
#[tracing::instrument(name = "users.user.set_enabled", skip_all)]
pub async fn set_enabled(
    services: &Services,
    person: &Person,
    username: Username,
    enabled: bool,
) -> Result<(), Failure> {
    let grant = person.grant(services, Permission::ManageSecurity).await?;
    if !enabled {
        not_own_account(person, &username)?;
    }
    changeable(person, &username).await?;
    let target = target(&username);
    let change = move |person: Person| async move {
        person
            .elasticsearch()
            .set_user_enabled(username.as_str(), enabled)
            .await
            .map_err(Failure::of_write)?;
        Ok(Changed::plain(()))
    };
    let action = if enabled {
        Action::UserEnable
    } else {
        Action::UserDisable
    };
    operation::carry_out(services, person, grant, action, target, change).await
}
