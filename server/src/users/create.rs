//! Creating a user.

use super::change;
use crate::{
    access::Permission,
    audit::Action,
    context::RequestContext,
    elasticsearch::{Connection, users::UserBody},
    error::Error,
};
use app::model::{role::AGENT_KEY_ROLE, user::NewUser};
use serde_json::{Map, json};

/// Creates a user. Elasticsearch would replace one of the same name, so it is asked first whether there is one.
#[tracing::instrument(name = "users.user.create", skip_all)]
pub async fn create(ctx: &RequestContext, new: NewUser) -> Result<(), Error> {
    let grant = ctx.grant(Permission::ManageSecurity).await?;
    let name = new.username.as_str();
    if ctx.elasticsearch()?.get_user(name).await?.is_some() {
        return Err(Error::UsernameTaken);
    }
    let username = new.username.clone();
    let create = move |connection: Connection| async move {
        // Somebody may have made one of this name while this change waited for its turn.
        let name = new.username.as_str();
        if connection.get_user(name).await?.is_some() {
            return Err(Error::UsernameTaken);
        }
        let roles: Vec<_> = new
            .agent_key_role
            .then(|| AGENT_KEY_ROLE.to_owned())
            .into_iter()
            .collect();
        let body = UserBody {
            password: Some(new.password.secret()),
            roles: &roles,
            full_name: new.full_name.as_deref(),
            email: new.email.as_deref(),
            metadata: &Map::new(),
            enabled: true,
        };
        let created = connection
            .put_user(name, &body)
            .await
            .map_err(Error::of_write)?;
        if !created {
            return Err(Error::ChangedMeanwhile);
        }
        Ok(json!({ "roles": roles }))
    };
    let action = Action::UserCreate;
    change(ctx, grant, action, &username, create).await
}
