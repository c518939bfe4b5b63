//! `PUT|POST /_security/role/{name}`: creates or replaces a role.

use serde_json::json;

use crate::{
    error::ApiError,
    http::call::{Answer, Call},
    privilege::built_in_roles::BUILT_IN_ROLES,
    role_descriptor::{Place, RoleDescriptor, validate::role_name_problem},
    version::Version,
};

/// Stores the role. It counts from the next request on, except in keys that exist already.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let name = call.segment(0);
    let role = RoleDescriptor::parse(name, call.json()?, Place::Role)?;
    validate(name, &role, call.shared.version)?;
    call.authorize()?;
    let created = call.shared.store.put_role(name, &role).await?;
    Ok(Answer::ok(json!({ "role": { "created": created } })))
}

fn validate(name: &str, role: &RoleDescriptor, version: Version) -> Result<(), ApiError> {
    let mut problems = Vec::new();
    problems.extend(role_name_problem(name, Place::Role));
    if BUILT_IN_ROLES.contains_key(name) {
        problems.push(format!("Role [{name}] is reserved and may not be used."));
    }
    problems.extend(role.problems(version));
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ApiError::Validation(problems))
    }
}
