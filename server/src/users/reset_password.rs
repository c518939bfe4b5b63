//! Giving a user a new password.

use super::change;
use crate::{
    access::Permission,
    audit::Action,
    failure::Failure,
    operation::Changed,
    services::{Person, Services},
};
use app::model::user::{NewPassword, Username};

/// Gives a user a new password. The one thing that can be changed about a reserved user, too.
#[tracing::instrument(name = "users.user.reset_password", skip_all)]
pub async fn reset_password(
    services: &Services,
    person: &Person,
    username: Username,
    password: NewPassword,
) -> Result<(), Failure> {
    let grant = person.grant(services, Permission::ManageSecurity).await?;
    let user = person.elasticsearch().get_user(username.as_str()).await?;
    if user.is_none() {
        return Err(Failure::NotFound);
    }
    let name = username.clone();
    let set = move |person: Person| async move {
        person
            .elasticsearch()
            .set_user_password(name.as_str(), password.secret())
            .await
            .map_err(Failure::of_write)?;
        Ok(Changed::plain(()))
    };
    let action = Action::UserPasswordChange;
    change(services, person, grant, action, &username, set).await
}
