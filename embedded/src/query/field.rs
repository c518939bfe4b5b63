//! Fields of queries, and the roles and users as documents, on which queries are evaluated in memory.

use crate::{
    date::{self, Round},
    error::ApiError,
    fields::kind,
    query::{Bound, Query, Value},
    store::metadata_values::MetadataValues,
};
use serde_json::{Map, Value as Json};
use std::{cmp::Ordering, collections::BTreeMap};

/// The kind of documents that a query is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Documents {
    ApiKeys,
    Roles,
    Users,
}

/// Fields of roles that are compared word by word, and of users.
const ANALYZED: [&str; 3] = ["description", "full_name", "email"];

impl Documents {
    /// Parses the name of a field. Refuses fields that queries may not use.
    pub(crate) fn field(self, name: &str) -> Result<Field, ApiError> {
        let stored: &[&'static str] = match self {
            Self::ApiKeys => return Field::parse(name),
            Self::Users => &["username", "roles", "enabled", "full_name", "email"],
            Self::Roles => &[
                "name",
                "description",
                "applications.application",
                "applications.resources",
                "applications.privileges",
            ],
        };
        if let Some(name) = stored.iter().find(|known| **known == name) {
            return Ok(Field::Stored(name));
        }
        match Field::parse(name) {
            Ok(field @ (Field::AnyMetadata | Field::Metadata(_))) if self == Self::Roles => {
                Ok(field)
            }
            _ => Err(not_allowed(name)),
        }
    }

    /// Parses the name of a field of a sort order.
    pub(crate) fn sort_field(self, name: &str) -> Result<Field, ApiError> {
        let field = self.field(name)?;
        if field.is_analyzed() {
            return Err(ApiError::illegal(format!(
                "sorting is not supported for field [{name}]"
            )));
        }
        if field == Field::AnyMetadata {
            return Err(ApiError::illegal(
                "Field [metadata] is not supported for sorting",
            ));
        }
        Ok(field)
    }

    /// Names of all text fields.
    pub(crate) const fn text_fields(self) -> &'static [&'static str] {
        match self {
            Self::ApiKeys => &["name", "username", "realm_name", "type", "metadata"],
            Self::Users => &["username", "roles", "full_name", "email"],
            Self::Roles => &[
                "name",
                "description",
                "applications.application",
                "applications.resources",
                "applications.privileges",
                "metadata",
            ],
        }
    }
}

/// A field of queries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    Username,
    RealmName,
    Type,
    Creation,
    Expiration,
    Invalidated,
    Invalidation,
    /// A field of a role or user, which is read from the document.
    Stored(&'static str),
    /// `metadata`: all values in it.
    AnyMetadata,
    /// `metadata.<path>`: the values at that path.
    Metadata(String),
}

/// Type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Text,
    Moment,
    Boolean,
}

impl Field {
    /// Parses the name of a field. Refuses fields that queries may not use.
    pub(crate) fn parse(name: &str) -> Result<Self, ApiError> {
        Ok(match name {
            "name" => Self::Name,
            "username" => Self::Username,
            "realm_name" => Self::RealmName,
            "type" => Self::Type,
            "creation" => Self::Creation,
            "expiration" => Self::Expiration,
            "invalidated" => Self::Invalidated,
            "invalidation" => Self::Invalidation,
            "metadata" => Self::AnyMetadata,
            _ => match name.strip_prefix("metadata.") {
                Some(path) if !path.is_empty() => Self::Metadata(path.to_owned()),
                _ => return Err(not_allowed(name)),
            },
        })
    }

    /// Returns true if the field is indexed word by word.
    pub(crate) fn is_analyzed(&self) -> bool {
        matches!(self, Self::Stored(name) if ANALYZED.contains(name))
    }

    pub(crate) const fn kind(&self) -> FieldKind {
        match self {
            Self::Creation | Self::Expiration | Self::Invalidation => FieldKind::Moment,
            Self::Invalidated => FieldKind::Boolean,
            Self::Stored(name) => match name.as_bytes() {
                b"enabled" => FieldKind::Boolean,
                _ => FieldKind::Text,
            },
            Self::Name
            | Self::Username
            | Self::RealmName
            | Self::Type
            | Self::AnyMetadata
            | Self::Metadata(_) => FieldKind::Text,
        }
    }

    /// Parses a value of this field's type.
    pub(crate) fn value(&self, json: &Json, now_ms: i64, round: Round) -> Result<Value, ApiError> {
        let text = match json {
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            Json::Bool(value) => value.to_string(),
            Json::Null | Json::Array(_) | Json::Object(_) => {
                return Err(ApiError::illegal(format!(
                    "a value to compare with cannot be [{}]",
                    kind(json)
                )));
            }
        };
        match self.kind() {
            FieldKind::Text => Ok(Value::Text(text)),
            FieldKind::Moment => match json.as_i64() {
                Some(ms) => Ok(Value::Moment(ms)),
                None => date::parse(&text, now_ms, round).map(Value::Moment),
            },
            FieldKind::Boolean => match text.as_str() {
                "true" => Ok(Value::Boolean(true)),
                "false" | "" => Ok(Value::Boolean(false)),
                other => Err(ApiError::illegal(format!(
                    "Can't parse boolean value [{other}], expected [true] or [false]"
                ))),
            },
        }
    }
}

