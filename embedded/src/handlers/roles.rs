//! Roles: `/_security/role`.

use serde_json::{Map, Value, json};

use crate::{
    error::ApiError,
    http::{request::ApiRequest, response::ApiResponse},
    roles::{
        built_in::BUILT_IN_ROLES,
        descriptor::{DescriptorKind, RoleDescriptor, check_size, role_name_problem},
    },
    version::Version,
};

/// Stores a role. It takes effect with the next request, except in existing keys.
pub(crate) async fn put_role(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let name = request.segment(0);
    let role = RoleDescriptor::parse(name, request.json()?, DescriptorKind::Role)?;
    validate_role(name, &role, request.state.version)?;
    request.authorize()?;
    check_size(std::slice::from_ref(&role))?;
    let created = request.state.store.put_role(name, &role).await?;
    Ok(ApiResponse::ok(json!({ "role": { "created": created } })))
}

fn validate_role(name: &str, role: &RoleDescriptor, version: Version) -> Result<(), ApiError> {
    let mut problems = Vec::new();
    problems.extend(role_name_problem(name, DescriptorKind::Role));
    if BUILT_IN_ROLES.contains_key(name) {
        problems.push(format!("Role [{name}] is reserved and may not be used."));
    }
    problems.extend(role.problems(version));
    ApiError::check_rules(problems)
}

/// Returns the requested roles, built-in ones included, all by default; 404 when none of the named
/// exists.
pub(crate) fn get_roles(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let names = request.segment_list(0);
    request.authorize()?;
    let created = request.state.store.roles();
    let roles: Map<String, Value> = created
        .iter()
        .chain(BUILT_IN_ROLES.iter())
        .filter(|(name, _)| names.is_empty() || names.contains(name))
        .map(|(name, role)| (name.clone(), role.to_json()))
        .collect();
    Ok(ApiResponse::found(
        names.is_empty() || !roles.is_empty(),
        Value::Object(roles),
    ))
}

/// Deletes a role. Users may still list its name, which then grants nothing.
pub(crate) async fn delete_role(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let name = request.segment(0);
    request.authorize()?;
    if BUILT_IN_ROLES.contains_key(name) {
        return Err(ApiError::illegal(format!(
            "role [{name}] is reserved and cannot be deleted"
        )));
    }
    let found = request.state.store.delete_role(name).await?;
    Ok(ApiResponse::found(found, json!({ "found": found })))
}
