//! `POST /_security/oauth2/token`: gives out an access token.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::require_service;
use crate::{
    authentication::{Caller, Credential, Subject, authenticate::basic},
    error::ApiError,
    http::call::{Answer, Call},
    privilege::permission::Permission,
    store::tokens::NewToken,
};

/// How long an access token lives, in seconds.
const ACCESS_SECONDS: i64 = 20 * 60;
/// How long a refresh token lives, in seconds.
const REFRESH_SECONDS: i64 = 24 * 3_600;

struct Input {
    grant_type: Option<String>,
    username: Option<String>,
    password: Option<SecretString>,
    refresh_token: Option<SecretString>,
    scope: Option<String>,
}

/// Answers the token, and who it stands for.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let input = Input::parse(call)?;
    require_service(call)?;
    call.authorize()?;
    let subject = match input.grant_type.as_deref() {
        Some("password") => by_password(call, &input).await?,
        Some("refresh_token") => by_refresh_token(call, &input).await?,
        Some("client_credentials") => by_caller(call)?,
        Some("_kerberos") => return Err(oauth("invalid_grant", "kerberos is not configured")),
        _ => {
            return Err(oauth(
                "unsupported_grant_type",
                "grant_type only supports the values: [password, _kerberos, refresh_token, client_credentials]",
            ));
        }
    };
    let refreshable = input.grant_type.as_deref() != Some("client_credentials");
    let now_ms = call.shared.clock.now_ms();
    let access = call.shared.randomness.secret()?;
    let refresh = refreshable
        .then(|| call.shared.randomness.secret())
        .transpose()?;
    call.shared
        .store
        .insert_token(&NewToken {
            access: &access,
            refresh: refresh.as_ref(),
            username: &subject.username,
            realm_name: &subject.realm.name,
            created: now_ms,
            access_expires: now_ms + ACCESS_SECONDS * 1_000,
            refresh_expires: now_ms + REFRESH_SECONDS * 1_000,
        })
        .await?;
    let caller = Caller {
        subject,
        on_behalf: None,
    };
    let mut body = json!({
        "access_token": access.expose_secret(),
        "type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "authentication": caller.to_json(),
    });
    if let Some(object) = body.as_object_mut() {
        if let Some(refresh) = &refresh {
            object.insert("refresh_token".to_owned(), refresh.expose_secret().into());
        }
        if let Some(scope) = input.scope.filter(|scope| !scope.is_empty()) {
            object.insert("scope".to_owned(), Value::String(scope));
        }
    }
    Ok(Answer::ok(body))
}

impl Input {
    fn parse(call: &Call<'_>) -> Result<Self, ApiError> {
        let mut fields = call.strict("token_request")?;
        let input = Self {
            grant_type: fields.string("grant_type")?,
            username: fields.string("username")?,
            password: fields.string("password")?.map(SecretString::from),
            refresh_token: fields.string("refresh_token")?.map(SecretString::from),
            scope: fields.string_or_null("scope")?,
        };
        fields.string("kerberos_ticket")?;
        fields.finish()?;
        Ok(input)
    }
}

async fn by_password(call: &Call<'_>, input: &Input) -> Result<Arc<Subject>, ApiError> {
    let (Some(username), Some(password)) = (&input.username, &input.password) else {
        return Err(oauth(
            "invalid_request",
            "username and password are required",
        ));
    };
    basic(call.shared, username, password)
        .await?
        .ok_or_else(|| ApiError::Unauthenticated {
            reason: format!(
                "unable to authenticate user [{username}] for action [{}]",
                call.action.name()
            ),
            detail: None,
        })
}

async fn by_refresh_token(call: &Call<'_>, input: &Input) -> Result<Arc<Subject>, ApiError> {
    let Some(token) = &input.refresh_token else {
        return Err(oauth("invalid_request", "refresh_token is required"));
    };
    let store = &call.shared.store;
    let refused = || oauth("invalid_grant", "token has expired, was used or is unknown");
    let username = store
        .use_refresh_token(token, call.shared.clock.now_ms())
        .await?
        .ok_or_else(refused)?;
    let user = store
        .user(&username)
        .await?
        .filter(|user| user.enabled)
        .ok_or_else(refused)?;
    let (roles, missing) = store.resolve(&user.roles);
    Ok(Arc::new(Subject::of_user(
        user,
        Credential::Password,
        Permission::of_user(roles),
        missing,
    )))
}

fn by_caller(call: &Call<'_>) -> Result<Arc<Subject>, ApiError> {
    let subject = &call.caller.subject;
    if subject.api_key_id().is_some() {
        return Err(oauth("invalid_grant", "an API key cannot ask for a token"));
    }
    Ok(subject.clone())
}

fn oauth(error: &'static str, description: &str) -> ApiError {
    ApiError::OAuth {
        error,
        description: description.to_owned(),
    }
}
