//! Fields of queries.

use serde_json::Value as Json;

use super::Value;
use crate::{
    date::{self, Round},
    error::ApiError,
    fields::kind,
};

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
                _ => {
                    return Err(ApiError::illegal(format!(
                        "Field [{name}] is not allowed for querying or aggregation"
                    )));
                }
            },
        })
    }

    pub(crate) const fn kind(&self) -> FieldKind {
        match self {
            Self::Creation | Self::Expiration | Self::Invalidation => FieldKind::Moment,
            Self::Invalidated => FieldKind::Boolean,
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
