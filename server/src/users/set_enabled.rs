//! Letting a user sign in, or no longer.

use super::{change, changeable, not_own_account};
use crate::{
    access::Permission, audit::Action, context::RequestContext, elasticsearch::Connection,
    error::Error,
};
use app::model::user::Username;
use serde_json::json;

/// Enables or disables a user. Nobody disables themselves.
#[tracing::instrument(name = "users.user.set_enabled", skip_all)]
pub async fn set_enabled(
    ctx: &RequestContext,
    username: Username,
    enabled: bool,
) -> Result<(), Error> {
    let grant = ctx.grant(Permission::ManageSecurity).await?;
    if !enabled {
        not_own_account(ctx, &username)?;
    }
    changeable(ctx.elasticsearch()?, &username).await?;
    let name = username.clone();
    let set = move |connection: Connection| async move {
        connection
            .set_user_enabled(name.as_str(), enabled)
            .await
            .map_err(Error::of_write)?;
        Ok(json!({}))
    };
    let action = if enabled {
        Action::UserEnable
    } else {
        Action::UserDisable
    };
    change(ctx, grant, action, &username, set).await
}
