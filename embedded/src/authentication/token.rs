//! Checks an access token.

use std::sync::Arc;

use secrecy::SecretString;

use super::{Credential, Subject};
use crate::{error::ApiError, privilege::permission::Permission, state::Shared};

/// The subject of an access token, unless the token is unknown, ended or invalidated, or its
/// user cannot sign in any more.
pub(crate) async fn check(
    shared: &Shared,
    access_token: &SecretString,
) -> Result<Option<Arc<Subject>>, ApiError> {
    if !shared.token_service {
        return Ok(None);
    }
    let now_ms = shared.clock.now_ms();
    let Some(username) = shared.store.token_owner(access_token, now_ms).await? else {
        return Ok(None);
    };
    let Some(user) = shared
        .store
        .user(&username)
        .await?
        .filter(|user| user.enabled)
    else {
        return Ok(None);
    };
    let (roles, missing) = shared.store.resolve(&user.roles);
    Ok(Some(Arc::new(Subject::of_user(
        user,
        Credential::Token,
        Permission::of_user(roles),
        missing,
    ))))
}
