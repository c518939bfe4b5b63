//! Elasticsearch's native users.
//!
//! The one role that can be given to anybody here is the agent key role, as it is documented: [`assign_role`] and
//! [`create`] know no other, so nobody becomes an administrator through this application. Whoever lets them assign
//! another role makes them take a [`Fresh`](crate::access::Fresh) as well.

pub mod assign_role;
pub mod create;
pub mod delete;
pub mod list;
pub mod reset_password;
pub mod set_enabled;

use crate::{
    access::Grant,
    audit::{Action, Target},
    elasticsearch::users::StoredUser,
    failure::Failure,
    operation::{self, Changed},
    services::{Person, Services},
};
use app::model::user::Username;

/// The user, who must exist and must not be one that Elasticsearch keeps for itself.
async fn changeable(person: &Person, username: &Username) -> Result<StoredUser, Failure> {
    let user = person.elasticsearch().get_user(username.as_str()).await?;
    let user = user.ok_or(Failure::NotFound)?;
    if user.is_reserved() {
        return Err(Failure::ReservedUser);
    }
    Ok(user)
}

/// Refuses what would lock a person out of their own account.
fn not_own_account(person: &Person, username: &Username) -> Result<(), Failure> {
    if person.session().identity.username == username.as_str() {
        return Err(Failure::OwnAccount);
    }
    Ok(())
}

/// Carries out the change of a user when those before it have ended. Elasticsearch knows no version of a user and
/// only replaces a whole one, so two changes at once would undo each other; and of two administrators who delete each
/// other, the second must find out that they are none any more.
///
/// This is the order within this process. Somebody who changes the user past it, in Kibana, is noticed when they do so
/// after our write and before we have looked at it; between our last look and our write there is one request's time.
async fn change<C, F>(
    services: &Services,
    person: &Person,
    grant: Grant,
    action: Action,
    username: &Username,
    change: C,
) -> Result<(), Failure>
where
    C: FnOnce(Person) -> F + Send + 'static,
    F: Future<Output = Result<Changed<()>, Failure>> + Send,
{
    let target = Target {
        id: None,
        name: Some(username.as_str().to_owned()),
    };
    let services_ = services.clone();
    let in_turn = move |person| async move {
        let _turn = services_.turn_to_change_a_user().await;
        change(person).await
    };
    operation::carry_out(services, person, grant, action, target, in_turn).await
}
