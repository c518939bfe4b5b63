//! Server functions for signing in and out, the signed-in user, and live sessions.

use super::form_post::FormPost;
#[cfg(feature = "server")]
use super::redirect_if_signed_out;
use crate::model::{
    audit::SearchText,
    problem::Problem,
    secret::Secret,
    session::{LoginInfo, SessionList, Viewer},
};
#[cfg(feature = "server")]
use crate::{
    backend::backend,
    model::{
        problem::ProblemKind,
        session::{EndedSession, SessionId},
        theme::{COOKIE, Theme},
        user::Credentials,
    },
    urls,
};
use leptos::{prelude::*, server_fn::codec::Postcard};

#[server(endpoint = "list_own_sessions", output = Postcard)]
pub async fn list_own_sessions() -> Result<SessionList, Problem> {
    redirect_if_signed_out(backend()?.list_own_sessions().await)
}

/// Returns the live sessions of other users whose user name contains `name`.
#[server(endpoint = "list_others_sessions", input = Postcard, output = Postcard)]
pub async fn list_others_sessions(name: SearchText) -> Result<SessionList, Problem> {
    redirect_if_signed_out(backend()?.list_others_sessions(name).await)
}

/// Ends a session. Ending the current one redirects to the sign-in page.
#[server(endpoint = "end_session", input = FormPost, output = Postcard)]
pub async fn end_session(id: String) -> Result<(), Problem> {
    let id = SessionId::parse(&id).ok_or(ProblemKind::NotFound)?;
    let ended = redirect_if_signed_out(backend()?.end_session(id).await)?;
    if ended == EndedSession::This {
        leptos_axum::redirect(&urls::login("signed-out"));
    }
    Ok(())
}

/// Ends the user's sessions except the current one, and returns their number.
#[server(endpoint = "end_other_sessions", input = FormPost, output = Postcard)]
pub async fn end_other_sessions() -> Result<u64, Problem> {
    redirect_if_signed_out(backend()?.end_other_sessions().await)
}

/// Content of the sign-in page.
#[server(endpoint = "read_login_info", output = Postcard)]
pub async fn read_login_info() -> Result<LoginInfo, Problem> {
    Ok(backend()?.login_info().await)
}

/// Signs in and redirects to `next`, if that is a page of this application.
#[server(endpoint = "sign_in", input = FormPost, output = Postcard)]
pub async fn sign_in(
    username: String,
    password: Secret,
    next: Option<String>,
) -> Result<(), Problem> {
    filled_in(username.trim().is_empty(), password.expose().is_empty())?;
    backend()?
        .sign_in(Credentials { username, password })
        .await?;
    leptos_axum::redirect(&urls::page_or_list(next.as_deref()));
    Ok(())
}

/// Verifies the password again and redirects to `next`, if that is a page of this application. Without `next`, the page
/// stays.
#[server(endpoint = "reauthenticate", input = FormPost, output = Postcard)]
pub async fn reauthenticate(password: Secret, next: Option<String>) -> Result<(), Problem> {
    filled_in(false, password.expose().is_empty())?;
    super::redirect_if_signed_out(backend()?.reauthenticate(password).await)?;
    if next.is_some() {
        leptos_axum::redirect(&urls::page_or_list(next.as_deref()));
    }
    Ok(())
}

/// Returns the problem of a field that was left empty.
#[cfg(feature = "server")]
fn filled_in(no_username: bool, no_password: bool) -> Result<(), Problem> {
    if no_username || no_password {
        let (username, password) = (no_username, no_password);
        return Err(ProblemKind::SignInIncomplete { username, password }.into());
    }
    Ok(())
}

/// Signs out and redirects to the sign-in page.
#[server(endpoint = "sign_out", input = FormPost, output = Postcard)]
pub async fn sign_out() -> Result<(), Problem> {
    backend()?.sign_out().await?;
    leptos_axum::redirect(&urls::login("signed-out"));
    Ok(())
}

/// Sets the theme in a cookie and redirects to the page of the form.
#[server(endpoint = "set_theme", input = FormPost, output = Postcard)]
pub async fn set_theme(theme: String, page: Option<String>) -> Result<(), Problem> {
    let theme: Theme = theme.parse().map_err(|_| ProblemKind::BadForm)?;
    let path = urls::base_path().join("/");
    let cookie = format!(
        "{COOKIE}={}; Path={path}; Max-Age=31536000; SameSite=Lax",
        theme.word()
    );
    if let (Some(response), Ok(cookie)) = (
        use_context::<leptos_axum::ResponseOptions>(),
        http::HeaderValue::from_str(&cookie),
    ) {
        response.append_header(http::header::SET_COOKIE, cookie);
    }
    leptos_axum::redirect(&urls::page_or_list(page.as_deref()));
    Ok(())
}

#[server(endpoint = "read_viewer", output = Postcard)]
pub async fn read_viewer() -> Result<Viewer, Problem> {
    super::redirect_if_signed_out(backend()?.viewer().await)
}
