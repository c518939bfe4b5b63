//! `PUT|POST /_security/privilege`: registers privileges of applications.

use serde_json::{Map, Value, json};

use super::authorize;
use crate::{
    error::ApiError,
    fields::{Dialect, Fields},
    http::call::{Answer, Call},
    privilege::application::{
        ApplicationPrivilege, action_problem, application_name_problem, is_privilege_name,
    },
};

/// Stores the privileges, all or none. Each replaces the one of the same name.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let privileges = parse(call.json()?)?;
    validate(&privileges)?;
    let applications: Vec<&str> = privileges
        .iter()
        .map(|(application, _, _)| application.as_str())
        .collect();
    authorize(call, &applications)?;
    let created = call
        .shared
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
    Ok(Answer::ok(Value::Object(body)))
}

fn parse(body: Value) -> Result<Vec<(String, String, ApplicationPrivilege)>, ApiError> {
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
            let mut fields = Fields::of(privilege, Dialect::Written(what.into()))?;
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

fn validate(privileges: &[(String, String, ApplicationPrivilege)]) -> Result<(), ApiError> {
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
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ApiError::Validation(problems))
    }
}
