//! OAuth2 access tokens: `/_security/oauth2/token`. Off unless [`crate::Config::token_service`] is set.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::{
    auth::authenticate::{check_password, subject_of_token},
    error::ApiError,
    http::{request::ApiRequest, response::ApiResponse},
    identity::{Caller, CredentialKind, Subject},
    store::tokens::{
        ACCESS_MS, RefreshRefusal, TokenClient, TokenPair, TokenSelection, TokenSubject,
    },
};

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
    let (pair, subject) = match input.grant_type.as_deref() {
        Some("password") => {
            let subject = by_password(request, &input).await?;
            (
                issue(request, &TokenSubject::of(&subject), true).await?,
                subject,
            )
        }
        Some("refresh_token") => refresh(request, &input).await?,
        Some("client_credentials") => {
            let subject = by_caller(request)?;
            (
                issue(request, &TokenSubject::of(&subject), false).await?,
                subject,
            )
        }
        Some("_kerberos") => return Err(oauth("invalid_grant", "kerberos is not configured")),
        _ => {
            return Err(oauth(
                "unsupported_grant_type",
                "grant_type only supports the values: [password, _kerberos, refresh_token, client_credentials]",
            ));
        }
    };
    let mut body = issued(&pair, subject);
    if let Some(scope) = input.scope.filter(|scope| !scope.is_empty()) {
        body.insert("scope".to_owned(), Value::String(scope));
    }
    Ok(ApiResponse::ok(body.into()))
}

/// Issues a new pair to the caller, for a subject.
pub(super) async fn issue(
    request: &ApiRequest<'_>,
    subject: &TokenSubject,
    refreshable: bool,
) -> Result<TokenPair, ApiError> {
    let state = request.state;
    let refresh = refreshable.then(|| state.random.secret());
    let pair = TokenPair {
        access: state.random.secret()?,
        refresh: refresh.transpose()?,
    };
    let now_ms = state.clock.now_ms();
    state
        .store
        .insert_token(&pair, subject, &client(request), now_ms)
        .await?;
    Ok(pair)
}

/// The client of the request, which alone may refresh the tokens that are issued to it.
fn client(request: &ApiRequest<'_>) -> TokenClient {
    TokenClient::of(&request.caller.subject)
}

/// The response with an issued pair.
pub(super) fn issued(pair: &TokenPair, subject: Arc<Subject>) -> Map<String, Value> {
    let caller = Caller {
        subject,
        on_behalf: None,
    };
    let mut body = Map::new();
    let mut insert = |name: &str, value: Value| body.insert(name.to_owned(), value);
    insert("access_token", pair.access.expose_secret().into());
    insert("type", "Bearer".into());
    insert("expires_in", (ACCESS_MS / 1_000).into());
    if let Some(refresh) = &pair.refresh {
        insert("refresh_token", refresh.expose_secret().into());
    }
    insert("authentication", caller.to_json());
    body
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
    require_password(request, username, password).await
}

/// Returns the user with this name and password, in the body of a request.
pub(super) async fn require_password(
    request: &ApiRequest<'_>,
    username: &str,
    password: &SecretString,
) -> Result<Arc<Subject>, ApiError> {
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

/// Exchanges a refresh token for its new pair. Its subject keeps the roles of the sign-in.
async fn refresh(
    request: &ApiRequest<'_>,
    input: &CreateTokenRequest,
) -> Result<(TokenPair, Arc<Subject>), ApiError> {
    let Some(token) = &input.refresh_token else {
        return Err(oauth("invalid_request", "refresh_token is required"));
    };
    let state = request.state;
    let refused = |refusal: RefreshRefusal| oauth("invalid_grant", &refusal.to_string());
    let (salt, now_ms) = (state.random.bytes()?, state.clock.now_ms());
    let (pair, subject) = state
        .store
        .refresh_token(token, &client(request), salt, now_ms)
        .await?
        .map_err(refused)?;
    let subject = subject_of_token(state, subject, CredentialKind::Password)
        .await?
        .ok_or_else(|| refused(RefreshRefusal::Invalidated))?;
    Ok((pair, subject))
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
pub(super) fn require_service(request: &ApiRequest<'_>) -> Result<(), ApiError> {
    if request.state.token_service {
        return Ok(());
    }
    Err(ApiError::FeatureDisabled("security_tokens"))
}
