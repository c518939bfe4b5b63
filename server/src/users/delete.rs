//! Deleting a user.

use super::{change, changeable, not_own_account};
use crate::{
    access::Permission, audit::Action, context::RequestContext, elasticsearch::Connection,
    error::Error,
};
use app::model::user::Username;
use serde_json::json;

/// Deletes a user. Their keys keep working: a key does not need its owner. Nobody deletes themselves.
#[tracing::instrument(name = "users.user.delete", skip_all)]
pub async fn delete(ctx: &RequestContext, username: Username) -> Result<(), Error> {
    let grant = ctx.grant(Permission::ManageSecurity).await?;
    not_own_account(ctx, &username)?;
    changeable(ctx.elasticsearch()?, &username).await?;
    let name = username.clone();
    let delete = move |connection: Connection| async move {
        let found = connection
            .delete_user(name.as_str())
            .await
            .map_err(Error::of_write)?;
        if !found {
            return Err(Error::NotFound);
        }
        Ok(json!({}))
    };
    let action = Action::UserDelete;
    change(ctx, grant, action, &username, delete).await
}
