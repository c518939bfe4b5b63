//! Role mappings: `/_security/role_mapping`. They are stored for their administrators and never
//! applied, because no realm of this engine maps roles.

use serde_json::{Map, Value, json};

use crate::{
    error::ApiError,
    fields::Fields,
    http::{request::ApiRequest, response::ApiResponse},
};

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
