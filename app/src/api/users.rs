//! Server functions for users and for `apm_agent_key_role`.

use super::form_post::FormPost;
#[cfg(feature = "server")]
use super::redirect_if_signed_out;
use crate::model::{
    audit_query::SearchText, problem::Problem, role::AgentKeyRole, secret::Secret, user::UserList,
};
#[cfg(feature = "server")]
use crate::{
    backend::backend,
    model::{
        notice::Notice,
        problem::ProblemKind,
        user::{NewPassword, NewUser, NewUserErrors, Username},
    },
    urls,
};
use leptos::{prelude::*, server_fn::codec::Postcard};
use serde::{Deserialize, Serialize};

/// Returns users of the native realm whose user name, full name or e-mail address contains `search`.
#[server(endpoint = "list_users", output = Postcard)]
pub async fn list_users(#[server(default)] search: SearchText) -> Result<UserList, Problem> {
    redirect_if_signed_out(backend()?.list_users(search).await)
}

/// The fields of the form for a new user, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewUserForm {
    pub username: String,
    pub password: Secret,
    pub full_name: String,
    pub email: String,
    /// Present if the agent key role is ticked.
    pub agent_key_role: Option<String>,
}

/// Creates a user and redirects to the list with its search, which announces it.
#[server(endpoint = "create_user", input = FormPost, output = Postcard)]
pub async fn create_user(
    form: NewUserForm,
    #[server(default)] search: SearchText,
) -> Result<(), Problem> {
    let new = parse_new_user(form).map_err(ProblemKind::NewUser)?;
    let username = new.username.clone();
    let backend = backend()?;
    redirect_if_signed_out(backend.create_user(new).await)?;
    backend.leave_notice(Notice::UserCreated(username.to_string()));
    leptos_axum::redirect(&urls::users_matching(search.as_str()));
    Ok(())
}

#[server(endpoint = "assign_agent_key_role", input = FormPost, output = Postcard)]
pub async fn assign_agent_key_role(username: String, assigned: bool) -> Result<(), Problem> {
    redirect_if_signed_out(
        backend()?
            .assign_agent_key_role(known(&username)?, assigned)
            .await,
    )
}

/// Enables or disables a user.
#[server(endpoint = "set_user_enabled", input = FormPost, output = Postcard)]
pub async fn set_user_enabled(username: String, enabled: bool) -> Result<(), Problem> {
    redirect_if_signed_out(
        backend()?
            .set_user_enabled(known(&username)?, enabled)
            .await,
    )
}

/// Deletes a user and redirects to the list with its search, which announces it.
#[server(endpoint = "delete_user", input = FormPost, output = Postcard)]
pub async fn delete_user(
    username: String,
    #[server(default)] search: SearchText,
) -> Result<(), Problem> {
    let backend = backend()?;
    redirect_if_signed_out(backend.delete_user(known(&username)?).await)?;
    backend.leave_notice(Notice::UserDeleted(username));
    leptos_axum::redirect(&urls::users_matching(search.as_str()));
    Ok(())
}

/// Resets a user's password and redirects to the list with its search, which announces it.
#[server(endpoint = "reset_password", input = FormPost, output = Postcard)]
pub async fn reset_password(
    username: String,
    password: Secret,
    #[server(default)] search: SearchText,
) -> Result<(), Problem> {
    let password = NewPassword::parse(password, &username).map_err(ProblemKind::NewPassword)?;
    let backend = backend()?;
    redirect_if_signed_out(backend.reset_password(known(&username)?, password).await)?;
    backend.leave_notice(Notice::PasswordSet(username));
    leptos_axum::redirect(&urls::users_matching(search.as_str()));
    Ok(())
}

#[cfg(feature = "server")]
fn parse_new_user(form: NewUserForm) -> Result<NewUser, NewUserErrors> {
    let username = Username::parse(&form.username);
    let password = NewPassword::parse(form.password, &form.username);
    let full_name = form.full_name.trim();
    let email = form.email.trim();
    let plain = |text: &str, characters_max: usize| {
        text.chars().count() <= characters_max && !text.chars().any(char::is_control)
    };
    let full_name_ok = plain(full_name, 200);
    let email_ok = email.is_empty() || (plain(email, 320) && email.contains('@'));
    match (username, password) {
        (Ok(username), Ok(password)) if full_name_ok && email_ok => Ok(NewUser {
            username,
            password,
            full_name: (!full_name.is_empty()).then(|| full_name.to_owned()),
            email: (!email.is_empty()).then(|| email.to_owned()),
            agent_key_role: form.agent_key_role.is_some(),
        }),
        (username, password) => Err(NewUserErrors {
            username: username.err(),
            username_taken: false,
            password: password.err(),
            full_name: !full_name_ok,
            email: !email_ok,
        }),
    }
}

/// Returns `NotFound` for an invalid user name: no existing user has one.
#[cfg(feature = "server")]
fn known(username: &str) -> Result<Username, Problem> {
    Username::of_existing(username).map_err(|_| ProblemKind::NotFound.into())
}

#[server(endpoint = "read_agent_key_role", output = Postcard)]
pub async fn read_agent_key_role() -> Result<AgentKeyRole, Problem> {
    redirect_if_signed_out(backend()?.agent_key_role().await)
}

#[server(endpoint = "put_agent_key_role", input = FormPost, output = Postcard)]
pub async fn put_agent_key_role() -> Result<(), Problem> {
    redirect_if_signed_out(backend()?.put_agent_key_role().await)
}
