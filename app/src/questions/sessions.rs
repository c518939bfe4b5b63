//! Questions about the sessions that live.

#![expect(
    missing_docs,
    reason = "a server function's struct has its arguments as fields"
)]

#[cfg(feature = "server")]
use super::or_sign_in;
use crate::model::{audit::SearchText, problem::Problem, session::SessionList};
#[cfg(feature = "server")]
use crate::{
    backend::backend,
    model::{
        problem::ProblemKind,
        session::{EndedSession, SessionId},
    },
    urls,
};
use leptos::{prelude::*, server_fn::codec::Postcard};

/// The live sessions of whoever asks.
#[server(endpoint = "list_own_sessions", output = Postcard)]
pub async fn list_own_sessions() -> Result<SessionList, Problem> {
    or_sign_in(backend()?.list_own_sessions().await)
}

/// Everybody else's live sessions, of those whose user name holds `name`.
#[server(endpoint = "list_others_sessions", input = Postcard, output = Postcard)]
pub async fn list_others_sessions(name: SearchText) -> Result<SessionList, Problem> {
    or_sign_in(backend()?.list_others_sessions(name).await)
}

/// Ends a session. Ending the one in use goes to the sign-in page.
#[server(endpoint = "end_session", output = Postcard)]
pub async fn end_session(id: String) -> Result<(), Problem> {
    let id = SessionId::parse(&id).ok_or(ProblemKind::NotFound)?;
    let ended = or_sign_in(backend()?.end_session(id).await)?;
    if ended == EndedSession::This {
        leptos_axum::redirect(&urls::login("signed-out"));
    }
    Ok(())
}

/// Ends the sessions of whoever asks, but the one in use. How many.
#[server(endpoint = "end_other_sessions", output = Postcard)]
pub async fn end_other_sessions() -> Result<u64, Problem> {
    or_sign_in(backend()?.end_other_sessions().await)
}
