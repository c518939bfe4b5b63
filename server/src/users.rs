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
    audit::Target, elasticsearch::user::get::StoredUser, failure::Failure, services::Person,
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

fn target(username: &Username) -> Target {
    Target {
        id: None,
        name: Some(username.as_str().to_owned()),
    }
}
