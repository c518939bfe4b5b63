//! Creating a user.

use super::change;
use crate::{
    access::Permission,
    audit::Action,
    elasticsearch::users::UserBody,
    failure::Failure,
    operation::Changed,
    services::{Person, Services},
};
use app::model::{role::AGENT_KEY_ROLE, user::NewUser};
use serde_json::{Map, json};

/// Creates a user. Elasticsearch would replace one of the same name, so it is asked first whether there is one.
#[tracing::instrument(name = "users.user.create", skip_all)]
pub async fn create(services: &Services, person: &Person, new: NewUser) -> Result<(), Failure> {
    let grant = person.grant(services, Permission::ManageSecurity).await?;
    let name = new.username.as_str();
    if person.elasticsearch().get_user(name).await?.is_some() {
        return Err(Failure::UsernameTaken);
    }
    let username = new.username.clone();
    let create = move |person: Person| async move {
        // Somebody may have made one of this name while this change waited for its turn.
        let name = new.username.as_str();
        if person.elasticsearch().get_user(name).await?.is_some() {
            return Err(Failure::UsernameTaken);
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
        let created = person
            .elasticsearch()
            .put_user(name, &body)
            .await
            .map_err(Failure::of_write)?;
        if !created {
            return Err(Failure::ChangedMeanwhile);
        }
        Ok(Changed::with_details((), json!({ "roles": roles })))
    };
    let action = Action::UserCreate;
    change(services, person, grant, action, &username, create).await
}
