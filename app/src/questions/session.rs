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
    leptos_axum::redirect(local_path(next.as_deref()));
    Ok(())
}

/// Checks the password once more and goes back to `next`, if that is a page of ours.
#[server(endpoint = "reauthenticate", output = Postcard)]
pub async fn reauthenticate(password: Secret, next: Option<String>) -> Result<(), Problem> {
    super::or_sign_in(backend()?.reauthenticate(password).await)?;
    leptos_axum::redirect(local_path(next.as_deref()));
    Ok(())
}

/// Signs out and goes to the sign-in page.
#[server(endpoint = "sign_out", output = Postcard)]
pub async fn sign_out() -> Result<(), Problem> {
    backend()?.sign_out().await?;
    leptos_axum::redirect("/login?reason=signed-out");
    Ok(())
}

/// Who is signed in, and what they may do.
#[server(endpoint = "read_viewer", output = Postcard)]
pub async fn read_viewer() -> Result<Viewer, Problem> {
    super::or_sign_in(backend()?.viewer().await)
}

/// The page to go to after signing in: only one of ours, whatever the address says.
#[cfg(feature = "server")]
fn local_path(next: Option<&str>) -> &str {
    let allowed = |path: &&str| {
        path.starts_with("/settings/")
            && path.len() <= 4_096
            && path
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && !path.contains("//")
    };
    next.filter(allowed).unwrap_or("/settings/agent-keys")
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::local_path;

    #[test]
    fn after_signing_in_the_next_page_is_one_of_ours() {
        assert_eq!(
            local_path(Some("/settings/users?q=a")),
            "/settings/users?q=a"
        );
        for hostile in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "https:evil.example",
            "/settings//evil",
            "/settings/\r\nSet-Cookie:a",
            "/settings/\u{2215}evil",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(
                local_path(Some(hostile)),
                "/settings/agent-keys",
                "{hostile}"
            );
        }
        assert_eq!(local_path(None), "/settings/agent-keys");
    }
}
