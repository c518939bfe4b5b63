//! `GET /_security/role[/{names}]`: roles, built-in ones included.

use serde_json::{Map, Value};

use crate::{
    error::ApiError,
    http::call::{Answer, Call},
    privilege::built_in_roles::BUILT_IN_ROLES,
};

/// Answers the roles asked for, all by default; 404 when none of the named exists.
pub(crate) fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let names = call.segment_list(0);
    call.authorize()?;
    let made = call.shared.store.roles();
    let roles: Map<String, Value> = made
        .iter()
        .chain(BUILT_IN_ROLES.iter())
        .filter(|(name, _)| names.is_empty() || names.contains(name))
        .map(|(name, role)| (name.clone(), role.to_json()))
        .collect();
    Ok(Answer::found(
        names.is_empty() || !roles.is_empty(),
        Value::Object(roles),
    ))
}
