//! Fields of queries.

use serde_json::Value as Json;

use super::Value;
use crate::{
    date::{self, Round},
    error::ApiError,
    fields::kind,
};

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
