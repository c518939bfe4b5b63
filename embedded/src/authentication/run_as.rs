//! Acting as another user: the `es-security-runas-user` header.

use std::sync::Arc;

use super::{Caller, Credential, Subject};
use crate::{authorization, error::ApiError, privilege::permission::Permission, state::Shared};

/// The user that a caller wants to act as.
pub(crate) struct RunAs {
    username: String,
    /// `None` when there is no such user.
    subject: Option<Arc<Subject>>,
}

/// Looks the user up; `None` when the user is disabled or has no name, which fails the authentication.
///
/// That there is no such user is only answered later, in the words for a user whom the caller may not act as.
pub(crate) async fn look_up(shared: &Shared, username: &str) -> Result<Option<RunAs>, ApiError> {
    let user = shared.store.user(username).await?;
    if username.is_empty() || user.as_ref().is_some_and(|user| !user.enabled) {
        return Ok(None);
    }
    let subject = user.map(|user| {
        let (roles, missing) = shared.store.resolve(&user.roles);
        let permission = Permission::of_user(roles);
        Arc::new(Subject::of_user(
            user,
            Credential::Password,
            permission,
            missing,
        ))
    });
    Ok(Some(RunAs {
        username: username.to_owned(),
        subject,
    }))
}

impl RunAs {
    /// The caller that acts as the user, if `authenticated` may. `action` is what it is wanted for.
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
