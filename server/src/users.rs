//! Elasticsearch's native users.
//!
//! The one role that can be given to anybody here is the agent key role, as it is documented: [`assign_role`] and
//! [`create`] know no other, so nobody becomes an administrator through this application. Whoever lets them assign
//! another role makes them take a [`RecentPassword`](crate::access::RecentPassword) as well.

pub mod assign_role;
pub mod create;
pub mod delete;
pub mod list;
pub mod reset_password;
pub mod set_enabled;

use crate::{
    access::Grant,
    audit::{Action, Target},
    context::RequestContext,
    elasticsearch::{Connection, users::StoredUser},
    error::Error,
    ledger,
};
use app::model::user::Username;
use serde_json::Value;

/// The user, who must exist and must not be one that Elasticsearch keeps for itself.
async fn changeable(connection: &Connection, username: &Username) -> Result<StoredUser, Error> {
    let user = connection.get_user(username.as_str()).await?;
    let user = user.ok_or(Error::NotFound)?;
    if user.is_reserved() {
        return Err(Error::ReservedUser);
    }
    Ok(user)
}

/// Refuses what would lock a person out of their own account.
fn not_own_account(ctx: &RequestContext, username: &Username) -> Result<(), Error> {
    if ctx.session()?.identity.username == username.as_str() {
        return Err(Error::OwnAccount);
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
    ctx: &RequestContext,
    grant: Grant,
    action: Action,
    username: &Username,
    call: C,
) -> Result<(), Error>
where
    C: FnOnce(Connection) -> F + Send + 'static,
    F: Future<Output = Result<Value, Error>> + Send,
{
    let target = Target {
        id: None,
        name: Some(username.as_str().to_owned()),
    };
    let (state, connection) = (ctx.state.clone(), ctx.elasticsearch()?.clone());
    let locked = async move || {
        let _guard = state.lock_user_writes().await;
        call(connection).await
    };
    ledger::run_one(ctx, grant, action, target, locked).await
}
