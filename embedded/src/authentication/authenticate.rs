//! Finds out who sends a request.

use std::sync::Arc;

use http::HeaderMap;
use secrecy::SecretString;

use super::{
    Caller, Credential, Subject, api_key,
    header::{Credentials, NoCredentials, credentials},
    run_as::{self, RunAs},
    token,
};
use crate::{error::ApiError, privilege::permission::Permission, state::Shared};

const RUN_AS: &str = "es-security-runas-user";

/// An authenticated caller, and the user to act as.
pub(crate) struct Authenticated {
    subject: Arc<Subject>,
    run_as: Option<RunAs>,
}

impl Authenticated {
    /// The caller that does `action`: the subject, or the user it may act as.
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

/// The subject whose credentials are in these headers of a request for `uri`.
///
/// What agents do not need is boxed, so that their many requests do not carry it.
pub(crate) async fn authenticate(
    shared: &Shared,
    headers: &HeaderMap,
    uri: &str,
) -> Result<Authenticated, ApiError> {
    let subject = match credentials(headers) {
        Ok(Credentials::Basic { username, password }) => {
            match Box::pin(basic(shared, &username, &password)).await? {
                Some(subject) => subject,
                None => return Err(failed(&username, uri)),
            }
        }
        Ok(Credentials::ApiKey { id, secret }) => api_key::check(shared, &id, &secret)
            .await?
            .map_err(|detail| refused(format!("API key: {detail}")))?,
        Ok(Credentials::Bearer(access_token)) => Box::pin(token::check(shared, &access_token))
            .await?
            .ok_or_else(|| refused("token document is missing or invalid".to_owned()))?,
        Err(NoCredentials::BadApiKey(detail)) => return Err(refused(format!("API key: {detail}"))),
        Err(NoCredentials::BadBasic(what)) => {
            return Err(ApiError::Unauthenticated {
                reason: format!("invalid basic authentication header {what}"),
                detail: None,
            });
        }
        Err(NoCredentials::Missing) => {
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
            let found = Box::pin(run_as::look_up(shared, username)).await?;
            Some(found.ok_or_else(|| failed(subject.principal(), uri))?)
        }
    };
    Ok(Authenticated { subject, run_as })
}

/// The user with this name and password, if both fit and the user is enabled.
pub(crate) async fn basic(
    shared: &Shared,
    username: &str,
    password: &SecretString,
) -> Result<Option<Arc<Subject>>, ApiError> {
    let user = shared.store.user(username).await?;
    let stored = user.as_ref().and_then(|user| user.password_hash.as_deref());
    let fits = shared.passwords.verify(username, password, stored).await?;
    if let Some(outdated) = stored.filter(|stored| fits && shared.passwords.is_outdated(stored)) {
        renew(shared, username, password, outdated).await;
    }
    Ok(user.filter(|user| fits && user.enabled).map(|user| {
        let (roles, missing) = shared.store.resolve(&user.roles);
        Arc::new(Subject::of_user(
            user,
            Credential::Password,
            Permission::of_user(roles),
            missing,
        ))
    }))
}

/// Hashes the password anew, as dear as hashes are now: only at this moment is it known. Whoever signs in does not
/// fail for it; the next time will do as well.
async fn renew(shared: &Shared, username: &str, password: &SecretString, outdated: &str) {
    let renewed = async {
        let hash = shared.passwords.hash(password).await?;
        shared
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

fn refused(detail: String) -> ApiError {
    ApiError::Unauthenticated {
        reason: "unable to authenticate with provided credentials and anonymous access is not allowed for this request".to_owned(),
        detail: Some(detail),
    }
}
