//! Server functions: each parses a form into types of [`crate::model`] and calls the backend.
//!
//! A browser without JavaScript posts its forms to the same addresses. The server then responds
//! with the page of the form and its outcome (see [`crate::components::form`]).

pub mod agent_keys;
pub mod apm_settings;
pub mod audit;
pub mod form_post;
pub mod sessions;
pub mod users;

#[cfg(feature = "server")]
use crate::model::problem::Problem;
#[cfg(feature = "server")]
use crate::urls;
use codee::binary::PostcardCodec;
use leptos::prelude::Resource;
#[cfg(feature = "server")]
use leptos::server_fn::ServerFn;
use serde::{Serialize, de::DeserializeOwned};

/// Data that a page loads. The server serializes it into the page with the codec of the server functions.
pub type PageResource<T> = Resource<T, PostcardCodec>;

/// Loads data, and loads it again when `about` changes. The server sends a page only when its data are loaded.
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

/// Server functions that need no mark of the session's user: those that change nothing, the theme, which belongs to the
/// browser, and signing in, which names its user. A post to any other carries [`form_post::USER_FIELD`].
#[cfg(feature = "server")]
pub const WITHOUT_USER: [&str; 17] = [
    agent_keys::ListAgentKeys::PATH,
    agent_keys::FindAgentKey::PATH,
    agent_keys::FindAgentKeys::PATH,
    agent_keys::FindMatchingKeys::PATH,
    agent_keys::PrepareAgentKey::PATH,
    agent_keys::PrepareRotation::PATH,
    apm_settings::ReadApmIntegration::PATH,
    audit::ReadAudit::PATH,
    sessions::ListOwnSessions::PATH,
    sessions::ListOthersSessions::PATH,
    sessions::ReadLoginInfo::PATH,
    sessions::ReadViewer::PATH,
    sessions::SetTheme::PATH,
    sessions::SignIn::PATH,
    users::ListRoleMappings::PATH,
    users::ListUsers::PATH,
    users::ReadAgentKeyRole::PATH,
];

/// Redirects to the sign-in page if the session has ended.
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
