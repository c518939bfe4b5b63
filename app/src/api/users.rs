//! Server functions for users, for `apm_agent_key_role` and for the role mappings that give it.

use super::form_post::FormPost;
#[cfg(feature = "server")]
use super::redirect_if_signed_out;
use crate::model::{
    problem::Problem,
    role_mapping::{RoleMapping, RoleMappingForm},
    secret::Secret,
    user::{AgentKeyRole, GeneratedPassword, PasswordSource},
    user_list::UserList,
};
#[cfg(feature = "server")]
use crate::{
    backend::{Backend, backend},
    model::{
        notice::Notice,
        problem::ProblemKind,
        text::has_invisible,
        user::{NewPassword, NewUser, NewUserErrors, OwnPasswordForm, Username},
    },
    urls,
};
use leptos::{prelude::*, server_fn::codec::Postcard};
use serde::{Deserialize, Serialize};

/// Returns one page of the users of the native realm. `list` is the query of the page's address.
#[server(endpoint = "list_users", output = Postcard)]
pub async fn list_users(#[server(default)] list: String) -> Result<UserList, Problem> {
    let query = urls::user_query(&urls::parse(&list));
    redirect_if_signed_out(backend()?.list_users(query).await)
}

/// The fields of the form for a new user, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewUserForm {
    pub username: String,
    pub password_source: PasswordSource,
    pub password: Secret,
    pub full_name: String,
    pub email: String,
    /// Present if the agent key role is ticked.
    pub agent_key_role: Option<String>,
}

/// Creates a user, and leaves a notice for the list. Returns a generated password, once; otherwise redirects to the list.
#[server(endpoint = "create_user", input = FormPost, output = Postcard)]
pub async fn create_user(
    form: NewUserForm,
    #[server(default)] list: String,
) -> Result<Option<GeneratedPassword>, Problem> {
    let backend = backend()?;
    let source = form.password_source;
    let password = new_password(&*backend, source, form.password.clone())?;
    let new = parse_new_user(form, password).map_err(ProblemKind::NewUser)?;
    let generated = GeneratedPassword {
        username: new.username.to_string(),
        password: new.password.secret().clone(),
    };
    redirect_if_signed_out(backend.create_user(new).await)?;
    backend.leave_notice(Notice::UserCreated(generated.username.clone()));
    Ok(show_or_return(source, generated, &list))
}

/// Gives the agent key role to a user or takes it away, and leaves a notice.
#[server(endpoint = "assign_agent_key_role", input = FormPost, output = Postcard)]
pub async fn assign_agent_key_role(username: String, assigned: bool) -> Result<(), Problem> {
    let backend = backend()?;
    let assign = backend.assign_agent_key_role(known(&username)?, assigned);
    redirect_if_signed_out(assign.await)?;
    backend.leave_notice(if assigned {
        Notice::RoleGiven(username)
    } else {
        Notice::RoleTaken(username)
    });
    Ok(())
}

/// Enables or disables a user, and leaves a notice. The dialog that disables closes: redirects to the list.
#[server(endpoint = "set_user_enabled", input = FormPost, output = Postcard)]
pub async fn set_user_enabled(
    username: String,
    enabled: bool,
    #[server(default)] list: String,
) -> Result<(), Problem> {
    let backend = backend()?;
    let set = backend.set_user_enabled(known(&username)?, enabled);
    redirect_if_signed_out(set.await)?;
    if enabled {
        backend.leave_notice(Notice::UserEnabled(username));
    } else {
        backend.leave_notice(Notice::UserDisabled(username));
        return_to(&list);
    }
    Ok(())
}

/// Deletes a user and redirects to the list, which announces it.
#[server(endpoint = "delete_user", input = FormPost, output = Postcard)]
pub async fn delete_user(username: String, #[server(default)] list: String) -> Result<(), Problem> {
    let backend = backend()?;
    redirect_if_signed_out(backend.delete_user(known(&username)?).await)?;
    backend.leave_notice(Notice::UserDeleted(username));
    return_to(&list);
    Ok(())
}

/// Resets a user's password, and leaves a notice for the list. Returns a generated password, once; otherwise redirects
/// to the list.
#[server(endpoint = "reset_password", input = FormPost, output = Postcard)]
pub async fn reset_password(
    username: String,
    #[server(default)] password_source: PasswordSource,
    #[server(default)] password: Secret,
    #[server(default)] list: String,
) -> Result<Option<GeneratedPassword>, Problem> {
    let backend = backend()?;
    let password = new_password(&*backend, password_source, password)?;
    let password = NewPassword::parse(password, &username).map_err(ProblemKind::NewPassword)?;
    let generated = GeneratedPassword {
        username,
        password: password.secret().clone(),
    };
    let username = known(&generated.username)?;
    redirect_if_signed_out(backend.reset_password(username, password).await)?;
    backend.leave_notice(Notice::PasswordSet(generated.username.clone()));
    Ok(show_or_return(password_source, generated, &list))
}

