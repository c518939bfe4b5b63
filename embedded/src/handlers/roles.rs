//! Roles (`/_security/role`), role mappings (`/_security/role_mapping`) and application privileges
//! (`/_security/privilege`). Role mappings are stored for their administrators and never applied,
//! because no realm of this engine maps roles.

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
    roles::{
        built_in::BUILT_IN_ROLES,
        descriptor::{DescriptorKind, RoleDescriptor, check_size, role_name_problem},
    },
    version::Version,
};
use serde_json::{Map, Value, json};

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

/// Maximum depth of nested rules.
const RULE_LEVELS_MAX: usize = 32;

pub(crate) async fn put_role_mapping(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let name = request.segment(0);
    let mapping = parse_mapping(request.fields_xcontent("role-mapping")?)?;
    request.authorize()?;
    let created = request.state.store.put_role_mapping(name, &mapping).await?;
    Ok(ApiResponse::ok(
        json!({ "role_mapping": { "created": created } }),
    ))
}

fn parse_mapping(mut fields: Fields) -> Result<Value, ApiError> {
    let enabled = fields.boolean("enabled")?;
    let roles = fields.strings("roles")?.unwrap_or_default();
    let templates = fields.array("role_templates")?.unwrap_or_default();
    let rules = fields.object("rules")?;
    let metadata = fields.object_or_null("metadata")?.unwrap_or_default();
    fields.string("name")?;
    fields.finish()?;
    let mut problems = Vec::new();
    if roles.is_empty() && templates.is_empty() {
        problems.push("role-mapping roles or role-templates are missing".to_owned());
    }
    if !roles.is_empty() && !templates.is_empty() {
        problems.push("role-mapping cannot have both roles and role-templates".to_owned());
    }
    match &rules {
        None => problems.push("role-mapping rules are missing".to_owned()),
        Some(rules) => check_rule(rules, 0)?,
    }
    if metadata.keys().any(|key| key.starts_with('_')) {
        problems.push("metadata keys may not start with [_]".to_owned());
    }
    ApiError::check_rules(problems)?;
    let mut mapping = Map::new();
    mapping.insert("enabled".to_owned(), enabled.unwrap_or(true).into());
    if templates.is_empty() {
        mapping.insert("roles".to_owned(), roles.into());
    } else {
        mapping.insert("role_templates".to_owned(), templates.into());
    }
    mapping.insert("rules".to_owned(), Value::Object(rules.unwrap_or_default()));
    mapping.insert("metadata".to_owned(), Value::Object(metadata));
    Ok(Value::Object(mapping))
}

fn check_rule(rule: &Map<String, Value>, level: usize) -> Result<(), ApiError> {
    let refuse = |why: &str| {
        Err(ApiError::parse(format!(
            "failed to parse rules expression. {why}"
        )))
    };
    if level > RULE_LEVELS_MAX {
        return refuse("the rules are nested too deeply");
    }
    let mut entries = rule.iter();
    let (Some((kind, content)), None) = (entries.next(), entries.next()) else {
        return refuse("expected exactly one field in a rule");
    };
    match (kind.as_str(), content) {
        ("any" | "all", Value::Array(rules)) => {
            for rule in rules {
                match rule {
                    Value::Object(rule) => check_rule(rule, level + 1)?,
                    _ => return refuse("expected an object"),
                }
            }
            Ok(())
        }
        ("except", Value::Object(rule)) => check_rule(rule, level + 1),
        ("field", Value::Object(field)) if field.len() == 1 => Ok(()),
        _ => refuse(&format!("unexpected field [{kind}]")),
    }
}

/// Returns the requested mappings, all by default; 404 when none of the named exists.
pub(crate) async fn get_role_mappings(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let names = request.segment_list(0);
    request.authorize()?;
    let mappings: Map<String, Value> = request
        .state
        .store
        .role_mappings()
        .await?
        .into_iter()
        .filter(|(name, _)| names.is_empty() || names.contains(name))
        .collect();
    Ok(ApiResponse::found(
        names.is_empty() || !mappings.is_empty(),
        Value::Object(mappings),
    ))
}

pub(crate) async fn delete_role_mapping(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    request.authorize()?;
    let found = request
        .state
        .store
        .delete_role_mapping(request.segment(0))
        .await?;
    Ok(ApiResponse::found(found, json!({ "found": found })))
}

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
