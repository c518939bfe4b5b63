//! Letting a user sign in, or no longer.

use super::{change, changeable, not_own_account};
use crate::{
    access::Permission,
    audit::Action,
    failure::Failure,
    operation::Changed,
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
    let name = username.clone();
    let set = move |person: Person| async move {
        person
            .elasticsearch()
            .set_user_enabled(name.as_str(), enabled)
            .await
            .map_err(Failure::of_write)?;
        Ok(Changed::plain(()))
    };
    let action = if enabled {
        Action::UserEnable
    } else {
        Action::UserDisable
    };
    change(services, person, grant, action, &username, set).await
}
