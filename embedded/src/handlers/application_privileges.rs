//! Application privileges, and the names of the built-in ones: `/_security/privilege`.

use serde_json::{Map, Value, json};

use crate::{
    auth::authorization,
    error::ApiError,
    fields::{ErrorStyle, Fields},
    http::{request::ApiRequest, response::ApiResponse},
    pattern::matches,
    privileges::{
        application::{
            ApplicationPrivilege, action_problem, application_name_problem, is_privilege_name,
        },
        cluster,
        index::INDEX_PRIVILEGES,
    },
};

/// Stores privileges, all or none. Each replaces the privilege with the same name.
pub(crate) async fn put_application_privileges(
    request: &ApiRequest<'_>,
) -> Result<ApiResponse, ApiError> {
    let privileges = parse_privileges(request.json()?)?;
    validate_privileges(&privileges)?;
    let applications: Vec<&str> = privileges
        .iter()
        .map(|(application, _, _)| application.as_str())
        .collect();
    authorize_applications(request, &applications)?;
    let created = request
        .state
        .store
        .put_application_privileges(&privileges)
        .await?;
    let mut body: Map<String, Value> = Map::new();
    for ((application, name, _), created) in privileges.iter().zip(created) {
        let entry = body
            .entry(application.as_str())
            .or_insert_with(|| json!({}));
        entry[name.as_str()] = json!({ "created": created });
    }
    Ok(ApiResponse::ok(Value::Object(body)))
}

fn parse_privileges(body: Value) -> Result<Vec<(String, String, ApplicationPrivilege)>, ApiError> {
    let expected = || ApiError::parse("expected an object of applications with their privileges");
    let Value::Object(applications) = body else {
        return Err(expected());
    };
    let mut privileges = Vec::new();
    for (application, of_application) in applications {
        let Value::Object(of_application) = of_application else {
            return Err(expected());
        };
        for (name, privilege) in of_application {
            let what = format!("privilege [{name}] of application [{application}]");
            let mut fields = Fields::of(privilege, ErrorStyle::ParseException(what.into()))?;
            for (field, in_path) in [("application", &application), ("name", &name)] {
                if let Some(given) = fields.string(field)?
                    && given != *in_path
                {
                    return Err(ApiError::illegal(format!(
                        "{field} [{given}] does not match the expected value [{in_path}]"
                    )));
                }
            }
            let privilege = ApplicationPrivilege {
                actions: fields.strings("actions")?.unwrap_or_default(),
                metadata: fields.object_or_null("metadata")?.unwrap_or_default(),
            };
            fields.finish()?;
            privileges.push((application.clone(), name, privilege));
        }
    }
    Ok(privileges)
}

fn validate_privileges(
    privileges: &[(String, String, ApplicationPrivilege)],
) -> Result<(), ApiError> {
    let mut problems = Vec::new();
    if privileges.is_empty() {
        problems.push("At least one application privilege must be provided".to_owned());
    }
    for (application, name, privilege) in privileges {
        problems.extend(application_name_problem(application, false));
        if !is_privilege_name(name) {
            problems.push(format!(
                "Application privilege names must match the pattern ^[a-z][a-zA-Z0-9_.-]*$ (found '{name}')"
            ));
        }
        if privilege.actions.is_empty() {
            problems.push(format!(
                "Application privileges must have at least one action (privilege '{name}')"
            ));
        }
        problems.extend(
            privilege
                .actions
                .iter()
                .filter_map(|action| action_problem(action)),
        );
        if privilege.metadata.keys().any(|key| key.starts_with('_')) {
            problems.push("metadata keys may not start with [_]".to_owned());
        }
    }
    ApiError::check_rules(problems)
}

/// Returns the requested privileges; 404 when names were given and none exists.
pub(crate) fn get_application_privileges(
    request: &ApiRequest<'_>,
) -> Result<ApiResponse, ApiError> {
    let application = request.segments.first().map(String::as_str);
    let names = request.segment_list(1);
    authorize_applications(request, application.as_slice())?;
    let registered = request.state.store.application_privileges();
    let mut body = Map::new();
    for (known, privileges) in registered.iter() {
        if !application.is_none_or(|pattern| matches(pattern, known)) {
            continue;
        }
        let wanted: Map<String, Value> = privileges
            .iter()
            .filter(|(name, _)| names.is_empty() || names.contains(name))
            .map(|(name, privilege)| (name.clone(), privilege.to_json(known, name)))
            .collect();
        if !wanted.is_empty() {
            body.insert(known.clone(), Value::Object(wanted));
        }
    }
    Ok(ApiResponse::found(
        names.is_empty() || !body.is_empty(),
        Value::Object(body),
    ))
}

/// Deletes privileges; 404 when none of them existed.
pub(crate) async fn delete_application_privileges(
    request: &ApiRequest<'_>,
) -> Result<ApiResponse, ApiError> {
    let application = request.segment(0);
    let names = request.segment_list(1);
    authorize_applications(request, &[application])?;
    let found = request
        .state
        .store
        .delete_application_privileges(application, &names)
        .await?;
    let any = found.contains(&true);
    let outcome: Map<String, Value> = names
        .into_iter()
        .zip(found)
        .map(|(name, found)| (name, json!({ "found": found })))
        .collect();
    Ok(ApiResponse::found(any, json!({ application: outcome })))
}

/// Returns the sorted names.
pub(crate) fn get_builtin_privileges(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    request.authorize()?;
    let cluster: Vec<&str> = cluster::names(request.state.version).collect();
    let index: Vec<&str> = INDEX_PRIVILEGES.iter().map(|(name, _)| *name).collect();
    Ok(ApiResponse::ok(json!({
        "cluster": cluster,
        "index": index,
        "remote_cluster": ["monitor_enrich", "monitor_stats"],
    })))
}

/// Checks that the caller may read or change privileges of the applications: by the action's own
/// privileges, or by `global.application.manage` of a role.
fn authorize_applications(request: &ApiRequest<'_>, applications: &[&str]) -> Result<(), ApiError> {
    let permission = &request.caller.subject.permission;
    let managed = !applications.is_empty()
        && applications
            .iter()
            .all(|application| permission.manages_application(application));
    if managed {
        Ok(())
    } else {
        authorization::authorize(&request.caller, request.action)
    }
}
