//! Signing in and out, and who is signed in.

#![expect(
    missing_docs,
    reason = "a server function's struct has its arguments as fields"
)]

use crate::model::{
    problem::Problem,
    secret::Secret,
    viewer::{FrontDoor, Viewer},
};
#[cfg(feature = "server")]
use crate::urls;
#[cfg(feature = "server")]
use crate::{backend::backend, model::user::Credentials};
use leptos::{prelude::*, server_fn::codec::Postcard};

/// What the sign-in page shows before anybody is known.
#[server(endpoint = "read_front_door", output = Postcard)]
pub async fn read_front_door() -> Result<FrontDoor, Problem> {
    Ok(backend()?.front_door().await)
}

/// Signs in and goes to `next`, if that is a page of ours.
#[server(endpoint = "sign_in", output = Postcard)]
pub async fn sign_in(
    username: String,
    password: Secret,
    next: Option<String>,
) -> Result<(), Problem> {
    backend()?
        .sign_in(Credentials { username, password })
        .await?;
    leptos_axum::redirect(&urls::page_or_list(next.as_deref()));
    Ok(())
}

/// Checks the password once more and goes back to `next`, if that is a page of ours.
#[server(endpoint = "reauthenticate", output = Postcard)]
pub async fn reauthenticate(password: Secret, next: Option<String>) -> Result<(), Problem> {
    super::or_sign_in(backend()?.reauthenticate(password).await)?;
    leptos_axum::redirect(&urls::page_or_list(next.as_deref()));
    Ok(())
}

/// Signs out and goes to the sign-in page.
#[server(endpoint = "sign_out", output = Postcard)]
pub async fn sign_out() -> Result<(), Problem> {
    backend()?.sign_out().await?;
    leptos_axum::redirect(&urls::login("signed-out"));
    Ok(())
}

/// Who is signed in, and what they may do.
#[server(endpoint = "read_viewer", output = Postcard)]
pub async fn read_viewer() -> Result<Viewer, Problem> {
    super::or_sign_in(backend()?.viewer().await)
}
