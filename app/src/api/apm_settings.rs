//! Server functions for the APM integration.

use super::form_post::FormPost;
#[cfg(feature = "server")]
use super::redirect_if_signed_out;
use crate::model::{apm_settings::ApmIntegration, problem::Problem};
#[cfg(feature = "server")]
use crate::{
    backend::backend,
    model::{
        apm_settings::{ApmSettings, ApmSettingsErrors, ServerUrl, parse_limit},
        problem::ProblemKind,
    },
};
use leptos::{prelude::*, server_fn::codec::Postcard};
use serde::{Deserialize, Serialize};

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
    /// Empty for no limit.
    pub keys_per_user_max: String,
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
    let keys_per_user = match form.keys_per_user_max.trim() {
        "" => Some(None),
        text => parse_limit(text).map(Some),
    };
    match (server_url, limit, keys_per_user) {
        (Ok(server_url), Some(api_key_limit), Some(keys_per_user_max)) => Ok(ApmSettings {
            server_url,
            api_key_enabled: form.api_key_enabled.is_some(),
            api_key_limit,
            keys_per_user_max,
        }),
        (server_url, limit, keys_per_user) => Err(ApmSettingsErrors {
            server_url: server_url.err(),
            limit: limit.is_none(),
            keys_per_user: keys_per_user.is_none(),
        }),
    }
}
