//! Authenticates requests: passwords, API keys, access tokens, and the user to run as.

use std::sync::Arc;

use http::HeaderMap;
use secrecy::SecretString;

use super::{
    authorization,
    credentials::{self, Credentials, CredentialsError, credentials},
};
use crate::{
    error::ApiError,
    guard::Client,
    identity::{Caller, CredentialKind, Subject},
    roles::permission::Permission,
    state::AppState,
    store::tokens::{AccessToken, FrozenIdentity, TokenSubject},
};

/// Name of the action that reading the caller's own identity performs.
pub(crate) const AUTHENTICATE: &str = "cluster:admin/xpack/security/user/authenticate";
const RUN_AS: &str = "es-security-runas-user";

/// The authenticated subject, and the user to run as.
pub(crate) struct Authenticated {
    subject: Arc<Subject>,
    run_as: Option<RunAs>,
}

impl Authenticated {
    /// Returns the caller of `action`: the subject itself, or the user that it may run as.
    pub(crate) fn caller(self, action: &str) -> Result<Caller, ApiError> {
        match self.run_as {
            None => Ok(Caller {
                subject: self.subject,
                on_behalf: None,
            }),
            Some(run_as) => run_as.caller(self.subject, action),
        }
    }
}

/// Authenticates the credentials in the headers of a request for `uri`.
///
/// Password and token checks are boxed, so that requests with API keys do not carry their large
/// futures.
pub(crate) async fn authenticate(
    state: &AppState,
    client: Client,
    headers: &HeaderMap,
    uri: &str,
) -> Result<Authenticated, ApiError> {
    let subject = match credentials(headers) {
        Ok(Credentials::Basic { username, password }) => {
            match Box::pin(check_password(state, client, &username, &password)).await? {
                Some(subject) => subject,
                None => return Err(failed(&username, uri)),
            }
        }
        Ok(Credentials::ApiKey { id, secret }) => check_api_key(state, &id, &secret)
            .await?
            .map_err(|detail| refused(Some(format!("API key: {detail}"))))?,
        Ok(Credentials::Bearer(access_token)) => {
            Box::pin(check_access_token(state, &access_token)).await?
        }
        Err(CredentialsError::BadApiKey(detail)) => {
            return Err(refused(Some(format!("API key: {detail}"))));
        }
        Err(CredentialsError::BadBasic(what)) => {
            return Err(ApiError::Unauthenticated {
                reason: format!("invalid basic authentication header {what}"),
                detail: None,
            });
        }
        Err(CredentialsError::Missing) => {
            return Err(ApiError::Unauthenticated {
                reason: format!("missing authentication credentials for REST request [{uri}]"),
                detail: None,
            });
        }
    };
    let run_as = match headers.get(RUN_AS) {
        None => None,
        Some(value) => {
            let username = value.to_str().unwrap_or_default();
            let found = Box::pin(look_up_run_as(state, username)).await?;
            Some(found.ok_or_else(|| failed(subject.principal(), uri))?)
        }
    };
    Ok(Authenticated { subject, run_as })
}

/// Returns the user with this name and password, if the password matches and the user is enabled.
pub(crate) async fn check_password(
    state: &AppState,
    client: Client,
    username: &str,
    password: &SecretString,
) -> Result<Option<Arc<Subject>>, ApiError> {
    let user = state.store.user(username).await?;
    let stored = user.as_ref().and_then(|user| user.password_hash.as_deref());
    let verify = || state.passwords.verify(client, username, password, stored);
    let fits = match (&state.guard, client) {
        (Some(guarded_by), Client::Other(address))
            if !state
                .passwords
                .remembers(client, username, password, stored) =>
        {
            let enabled = user.as_ref().is_some_and(|user| user.enabled);
            let mut failed = ApiError::Busy;
            let check = async {
                match verify().await {
                    Ok(fits) => Some(fits && enabled),
                    Err(error) => {
                        failed = error;
                        None
                    }
                }
            };
            let guard = &guarded_by.guard;
            let limited = guard.limit_guesses(username, address, Box::pin(check));
            match limited.await {
                Some(fits) => fits,
                None => return Err(failed),
            }
        }
        _ => verify().await?,
    };
    if let Some(outdated) = stored.filter(|stored| fits && state.passwords.is_outdated(stored)) {
        renew(state, client, username, password, outdated).await;
    }
    Ok(user
        .filter(|user| fits && user.enabled)
        .map(|user| state.store.subject(user, CredentialKind::Password)))
}

/// Replaces an outdated hash, because the password is known only now. A failure is logged and does
/// not fail the request: the next authentication tries again.
async fn renew(
    state: &AppState,
    client: Client,
    username: &str,
    password: &SecretString,
    outdated: &str,
) {
    let renewed = async {
        let hash = state.passwords.hash(client.lane(), password).await?;
        state
            .store
            .replace_password_hash(username, outdated, &hash)
            .await
    };
    if let Err(error) = renewed.await {
        tracing::warn!(?error, "a password could not be hashed anew");
    }
}