/// The words of a text, as an analyzed field is indexed.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn not_allowed(name: &str) -> ApiError {
    ApiError::illegal(format!(
        "Field [{name}] is not allowed for querying or aggregation"
    ))
}

/// The queryable values of a role or user.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// Position in the order of `_doc`.
    pub(crate) number: i64,
    /// Its `_id` in Elasticsearch.
    pub(crate) id: String,
    pub(crate) fields: BTreeMap<&'static str, Vec<Value>>,
    pub(crate) metadata: Map<String, Json>,
}

impl Document {
    /// Sets the texts of a field.
    pub(crate) fn put<'t>(&mut self, name: &'static str, texts: impl Iterator<Item = &'t str>) {
        let values = texts.map(|text| Value::Text(text.to_owned())).collect();
        self.fields.insert(name, values);
    }

    /// The values of a field as they are.
    pub(crate) fn sort_values(&self, field: &Field) -> Vec<Value> {
        let texts = match field {
            Field::Stored(name) => return self.fields.get(name).cloned().unwrap_or_default(),
            Field::Metadata(path) => MetadataValues::at(&self.metadata, path),
            Field::AnyMetadata => MetadataValues::all(&self.metadata),
            _ => Vec::new(),
        };
        texts.into_iter().map(Value::Text).collect()
    }

    /// The values of a field as it is indexed: an analyzed field word by word.
    fn values(&self, field: &Field) -> Vec<Value> {
        let values = self.sort_values(field);
        if !field.is_analyzed() {
            return values;
        }
        let mut indexed = Vec::new();
        for value in values {
            if let Value::Text(text) = value {
                indexed.extend(words(&text));
                // An email is found as a whole as well.
                indexed.push(text.to_lowercase());
            }
        }
        indexed.into_iter().map(Value::Text).collect()
    }

    /// Returns true if the query matches.
    pub(crate) fn matches(&self, query: &Query) -> bool {
        match query {
            Query::All => true,
            Query::None | Query::NamesWith(_) => false,
            Query::Bool(inner) => {
                let should = inner.should.iter().filter(|query| self.matches(query));
                inner.must.iter().all(|query| self.matches(query))
                    && !inner.must_not.iter().any(|query| self.matches(query))
                    && should.count() >= inner.should_min
            }
            Query::Ids(ids) => ids.contains(&self.id),
            Query::Terms {
                field,
                values,
                case_insensitive,
            } => self.any(field, |found| {
                values.iter().any(|value| match (found, value) {
                    (Value::Text(found), Value::Text(text)) if *case_insensitive => {
                        found.eq_ignore_ascii_case(text)
                    }
                    _ => found == value,
                })
            }),
            Query::Prefix {
                field,
                value,
                case_insensitive,
            } => self.any_text(field, |text| {
                let start = text.get(..value.len());
                start.is_some_and(|start| {
                    start == value || (*case_insensitive && start.eq_ignore_ascii_case(value))
                })
            }),
            Query::Wildcard {
                field,
                pattern,
                case_insensitive: false,
            } => self.any_text(field, |text| pattern.matches(text)),
            Query::Wildcard { field, pattern, .. } => {
                let pattern = pattern.to_ascii_lowercase();
                self.any_text(field, |text| pattern.matches(&text.to_ascii_lowercase()))
            }
            Query::Exists(field) => !self.values(field).is_empty(),
            Query::Range { field, from, to } => self.any(field, |value| {
                from.as_ref().is_none_or(|from| is_after(value, from))
                    && to.as_ref().is_none_or(|to| is_before(value, to))
            }),
        }
    }

    fn any(&self, field: &Field, holds: impl Fn(&Value) -> bool) -> bool {
        self.values(field).iter().any(holds)
    }

    fn any_text(&self, field: &Field, holds: impl Fn(&str) -> bool) -> bool {
        self.any(field, |value| match value {
            Value::Text(text) => holds(text),
            Value::Moment(_) | Value::Boolean(_) => false,
        })
    }
}

fn is_after(value: &Value, bound: &Bound) -> bool {
    let order = order(value, &bound.value);
    order.is_gt() || (bound.inclusive && order.is_eq())
}

fn is_before(value: &Value, bound: &Bound) -> bool {
    let order = order(value, &bound.value);
    order.is_lt() || (bound.inclusive && order.is_eq())
}
/// Compares two values of one field.
pub(super) fn order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Moment(left), Value::Moment(right)) => left.cmp(right),
        (Value::Boolean(left), Value::Boolean(right)) => left.cmp(right),
        // They have one type.
        _ => Ordering::Equal,
    }
}
