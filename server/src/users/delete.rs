//! Deleting a user.

use super::{change, changeable, not_own_account};
use crate::{
    access::Permission,
    audit::Action,
    failure::Failure,
    operation::Changed,
    services::{Person, Services},
};
use app::model::user::Username;

/// Deletes a user. Their keys keep working: a key does not need its owner. Nobody deletes themselves.
#[tracing::instrument(name = "users.user.delete", skip_all)]
pub async fn delete(
    services: &Services,
    person: &Person,
    username: Username,
) -> Result<(), Failure> {
    let grant = person.grant(services, Permission::ManageSecurity).await?;
    not_own_account(person, &username)?;
    changeable(person, &username).await?;
    let name = username.clone();
    let delete = move |person: Person| async move {
        let found = person
            .elasticsearch()
            .delete_user(name.as_str())
            .await
            .map_err(Failure::of_write)?;
        if !found {
            return Err(Failure::NotFound);
        }
        Ok(Changed::plain(()))
    };
    let action = Action::UserDelete;
    change(services, person, grant, action, &username, delete).await
}