fn failed(principal: &str, uri: &str) -> ApiError {
    ApiError::Unauthenticated {
        reason: format!("unable to authenticate user [{principal}] for REST request [{uri}]"),
        detail: None,
    }
}

fn refused(detail: Option<String>) -> ApiError {
    ApiError::Unauthenticated {
        reason: "unable to authenticate with provided credentials and anonymous access is not allowed for this request".to_owned(),
        detail,
    }
}

/// Returns the subject of an API key, or the reason of the rejection, which is part of the
/// response.
///
/// The checks have Elasticsearch's order: existence, invalidation, secret, type, expiration.
async fn check_api_key(
    state: &AppState,
    id: &str,
    secret: &SecretString,
) -> Result<Result<Arc<Subject>, String>, ApiError> {
    let Some(key) = state.store.key_for_authentication(id).await? else {
        return Ok(Err(format!("unable to find apikey with id {id}")));
    };
    if key.invalidated {
        return Ok(Err(format!("api key [{id}] has been invalidated")));
    }
    if !credentials::matches(secret, &key.secret_hash) {
        return Ok(Err(format!("invalid credentials for API key [{id}]")));
    }
    if key.kind != "rest" {
        return Err(ApiError::Unauthenticated {
            reason: format!(
                "authentication expected API key type of [rest], but API key [{id}] has type [{}]",
                key.kind
            ),
            detail: None,
        });
    }
    if key
        .expiration
        .is_some_and(|end| end <= state.clock.now_ms())
    {
        return Ok(Err("api key is expired".to_owned()));
    }
    Ok(Ok(key.subject.clone()))
}

/// Returns the subject of a valid access token, with the roles that it had at sign-in.
///
/// # Errors
///
/// [`ApiError::TokenExpired`] for an expired or invalidated token, [`ApiError::Unauthenticated`]
/// for an unknown one.
pub(crate) async fn check_access_token(
    state: &AppState,
    access_token: &SecretString,
) -> Result<Arc<Subject>, ApiError> {
    if !state.token_service {
        return Err(refused(None));
    }
    let now_ms = state.clock.now_ms();
    let token = match state.store.access_token(access_token, now_ms).await? {
        None => return Err(refused(None)),
        Some(AccessToken::Ended) => return Err(ApiError::TokenExpired),
        Some(AccessToken::Valid(token)) => token,
    };
    subject_of_token(state, token, CredentialKind::Token)
        .await?
        .ok_or(ApiError::TokenExpired)
}

/// Returns the subject of a token; `None` if it is a user of the engine who was deleted or
/// disabled, or of a realm that is not configured any more. Elasticsearch lets the tokens of such
/// users expire by themselves.
pub(crate) async fn subject_of_token(
    state: &AppState,
    token: TokenSubject,
    credential: CredentialKind,
) -> Result<Option<Arc<Subject>>, ApiError> {
    if token.realm.has_stored_users() {
        let user = state.store.user(&token.username).await?;
        if user.is_none_or(|user| !user.enabled) {
            return Ok(None);
        }
    } else {
        let mut realms = state.oidc_realms.iter();
        if realms.all(|realm| realm.name() != token.realm.name) {
            return Ok(None);
        }
    }
    let FrozenIdentity {
        roles,
        full_name,
        email,
        metadata,
    } = token.identity;
    let (found, missing_roles) = state.store.resolve(&roles);
    Ok(Some(Arc::new(Subject {
        username: token.username,
        realm: token.realm,
        roles,
        missing_roles,
        full_name,
        email,
        metadata,
        credential,
        permission: Permission::of_user(found),
    })))
}

/// The user that a caller asks to run as.
pub(crate) struct RunAs {
    username: String,
    /// `None` for an unknown user.
    subject: Option<Arc<Subject>>,
}

/// Looks up the user. Returns `None` for a disabled user or an empty name, which fails the
/// authentication.
///
/// An unknown user is refused later, with the same message as a user whom the caller may not run
/// as.
pub(crate) async fn look_up_run_as(
    state: &AppState,
    username: &str,
) -> Result<Option<RunAs>, ApiError> {
    let user = state.store.user(username).await?;
    if username.is_empty() || user.as_ref().is_some_and(|user| !user.enabled) {
        return Ok(None);
    }
    let subject = user.map(|user| state.store.subject(user, CredentialKind::Password));
    Ok(Some(RunAs {
        username: username.to_owned(),
        subject,
    }))
}

impl RunAs {
    /// Returns the caller that runs as the user, if `authenticated` may do so for `action`.
    pub(crate) fn caller(
        self,
        authenticated: Arc<Subject>,
        action: &str,
    ) -> Result<Caller, ApiError> {
        match self.subject {
            Some(subject) if authenticated.permission.may_run_as(&self.username) => Ok(Caller {
                subject,
                on_behalf: Some(authenticated),
            }),
            _ => {
                let who = authorization::describe(&authenticated);
                let roles = authorization::describe_roles(&authenticated);
                Err(ApiError::Unauthorized(format!(
                    "action [{action}] is unauthorized for {who}{roles}, because {who} is unauthorized to run as [{}]",
                    self.username
                )))
            }
        }
    }
}
