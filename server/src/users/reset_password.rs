//! Giving a user a new password.

use super::change;
use crate::{
    access::Permission, audit::Action, context::RequestContext, elasticsearch::Connection,
    error::Error,
};
use app::model::user::{NewPassword, Username};
use serde_json::json;

/// Gives a user a new password. The one thing that can be changed about a reserved user, too.
#[tracing::instrument(name = "users.user.reset_password", skip_all)]
pub async fn reset_password(
    ctx: &RequestContext,
    username: Username,
    password: NewPassword,
) -> Result<(), Error> {
    let grant = ctx.grant(Permission::ManageSecurity).await?;
    let user = ctx.elasticsearch()?.get_user(username.as_str()).await?;
    if user.is_none() {
        return Err(Error::NotFound);
    }
    let name = username.clone();
    let set = move |connection: Connection| async move {
        connection
            .set_user_password(name.as_str(), password.secret())
            .await
            .map_err(Error::of_write)?;
        Ok(json!({}))
    };
    let action = Action::UserPasswordChange;
    change(ctx, grant, action, &username, set).await
}
