//! OAuth2 access tokens: `/_security/oauth2/token`. Off unless [`crate::Config::token_service`] is set.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    auth::authenticate::check_password,
    error::ApiError,
    http::{request::ApiRequest, response::ApiResponse},
    identity::{Caller, CredentialKind, Subject},
    store::tokens::{NewToken, TokenSelection},
};

/// Lifetime of an access token, in seconds.
const ACCESS_SECONDS: i64 = 20 * 60;
/// Lifetime of a refresh token, in seconds.
const REFRESH_SECONDS: i64 = 24 * 3_600;

struct CreateTokenRequest {
    grant_type: Option<String>,
    username: Option<String>,
    password: Option<SecretString>,
    refresh_token: Option<SecretString>,
    scope: Option<String>,
}

/// Issues an access token, and returns it with the identity of its subject.
pub(crate) async fn create_token(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let input = CreateTokenRequest::parse(request)?;
    require_service(request)?;
    request.authorize()?;
    let subject = match input.grant_type.as_deref() {
        Some("password") => by_password(request, &input).await?,
        Some("refresh_token") => by_refresh_token(request, &input).await?,
        Some("client_credentials") => by_caller(request)?,
        Some("_kerberos") => return Err(oauth("invalid_grant", "kerberos is not configured")),
        _ => {
            return Err(oauth(
                "unsupported_grant_type",
                "grant_type only supports the values: [password, _kerberos, refresh_token, client_credentials]",
            ));
        }
    };
    let refreshable = input.grant_type.as_deref() != Some("client_credentials");
    let now_ms = request.state.clock.now_ms();
    let access = request.state.random.secret()?;
    let refresh = refreshable
        .then(|| request.state.random.secret())
        .transpose()?;
    request
        .state
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
    Ok(ApiResponse::ok(body))
}

impl CreateTokenRequest {
    fn parse(request: &ApiRequest<'_>) -> Result<Self, ApiError> {
        let mut fields = request.fields_xcontent("token_request")?;
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

async fn by_password(
    request: &ApiRequest<'_>,
    input: &CreateTokenRequest,
) -> Result<Arc<Subject>, ApiError> {
    let (Some(username), Some(password)) = (&input.username, &input.password) else {
        return Err(oauth(
            "invalid_request",
            "username and password are required",
        ));
    };
    check_password(request.state, request.client, username, password)
        .await?
        .ok_or_else(|| ApiError::Unauthenticated {
            reason: format!(
                "unable to authenticate user [{username}] for action [{}]",
                request.action.name
            ),
            detail: None,
        })
}

async fn by_refresh_token(
    request: &ApiRequest<'_>,
    input: &CreateTokenRequest,
) -> Result<Arc<Subject>, ApiError> {
    let Some(token) = &input.refresh_token else {
        return Err(oauth("invalid_request", "refresh_token is required"));
    };
    let store = &request.state.store;
    let refused = || oauth("invalid_grant", "token has expired, was used or is unknown");
    let username = store
        .use_refresh_token(token, request.state.clock.now_ms())
        .await?
        .ok_or_else(refused)?;
    let user = store
        .user(&username)
        .await?
        .filter(|user| user.enabled)
        .ok_or_else(refused)?;
    Ok(store.subject(user, CredentialKind::Password))
}

fn by_caller(request: &ApiRequest<'_>) -> Result<Arc<Subject>, ApiError> {
    let subject = &request.caller.subject;
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

/// Invalidates one token, or all tokens of a user or realm; 404 when there is none.
pub(crate) async fn invalidate_tokens(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let selection = parse_selection(request)?;
    require_service(request)?;
    request.authorize()?;
    let state = request.state;
    let (invalidated, previously) = state
        .store
        .invalidate_tokens(&selection, state.clock.now_ms())
        .await?;
    Ok(ApiResponse::found(
        invalidated + previously > 0,
        json!({
            "invalidated_tokens": invalidated,
            "previously_invalidated_tokens": previously,
            "error_count": 0,
        }),
    ))
}

fn parse_selection(request: &ApiRequest<'_>) -> Result<TokenSelection, ApiError> {
    let mut fields = request.fields_xcontent("invalidate_token")?;
    let token = fields.string("token")?.map(SecretString::from);
    let refresh_token = fields.string("refresh_token")?.map(SecretString::from);
    let realm_name = fields.string("realm_name")?;
    let username = fields.string("username")?;
    fields.finish()?;
    match (token, refresh_token, realm_name, username) {
        (Some(token), None, None, None) => Ok(TokenSelection::Access(token)),
        (None, Some(token), None, None) => Ok(TokenSelection::Refresh(token)),
        (None, None, None, None) => Err(ApiError::validation(
            "one of [token, refresh_token, realm_name, username] must be specified",
        )),
        (None, None, realm_name, username) => Ok(TokenSelection::Of {
            username,
            realm_name,
        }),
        _ => Err(ApiError::validation(
            "only one of [token, refresh_token] can be specified, and neither with realm_name or username",
        )),
    }
}

/// Refuses the request if tokens are off.
fn require_service(request: &ApiRequest<'_>) -> Result<(), ApiError> {
    if request.state.token_service {
        return Ok(());
    }
    Err(ApiError::FeatureDisabled("security_tokens"))
}
