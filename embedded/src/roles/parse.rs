//! Parses role descriptors.

use serde_json::{Map, Value};

use super::descriptor::{ApplicationEntry, DescriptorKind, IndexEntry, RoleDescriptor};
use crate::{
    error::ApiError,
    fields::{ErrorStyle, Fields},
};

impl RoleDescriptor {
    /// Parses the descriptor called `name`.
    ///
    /// # Errors
    ///
    /// `parse_exception` for an unknown field, a wrong type, or a missing field.
    pub(crate) fn parse(name: &str, value: Value, place: DescriptorKind) -> Result<Self, ApiError> {
        let mut fields = Fields::of(
            value,
            ErrorStyle::ParseException(format!("role [{name}]").into()),
        )?;
        let mut indices = Vec::new();
        for alias in ["index", "indices"] {
            for entry in fields.array(alias)?.unwrap_or_default() {
                indices.push(parse_index(name, entry)?);
            }
        }
        let mut applications = Vec::new();
        for alias in ["application", "applications"] {
            for entry in fields.array(alias)?.unwrap_or_default() {
                applications.push(parse_application(name, entry)?);
            }
        }
        let descriptor = Self {
            name: name.to_owned(),
            cluster: fields.strings("cluster")?.unwrap_or_default(),
            indices,
            applications,
            run_as: fields.strings("run_as")?.unwrap_or_default(),
            metadata: fields.object_or_null("metadata")?.unwrap_or_default(),
            global: object(&mut fields, "global")?.filter(has_content),
            remote_indices: fields
                .array("remote_indices")?
                .filter(|entries| !entries.is_empty())
                .map(Value::Array),
            remote_cluster: fields
                .array("remote_cluster")?
                .filter(|entries| !entries.is_empty())
                .map(Value::Array),
            restriction: match place {
                DescriptorKind::ApiKey => parse_restriction(&mut fields)?,
                DescriptorKind::Role => None,
            },
            description: match place {
                DescriptorKind::Role => fields.string_or_null("description")?,
                DescriptorKind::ApiKey => None,
            },
        };
        // Older clients send these two fields, which are ignored.
        fields.object_or_null("transient_metadata")?;
        fields.value("type");
        fields.finish()?;
        Ok(descriptor)
    }
}

fn has_content(value: &Value) -> bool {
    value.as_object().is_some_and(|object| !object.is_empty())
}

fn object(fields: &mut Fields, name: &str) -> Result<Option<Value>, ApiError> {
    Ok(fields.object(name)?.map(Value::Object))
}

fn parse_restriction(fields: &mut Fields) -> Result<Option<Value>, ApiError> {
    let Some(restriction) = fields.object("restriction")? else {
        return Ok(None);
    };
    let mut inner = Fields::of(
        Value::Object(restriction),
        ErrorStyle::ParseException("restriction".into()),
    )?;
    let workflows = inner.strings("workflows")?.unwrap_or_default();
    inner.finish()?;
    if workflows.is_empty() {
        return Err(ApiError::parse(
            "failed to parse restriction. [workflows] cannot be an empty array",
        ));
    }
    let mut restriction = Map::new();
    restriction.insert("workflows".to_owned(), workflows.into());
    Ok(Some(Value::Object(restriction)))
}

fn parse_index(role: &str, value: Value) -> Result<IndexEntry, ApiError> {
    let what = format!("indices privileges for role [{role}]");
    let mut fields = Fields::of(value, ErrorStyle::ParseException(what.clone().into()))?;
    let missing = |field: &str| {
        ApiError::parse(format!(
            "failed to parse {what}. missing required [{field}] field"
        ))
    };
    let names = fields.strings("names")?.ok_or_else(|| missing("names"))?;
    if names.is_empty() {
        return Err(ApiError::parse(format!(
            "failed to parse {what}. [names] cannot be an empty array"
        )));
    }
    let privileges = fields
        .strings("privileges")?
        .ok_or_else(|| missing("privileges"))?;
    let query = match fields.value("query") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(text)) => Some(text),
        Some(query @ Value::Object(_)) => Some(query.to_string()),
        Some(other) => {
            return Err(fields
                .error_style()
                .wrong_type("query", "an object or a string", &other));
        }
    };
    if let Some(query) = &query {
        refuse_terms_lookup(&what, query)?;
    }
    let entry = IndexEntry {
        names,
        privileges,
        field_security: parse_field_security(&what, &mut fields)?,
        query,
        allow_restricted_indices: fields.boolean("allow_restricted_indices")?.unwrap_or(false),
    };
    fields.finish()?;
    Ok(entry)
}

/// Refuses a query that is not an object, or that looks up terms in other documents.
fn refuse_terms_lookup(what: &str, query: &str) -> Result<(), ApiError> {
    let Ok(Value::Object(query)) = serde_json::from_str::<Value>(query) else {
        return Err(ApiError::parse(format!(
            "failed to parse {what}. failed to parse field [query]"
        )));
    };
    let looked_up = query
        .get("terms")
        .and_then(Value::as_object)
        .is_some_and(|terms| terms.values().any(Value::is_object));
    if looked_up {
        return Err(ApiError::illegal(
            "terms query with terms lookup isn't supported as part of a role query",
        ));
    }
    Ok(())
}

fn parse_field_security(what: &str, fields: &mut Fields) -> Result<Option<Value>, ApiError> {
    let Some(object) = fields.object_or_null("field_security")? else {
        return Ok(None);
    };
    let mut inner = Fields::of(
        Value::Object(object),
        ErrorStyle::ParseException(what.to_owned().into()),
    )?;
    let grant = inner.strings("grant")?;
    let except = inner.strings("except")?;
    inner.finish()?;
    let refuse = |why: &str| Err(ApiError::parse(format!("failed to parse {what}. {why}")));
    match (&grant, &except) {
        (None, Some(_)) => {
            return refuse("field_security requires [grant] if [except] is given");
        }
        (None, None) => {
            return refuse("[field_security] must have at least one of [grant], [except]");
        }
        (Some(grant), Some(except)) => {
            let subset = except
                .iter()
                .all(|field| crate::pattern::any_covers(grant.iter().map(String::as_str), field));
            if !subset {
                return refuse(
                    "exceptions for field permissions must be a subset of the granted fields",
                );
            }
        }
        (Some(_), None) => {}
    }
    let mut security = Map::new();
    for (name, list) in [("grant", grant), ("except", except)] {
        if let Some(list) = list {
            security.insert(name.to_owned(), list.into());
        }
    }
    Ok(Some(Value::Object(security)))
}

fn parse_application(role: &str, value: Value) -> Result<ApplicationEntry, ApiError> {
    let what = format!("application privileges for role [{role}]");
    let mut fields = Fields::of(value, ErrorStyle::ParseException(what.clone().into()))?;
    let application = fields.string("application")?;
    let privileges = fields.strings("privileges")?;
    let resources = fields.strings("resources")?;
    fields.finish()?;
    let missing = |field: &str| {
        ApiError::parse(format!(
            "failed to parse {what}. missing required [{field}] field"
        ))
    };
    Ok(ApplicationEntry {
        application: application.ok_or_else(|| missing("application"))?,
        privileges: privileges
            .filter(|list| !list.is_empty())
            .ok_or_else(|| missing("privileges"))?,
        resources: resources
            .filter(|list| !list.is_empty())
            .ok_or_else(|| missing("resources"))?,
    })
}
