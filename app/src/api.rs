//! Server functions: each parses a form into types of [`crate::model`] and calls the backend.
//!
//! A browser without JavaScript posts its forms to the same addresses. The server then responds
//! with the page of the form and its outcome (see [`crate::components::form`]).
//!
//! Server functions for the APM integration.
//!
//! Server function for the audit log.

pub mod agent_keys;
pub mod form_post;
pub mod sessions;
pub mod users;

use crate::{
    api::form_post::FormPost,
    model::{
        apm_settings::ApmIntegration,
        audit::{AuditPage, AuditQuery},
        problem::Problem,
    },
};
#[cfg(feature = "server")]
use crate::{
    backend::backend,
    model::{
        apm_settings::{ApmSettings, ApmSettingsErrors, ServerUrl, parse_limit},
        problem::{Problem, ProblemKind},
    },
    urls,
};
use codee::binary::PostcardCodec;
#[cfg(feature = "server")]
use leptos::server_fn::ServerFn;
use leptos::{
    prelude::{Resource, *},
    server_fn::codec::Postcard,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

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
pub const WITHOUT_USER: [&str; 15] = [
    agent_keys::ListAgentKeys::PATH,
    agent_keys::FindAgentKey::PATH,
    agent_keys::FindAgentKeys::PATH,
    agent_keys::FindMatchingKeys::PATH,
    agent_keys::PrepareAgentKey::PATH,
    apm_settings::ReadApmIntegration::PATH,
    audit::ReadAudit::PATH,
    sessions::ListOwnSessions::PATH,
    sessions::ListOthersSessions::PATH,
    sessions::ReadLoginInfo::PATH,
    sessions::ReadViewer::PATH,
    sessions::SetTheme::PATH,
    sessions::SignIn::PATH,
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

#[server(endpoint = "read_apm_integration", output = Postcard)]
pub async fn read_apm_integration() -> Result<ApmIntegration, Problem> {
    redirect_if_signed_out(backend()?.apm_integration().await)
}

/// The form's fields, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApmSettingsForm {
    pub server_url: String,
    /// Present if API-key authorization is on.
    pub api_key_enabled: Option<String>,
    pub api_key_limit: String,
}

#[server(endpoint = "save_apm_settings", input = FormPost, output = Postcard)]
pub async fn save_apm_settings(form: ApmSettingsForm) -> Result<(), Problem> {
    let settings = parse_settings(&form).map_err(ProblemKind::ApmSettings)?;
    redirect_if_signed_out(backend()?.save_apm_settings(settings).await)
}

#[cfg(feature = "server")]
fn parse_settings(form: &ApmSettingsForm) -> Result<ApmSettings, ApmSettingsErrors> {
    let server_url = match form.server_url.trim() {
        "" => Ok(None),
        text => ServerUrl::parse(text).map(Some),
    };
    let limit = parse_limit(&form.api_key_limit);
    match (server_url, limit) {
        (Ok(server_url), Some(api_key_limit)) => Ok(ApmSettings {
            server_url,
            api_key_enabled: form.api_key_enabled.is_some(),
            api_key_limit,
        }),
        (server_url, limit) => Err(ApmSettingsErrors {
            server_url: server_url.err(),
            limit: limit.is_none(),
        }),
    }
}

#[server(endpoint = "read_audit", input = Postcard, output = Postcard)]
pub async fn read_audit(query: AuditQuery) -> Result<AuditPage, Problem> {
    redirect_if_signed_out(backend()?.read_audit(query).await)
}
