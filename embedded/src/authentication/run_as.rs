//! Acting as another user: the `es-security-runas-user` header.

use std::sync::Arc;

use super::{Caller, Credential, Subject};
use crate::{engine::Shared, error::ApiError, privilege::permission::Permission};

/// The caller that acts as `username`, if `authenticated` may do so.
///
/// A user who does not exist is refused in the same words as one who may not be acted as.
pub(crate) async fn run_as(
    shared: &Shared,
    authenticated: Arc<Subject>,
    username: &str,
    action: &str,
) -> Result<Caller, ApiError> {
    let user = shared
        .store
        .user(username)
        .await?
        .filter(|user| user.enabled);
    match user {
        Some(user) if authenticated.permission.may_run_as(username) => {
            let (roles, missing) = shared.store.resolve(&user.roles);
            let subject = Subject::of_user(
                user,
                Credential::Password,
                Permission::of_user(roles),
                missing,
            );
            Ok(Caller {
                subject: Arc::new(subject),
                on_behalf: Some(authenticated),
            })
        }
        _ => Err(ApiError::Unauthorized(format!(
            "action [{action}] is unauthorized for user [{}] run as [{username}]",
            authenticated.username
        ))),
    }
}
