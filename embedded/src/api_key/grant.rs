//! `POST|PUT /_security/api_key/grant`: creates a key for someone else.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::create::{Input as KeyInput, create};
use crate::{
    authentication::{Subject, authenticate::basic, run_as, token},
    authorization::Action,
    error::ApiError,
    fields::{Dialect, Fields},
    http::call::{Answer, Call},
};

struct Input {
    grant: Grant,
    run_as: Option<String>,
    key: KeyInput,
}

/// How the future owner proves to agree.
enum Grant {
    Password {
        username: String,
        password: SecretString,
    },
    AccessToken(SecretString),
}

/// Creates the key. It belongs to the user whose credentials are given, or to the one that
/// user may act as.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let input = Input::parse(call.strict("grant_api_key_request")?)?;
    input.key.validate(call.shared.version)?;
    call.authorize()?;
    let subject = authenticate(call, &input.grant).await?;
    let owner = match &input.run_as {
        None => subject,
        Some(username) => match run_as::look_up(call.shared, username).await? {
            Some(found) => {
                found
                    .caller(subject, Action::UserAuthenticate.name())?
                    .subject
            }
            None => {
                return Err(failed(format!(
                    "unable to authenticate user [{}] for action [{}]",
                    subject.principal(),
                    call.action.name()
                )));
            }
        },
    };
    create(call.shared, &owner, input.key).await
}

impl Input {
    fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let grant_type = fields.string("grant_type")?;
        let username = fields.string("username")?;
        let password = fields.string("password")?.map(SecretString::from);
        let access_token = fields.string("access_token")?.map(SecretString::from);
        let run_as = fields.string("run_as")?;
        let client_authentication = fields.object("client_authentication")?;
        let key = fields.value("api_key").unwrap_or_else(|| json!({}));
        fields.finish()?;
        let grant_type = grant_type.ok_or_else(|| ApiError::illegal("Required [grant_type]"))?;
        let grant = match (grant_type.as_str(), username, password, access_token) {
            ("password", Some(username), Some(password), None) => {
                Grant::Password { username, password }
            }
            ("access_token", None, None, Some(token)) => Grant::AccessToken(token),
            ("password", username, password, token) => {
                return Err(unsuitable(
                    "password",
                    &[
                        ("username", username.is_none()),
                        ("password", password.is_none()),
                    ],
                    &[("access_token", token.is_some())],
                ));
            }
            ("access_token", username, password, token) => {
                return Err(unsuitable(
                    "access_token",
                    &[("access_token", token.is_none())],
                    &[
                        ("username", username.is_some()),
                        ("password", password.is_some()),
                    ],
                ));
            }
            (other, ..) => {
                return Err(ApiError::validation(format!(
                    "grant_type [{other}] is not supported"
                )));
            }
        };
        if client_authentication.is_some() {
            return Err(match grant {
                Grant::AccessToken(_) => ApiError::SecurityBadRequest(
                    "[client_authentication] not supported with the supplied access_token type"
                        .to_owned(),
                ),
                Grant::Password { .. } => ApiError::validation(
                    "[client_authentication] is not supported for grant_type [password]",
                ),
            });
        }
        let key = KeyInput::parse(Fields::of(
            match key {
                Value::Null => json!({}),
                key => key,
            },
            Dialect::Strict("api_key_request"),
        )?)?;
        Ok(Self { grant, run_as, key })
    }
}

/// Names what is missing and what does not belong.
fn unsuitable(
    grant_type: &str,
    missing: &[(&str, bool)],
    superfluous: &[(&str, bool)],
) -> ApiError {
    let mut problems = Vec::new();
    for (field, _) in missing.iter().filter(|(_, missing)| *missing) {
        problems.push(format!(
            "[{field}] is required for grant_type [{grant_type}]"
        ));
    }
    for (field, _) in superfluous.iter().filter(|(_, given)| *given) {
        problems.push(format!(
            "[{field}] is not supported for grant_type [{grant_type}]"
        ));
    }
    ApiError::Validation(problems)
}

async fn authenticate(call: &Call<'_>, grant: &Grant) -> Result<Arc<Subject>, ApiError> {
    let (subject, reason) = match grant {
        Grant::Password { username, password } => (
            basic(call.shared, username, password).await?,
            format!(
                "unable to authenticate user [{username}] for action [{}]",
                call.action.name()
            ),
        ),
        Grant::AccessToken(access_token) => (
            token::check(call.shared, access_token).await?,
            "token expired or unknown".to_owned(),
        ),
    };
    subject.ok_or_else(|| failed(reason))
}

fn failed(reason: String) -> ApiError {
    ApiError::GrantRefused {
        cause: Box::new(ApiError::Unauthenticated {
            reason,
            detail: None,
        }),
    }
}
