//! Deleting a user.

use super::{changeable, not_own_account, target};
use crate::{
    access::Permission,
    audit::Action,
    failure::Failure,
    operation::{self, Changed},
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
    let target = target(&username);
    let change = move |person: Person| async move {
        let found = person
            .elasticsearch()
            .delete_user(username.as_str())
            .await
            .map_err(Failure::of_write)?;
        if !found {
            return Err(Failure::NotFound);
        }
        Ok(Changed::plain(()))
    };
    operation::carry_out(services, person, grant, Action::UserDelete, target, change).await
}
