//! The server functions: each turns a form into vocabulary, asks the backend, and does nothing else.
//!
//! A browser without JavaScript posts its forms to the same addresses. The server then answers
//! with the page the form stood on, drawn with the outcome (see [`crate::components::form`]).

pub mod agent_keys;
pub mod apm_settings;
pub mod audit;
pub mod sessions;
pub mod users;

#[cfg(feature = "server")]
use crate::model::problem::Problem;
#[cfg(feature = "server")]
use crate::urls;
use codee::binary::PostcardCodec;
use leptos::prelude::Resource;
use serde::{Serialize, de::DeserializeOwned};

/// An answer that a page waits for. The server puts it into the page in the words that server functions use too.
pub type PageResource<T> = Resource<T, PostcardCodec>;

/// Asks a question, and asks it anew when what it is about changes. No page is sent before it has its answers.
pub fn page_resource<About, T, Asked>(
    about: impl Fn() -> About + Send + Sync + 'static,
    question: impl Fn(About) -> Asked + Send + Sync + 'static,
) -> PageResource<T>
where
    About: Clone + PartialEq + Send + Sync + 'static,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    Asked: Future<Output = T> + Send + 'static,
{
    Resource::new_with_options(about, question, true)
}

/// Sends a person whose session ended to the sign-in page, whichever question brought it to light.
#[cfg(feature = "server")]
fn redirect_if_signed_out<T>(answer: Result<T, Problem>) -> Result<T, Problem> {
    let reason = match &answer {
        Err(problem) => problem.kind.end_of_session(),
        Ok(_) => None,
    };
    if let Some(reason) = reason {
        leptos_axum::redirect(&urls::login(reason));
    }
    answer
}
