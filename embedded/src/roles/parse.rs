//! Parses role descriptors.

use serde_json::{Map, Value};

use super::descriptor::{ApplicationEntry, DescriptorKind, IndexEntry, RoleDescriptor};
use crate::{
    error::ApiError,
    fields::{ErrorStyle, Fields, kind},
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
        for field in ["index", "indices"] {
            indices.extend(parse_indices(name, &mut fields, field)?.unwrap_or_default());
        }
        let mut applications = Vec::new();
        for field in ["application", "applications"] {
            applications.extend(parse_applications(name, &mut fields, field)?.unwrap_or_default());
        }
        let metadata = parse_metadata(&mut fields)?;
        let descriptor = Self {
            name: name.to_owned(),
            cluster: fields.string_array("cluster")?.unwrap_or_default(),
            indices,
            applications,
            run_as: fields.string_array("run_as")?.unwrap_or_default(),
            metadata,
            global: fields
                .value("global")
                .map(parse_global)
                .transpose()?
                .flatten(),
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
        if let Some(Value::Object(_)) = fields.get("transient_metadata") {
            fields.value("transient_metadata");
        }
        fields.value("type");
        fields.finish()?;
        Ok(descriptor)
    }
}

/// Privileges of `global` by category, with the list that each one holds.
const GLOBAL: [(&str, &str, &str); 3] = [
    ("application", "manage", "applications"),
    ("profile", "write", "applications"),
    ("role", "manage", "indices"),
];

/// Checks `global`, whose categories are known. Returns `None` if it is empty.
fn parse_global(global: Value) -> Result<Option<Value>, ApiError> {
    for (category, privileges) in object_entries(&global)? {
        let Some((_, privilege, list)) = GLOBAL.iter().find(|(name, ..)| name == category) else {
            let known = GLOBAL.map(|(name, ..)| name).join(",");
            return Err(unexpected(&format!("one of [{known}]"), category));
        };
        for (name, privilege_body) in object_entries(privileges)? {
            if name != privilege {
                return Err(unexpected(&format!("field name [{privilege}]"), name));
            }
            let mut fields = object_entries(privilege_body)?;
            match fields.next() {
                Some((name, Value::Array(_))) if name == list => {}
                Some((name, value)) if name == list => {
                    return Err(unexpected("[START_ARRAY]", kind(value)));
                }
                Some((name, _)) => {
                    return Err(unexpected(&format!("field name [{list}]"), name));
                }
                None => return Err(unexpected("[FIELD_NAME]", "END_OBJECT")),
            }
            if fields.next().is_some() {
                return Err(unexpected("[END_OBJECT]", "FIELD_NAME"));
            }
        }
    }
    let has_content = object_entries(&global)?.next().is_some();
    Ok(has_content.then_some(global))
}

fn object_entries(value: &Value) -> Result<impl Iterator<Item = (&String, &Value)>, ApiError> {
    let object = value.as_object();
    object
        .map(Map::iter)
        .ok_or_else(|| unexpected("[START_OBJECT]", kind(value)))
}

fn unexpected(expected: &str, found: &str) -> ApiError {
    ApiError::content(format!(
        "[1:1] failed to parse privilege. expected {expected} but found [{found}] instead"
    ))
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

fn parse_metadata(fields: &mut Fields) -> Result<Map<String, Value>, ApiError> {
    match fields.value("metadata") {
        None => Ok(Map::new()),
        Some(Value::Object(metadata)) => Ok(metadata),
        Some(other) => Err(ApiError::parse(format!(
            "expected field [metadata] to be of type object, but found [{}] instead",
            kind(&other)
        ))),
    }
}

/// Takes the index entries in `field` of the role or privilege check called `role`.
pub(crate) fn parse_indices(
    role: &str,
    fields: &mut Fields,
    field: &str,
) -> Result<Option<Vec<IndexEntry>>, ApiError> {
    let what = format!("indices privileges for role [{role}]");
    parse_entries(&what, fields, field, parse_index)
}

/// Takes the application entries in `field` of the role or privilege check called `role`.
pub(crate) fn parse_applications(
    role: &str,
    fields: &mut Fields,
    field: &str,
) -> Result<Option<Vec<ApplicationEntry>>, ApiError> {
    let what = format!("application privileges for role [{role}]");
    parse_entries(&what, fields, field, parse_application)
}

fn parse_entries<T>(
    what: &str,
    fields: &mut Fields,
    field: &str,
    parse: fn(&str, Fields) -> Result<T, ApiError>,
) -> Result<Option<Vec<T>>, ApiError> {
    let refuse = |problem: String| {
        Err(ApiError::parse(format!(
            "failed to parse {what}. expected field [{field}] value to be an array{problem}"
        )))
    };
    let entries = match fields.value(field) {
        None => return Ok(None),
        Some(Value::Array(entries)) => entries,
        Some(other) => return refuse(format!(", but found [{}] instead", kind(&other))),
    };
    let mut parsed = Vec::with_capacity(entries.len());
    for entry in entries {
        if !entry.is_object() {
            return refuse(format!(
                " of objects, but found an array element of type [{}]",
                kind(&entry)
            ));
        }
        let style = ErrorStyle::ParseException(what.to_owned().into());
        parsed.push(parse(what, Fields::of(entry, style)?)?);
    }
    Ok(Some(parsed))
}

fn parse_index(what: &str, mut fields: Fields) -> Result<IndexEntry, ApiError> {
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
        .string_array("privileges")?
        .ok_or_else(|| missing("privileges"))?;
    let query = match fields.value("query") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(text)) => Some(text),
        Some(query @ Value::Object(_)) => Some(query.to_string()),
        Some(other) => {
            return Err(fields.error_style().wrong_type(
                "query",
                "null, a string, an array, or an object",
                &other,
            ));
        }
    };
    if let Some(query) = &query {
        refuse_terms_lookup(what, query)?;
    }
    let entry = IndexEntry {
        names,
        privileges,
        field_security: parse_field_security(what, &mut fields)?,
        query,
        allow_restricted_indices: fields
            .strict_boolean("allow_restricted_indices")?
            .unwrap_or(false),
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

fn parse_application(what: &str, mut fields: Fields) -> Result<ApplicationEntry, ApiError> {
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
