//! The caller's own identity and privileges: `/_security/_authenticate` and
//! `/_security/user/_privileges`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    error::ApiError,
    http::{request::ApiRequest, response::ApiResponse},
    roles::descriptor::{IndexEntry, RoleDescriptor},
};

pub(crate) fn get_authentication(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    request.authorize()?;
    Ok(ApiResponse::ok(request.caller.to_json()))
}

/// Returns the merged privileges of the caller's roles.
pub(crate) fn get_user_privileges(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    request.authorize()?;
    let permission = &request.caller.subject.permission;
    if permission.has_assigned() {
        return Err(ApiError::illegal(
            "Cannot retrieve privileges for API keys with assigned role descriptors. Please use the Get API key information API https://ela.st/es-api-get-api-key",
        ));
    }
    Ok(ApiResponse::ok(merge(permission.roles())))
}

fn merge(roles: &[RoleDescriptor]) -> Value {
    let cluster: BTreeSet<&String> = roles.iter().flat_map(|role| &role.cluster).collect();
    let run_as: BTreeSet<&String> = roles.iter().flat_map(|role| &role.run_as).collect();
    let distinct = |values: Vec<Value>| {
        let mut kept: Vec<Value> = Vec::new();
        for value in values {
            if !kept.contains(&value) {
                kept.push(value);
            }
        }
        kept
    };
    let list = |value: &Option<Value>| {
        value
            .as_ref()
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let global = distinct(
        roles
            .iter()
            .filter_map(|role| role.global.clone())
            .collect(),
    );
    let indices = distinct(
        roles
            .iter()
            .flat_map(|role| &role.indices)
            .map(index_entry)
            .collect(),
    );
    let applications = distinct(
        roles
            .iter()
            .flat_map(|role| &role.applications)
            .map(|entry| entry.to_json())
            .collect(),
    );
    let mut merged = json!({
        "cluster": cluster,
        "global": global,
        "indices": indices,
        "applications": applications,
        "run_as": run_as,
    });
    let remote = [
        (
            "remote_indices",
            roles
                .iter()
                .flat_map(|role| list(&role.remote_indices))
                .collect(),
        ),
        (
            "remote_cluster",
            roles
                .iter()
                .flat_map(|role| list(&role.remote_cluster))
                .collect(),
        ),
    ];
    if let Some(object) = merged.as_object_mut() {
        for (name, entries) in remote {
            let entries: Vec<Value> = distinct(entries);
            if !entries.is_empty() {
                object.insert(name.to_owned(), entries.into());
            }
        }
    }
    merged
}

/// An index entry of the merged privileges. Field and document limits are lists, because several
/// roles may have some.
fn index_entry(entry: &IndexEntry) -> Value {
    let mut json = Map::new();
    json.insert("names".to_owned(), entry.names.clone().into());
    json.insert("privileges".to_owned(), entry.privileges.clone().into());
    if let Some(field_security) = &entry.field_security {
        json.insert("field_security".to_owned(), json!([field_security]));
    }
    if let Some(query) = &entry.query {
        json.insert("query".to_owned(), json!([query]));
    }
    json.insert(
        "allow_restricted_indices".to_owned(),
        entry.allow_restricted_indices.into(),
    );
    Value::Object(json)
}
