//! The server functions: each turns a form into vocabulary, asks the backend, and does nothing else.
//!
//! A browser without JavaScript posts its forms to the same addresses. The server then answers
//! with the page the form stood on, drawn with the outcome (see [`crate::components::form`]).

pub mod agent_keys;
pub mod apm_settings;
pub mod audit;
pub mod role;
pub mod session;
pub mod users;

#[cfg(feature = "server")]
use crate::model::problem::{Problem, ProblemKind};

/// Sends a person whose session ended to the sign-in page, whichever question brought it to light.
#[cfg(feature = "server")]
fn or_sign_in<T>(answer: Result<T, Problem>) -> Result<T, Problem> {
    if let Err(Problem {
        kind: ProblemKind::SignedOut | ProblemKind::SignInEnded,
        ..
    }) = &answer
    {
        leptos_axum::redirect("/login?reason=ended");
    }
    answer
}
