//! Privileges that applications register, and the names of the built-in ones.

pub(crate) mod builtin;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod put;

use crate::{authorization, error::ApiError, http::call::Call};

/// Allows the caller to handle privileges of these applications: by the operation's own
/// privileges, or by `global.application.manage` of a role.
fn authorize(call: &Call<'_>, applications: &[&str]) -> Result<(), ApiError> {
    let permission = &call.caller.subject.permission;
    let managed = !applications.is_empty()
        && applications
            .iter()
            .all(|application| permission.manages_application(application));
    if managed {
        Ok(())
    } else {
        authorization::authorize(&call.caller, call.action)
    }
}
