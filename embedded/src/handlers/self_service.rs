//! The caller's own identity and privileges: `/_security/_authenticate` and
//! `/_security/user/_privileges`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    error::ApiError,
    http::{request::ApiRequest, response::ApiResponse},
    roles::{
        application_permission::ApplicationPermission,
        descriptor::{IndexEntry, RoleDescriptor},
    },
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
    let registered = request.state.store.application_privileges();
    let applications: Vec<Value> = permission
        .applications(&registered)
        .iter()
        .flat_map(ApplicationPermission::entries)
        .map(|entry| {
            json!({
                "application": entry.application,
                "privileges": entry.privileges,
                "resources": entry.resources,
            })
        })
        .collect();
    Ok(ApiResponse::ok(merge(permission.roles(), applications)))
}

fn merge(roles: &[RoleDescriptor], applications: Vec<Value>) -> Value {
    let cluster: BTreeSet<&String> = roles.iter().flat_map(|role| &role.cluster).collect();
    let run_as: BTreeSet<&String> = roles.iter().flat_map(|role| &role.run_as).collect();
    let mut merged = json!({
        "cluster": cluster,
        "global": distinct(roles.iter().filter_map(|role| role.global.as_ref())),
        "indices": merge_indices(roles),
        "applications": applications,
        "run_as": run_as,
    });
    let entries = |list: fn(&RoleDescriptor) -> &Option<Value>| {
        distinct(
            roles
                .iter()
                .filter_map(move |role| list(role).as_ref()?.as_array())
                .flatten(),
        )
    };
    let remote = [
        ("remote_indices", entries(|role| &role.remote_indices)),
        ("remote_cluster", entries(|role| &role.remote_cluster)),
    ];
    if let Some(object) = merged.as_object_mut() {
        for (name, entries) in remote {
            if !entries.is_empty() {
                object.insert(name.to_owned(), entries.into());
            }
        }
    }
    merged
}

fn distinct<'v>(values: impl Iterator<Item = &'v Value>) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for value in values {
        if !kept.contains(value) {
            kept.push(value.clone());
        }
    }
    kept
}

/// Unites the index entries with the same names. An entry without a limit on fields or documents
/// lifts the limits of the others.
fn merge_indices(roles: &[RoleDescriptor]) -> Vec<Value> {
    let mut by_names: BTreeMap<(bool, BTreeSet<&str>), Vec<&IndexEntry>> = BTreeMap::new();
    for role in roles {
        // The only entry of a role with `none` as its first privilege counts as absent.
        if let [only] = role.indices.as_slice()
            && let Some(first) = only.privileges.first()
            && first.eq_ignore_ascii_case("none")
        {
            continue;
        }
        for entry in &role.indices {
            let names = entry.names.iter().map(String::as_str).collect();
            by_names
                .entry((entry.allow_restricted_indices, names))
                .or_default()
                .push(entry);
        }
    }
    by_names
        .into_iter()
        .map(|((allow_restricted_indices, names), entries)| {
            let privileges: BTreeSet<&String> =
                entries.iter().flat_map(|entry| &entry.privileges).collect();
            let mut json = json!({
                "names": names,
                "privileges": privileges,
                "allow_restricted_indices": allow_restricted_indices,
            });
            let fields: Option<Vec<&Value>> = entries
                .iter()
                .map(|entry| entry.field_security.as_ref())
                .collect();
            let queries: Option<BTreeSet<&String>> =
                entries.iter().map(|entry| entry.query.as_ref()).collect();
            if let Some(object) = json.as_object_mut() {
                if let Some(fields) = fields {
                    object.insert(
                        "field_security".to_owned(),
                        distinct(fields.into_iter()).into(),
                    );
                }
                if let Some(queries) = queries {
                    object.insert("query".to_owned(), json!(queries));
                }
            }
            json
        })
        .collect()
}