/// Changes the user's own password and redirects to the user's sessions, which announce it.
#[server(endpoint = "change_own_password", input = FormPost, output = Postcard)]
pub async fn change_own_password(
    current_password: Secret,
    new_password: Secret,
    repeated_password: Secret,
) -> Result<(), Problem> {
    let form = OwnPasswordForm {
        current: current_password,
        new: new_password,
        repeated: repeated_password,
    };
    let backend = backend()?;
    redirect_if_signed_out(backend.change_own_password(form).await)?;
    backend.leave_notice(Notice::OwnPasswordChanged);
    leptos_axum::redirect(&urls::sessions());
    Ok(())
}

#[cfg(feature = "server")]
fn new_password(
    backend: &dyn Backend,
    source: PasswordSource,
    typed: Secret,
) -> Result<Secret, Problem> {
    match source {
        PasswordSource::Typed => Ok(typed),
        PasswordSource::Generated => backend.generate_password(),
    }
}

/// Returns a generated password for the dialog to show, or leaves the dialog.
#[cfg(feature = "server")]
fn show_or_return(
    source: PasswordSource,
    generated: GeneratedPassword,
    list: &str,
) -> Option<GeneratedPassword> {
    match source {
        PasswordSource::Generated => Some(generated),
        PasswordSource::Typed => {
            return_to(list);
            None
        }
    }
}

/// Redirects to the list with this query.
#[cfg(feature = "server")]
fn return_to(list: &str) {
    let query = urls::user_query(&urls::parse(list));
    leptos_axum::redirect(&urls::user_list(&query));
}

#[cfg(feature = "server")]
fn parse_new_user(form: NewUserForm, password: Secret) -> Result<NewUser, NewUserErrors> {
    let username = Username::parse(&form.username);
    let password = NewPassword::parse(password, &form.username);
    let full_name = form.full_name.trim();
    let email = form.email.trim();
    let plain = |text: &str, characters_max: usize| {
        text.chars().count() <= characters_max && !has_invisible(text)
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

/// Returns the role mappings that give the agent key role, or may give it.
#[server(endpoint = "list_role_mappings", output = Postcard)]
pub async fn list_role_mappings() -> Result<Vec<RoleMapping>, Problem> {
    redirect_if_signed_out(backend()?.list_role_mappings().await)
}

/// Creates a role mapping, leaves a notice and redirects to the list.
#[server(endpoint = "create_role_mapping", input = FormPost, output = Postcard)]
pub async fn create_role_mapping(
    form: RoleMappingForm,
    #[server(default)] list: String,
) -> Result<(), Problem> {
    let backend = backend()?;
    let new = form.parse().map_err(ProblemKind::RoleMapping)?;
    let name = new.name.clone();
    redirect_if_signed_out(backend.create_role_mapping(new).await)?;
    backend.leave_notice(Notice::RoleMappingSaved(name));
    return_to(&list);
    Ok(())
}

/// Changes a role mapping that is still as in `version`, leaves a notice and redirects to the list.
#[server(endpoint = "change_role_mapping", input = FormPost, output = Postcard)]
pub async fn change_role_mapping(
    form: RoleMappingForm,
    version: String,
    #[server(default)] list: String,
) -> Result<(), Problem> {
    let backend = backend()?;
    let changed = form.parse_change().map_err(ProblemKind::RoleMapping)?;
    let name = changed.name.clone();
    redirect_if_signed_out(backend.change_role_mapping(changed, version).await)?;
    backend.leave_notice(Notice::RoleMappingSaved(name));
    return_to(&list);
    Ok(())
}

/// Deletes a role mapping that is still as in `version`, leaves a notice and redirects to the list.
#[server(endpoint = "delete_role_mapping", input = FormPost, output = Postcard)]
pub async fn delete_role_mapping(
    name: String,
    version: String,
    #[server(default)] list: String,
) -> Result<(), Problem> {
    let backend = backend()?;
    redirect_if_signed_out(backend.delete_role_mapping(name.clone(), version).await)?;
    backend.leave_notice(Notice::RoleMappingDeleted(name));
    return_to(&list);
    Ok(())
}
