//! Reads a JSON object field by field and refuses unread fields.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::error::ApiError;

/// The unread fields of a JSON object.
///
/// Elasticsearch has two families of parsers, whose errors differ in their `type`. [`ErrorStyle`]
/// names the family.
pub(crate) struct Fields {
    error_style: ErrorStyle,
    fields: Map<String, Value>,
}

/// The family of parsers that reads an object.
#[derive(Clone, Debug)]
pub(crate) enum ErrorStyle {
    /// Declarative object parsers: `x_content_parse_exception`, with the name of the parser.
    XContent(&'static str),
    /// Hand-written parsers: `parse_exception`, with a description of the object.
    ParseException(Cow<'static, str>),
}

impl ErrorStyle {
    fn unknown_field(&self, name: &str) -> ApiError {
        match self {
            Self::XContent(parser) => {
                ApiError::content(format!("[1:1] [{parser}] unknown field [{name}]"))
            }
            Self::ParseException(what) => {
                ApiError::parse(format!("failed to parse {what}. unexpected field [{name}]"))
            }
        }
    }

    /// The error for field `name` with a value that is not `expected`.
    pub(crate) fn wrong_type(&self, name: &str, expected: &str, found: &Value) -> ApiError {
        let found = kind(found);
        match self {
            Self::XContent(parser) => ApiError::content(format!(
                "[1:1] [{parser}] {name} doesn't support values of type: {found}"
            )),
            Self::ParseException(what) => ApiError::parse(format!(
                "failed to parse {what}. expected field [{name}] value to be {expected}, but found [{found}] instead"
            )),
        }
    }
}

impl Fields {
    /// The fields of `value`, which must be an object.
    pub(crate) fn of(value: Value, error_style: ErrorStyle) -> Result<Self, ApiError> {
        match value {
            Value::Object(fields) => Ok(Self {
                error_style,
                fields,
            }),
            other => {
                let found = kind(&other);
                Err(match &error_style {
                    ErrorStyle::XContent(parser) => ApiError::content(format!(
                        "[1:1] [{parser}] Expected START_OBJECT but was: {found}"
                    )),
                    ErrorStyle::ParseException(what) => ApiError::parse(format!(
                        "failed to parse {what}. expected an object but found [{found}] instead"
                    )),
                })
            }
        }
    }

    pub(crate) fn error_style(&self) -> &ErrorStyle {
        &self.error_style
    }

    /// The value of a field, which stays unread.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// Takes a field with any value.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name)
    }

    /// Takes a string. `null` is refused.
    pub(crate) fn string(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.error_style.wrong_type(name, "a string", &other)),
        }
    }

    /// Takes a string or `null`.
    pub(crate) fn string_or_null(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.fields.get(name) {
            Some(Value::Null) => {
                self.fields.remove(name);
                Ok(None)
            }
            _ => self.string(name),
        }
    }

    /// Takes a boolean, or `"true"` and `"false"`.
    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(Value::String(text)) if text == "true" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" => Ok(Some(false)),
            Some(other) => Err(self.error_style.wrong_type(name, "a boolean", &other)),
        }
    }

    /// Takes a boolean.
    pub(crate) fn strict_boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(self.error_style.wrong_type(name, "a boolean", &other)),
        }
    }

    /// Takes an array of strings; a single string counts as an array of one.
    pub(crate) fn strings(&mut self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let Some(value) = self.fields.remove(name) else {
            return Ok(None);
        };
        match value {
            Value::String(text) => Ok(Some(vec![text])),
            Value::Array(values) => {
                let mut strings = Vec::with_capacity(values.len());
                for value in values {
                    match value {
                        Value::String(text) => strings.push(text),
                        other => {
                            return Err(self.error_style.wrong_type(
                                name,
                                "an array of strings",
                                &other,
                            ));
                        }
                    }
                }
                Ok(Some(strings))
            }
            other => {
                Err(self
                    .error_style
                    .wrong_type(name, "a string or an array of strings", &other))
            }
        }
    }

    /// Takes an array of strings. `null` counts as absent, and a single string is refused.
    pub(crate) fn string_array(&mut self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let refuse = |found: String| {
            let cause = ApiError::parse(format!("could not parse [{name}] field. {found}"));
            Err(match &self.error_style {
                ErrorStyle::XContent(_) => cause,
                ErrorStyle::ParseException(what) => ApiError::Parse {
                    reason: format!("failed to parse {what}"),
                    cause: Some(Box::new(cause)),
                },
            })
        };
        match self.fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(values)) => {
                let mut strings = Vec::with_capacity(values.len());
                for value in values {
                    match value {
                        Value::String(text) => strings.push(text),
                        other => {
                            return refuse(format!(
                                "expected a string array but one of the value in the array is [{}]",
                                kind(&other)
                            ));
                        }
                    }
                }
                Ok(Some(strings))
            }
            Some(other) => refuse(format!(
                "expected a string array but found [{}] value instead",
                kind(&other)
            )),
        }
    }

    pub(crate) fn array(&mut self, name: &str) -> Result<Option<Vec<Value>>, ApiError> {
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            Some(other) => Err(self.error_style.wrong_type(name, "an array", &other)),
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, ApiError> {
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(other) => Err(self.error_style.wrong_type(name, "an object", &other)),
        }
    }

    /// Takes an object or `null`.
    pub(crate) fn object_or_null(
        &mut self,
        name: &str,
    ) -> Result<Option<Map<String, Value>>, ApiError> {
        match self.fields.get(name) {
            Some(Value::Null) => {
                self.fields.remove(name);
                Ok(None)
            }
            _ => self.object(name),
        }
    }

    /// Refuses the object if a field was not taken.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.error_style.unknown_field(name)),
        }
    }
}

/// Elasticsearch's name of a JSON value's type.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(_) => "VALUE_BOOLEAN",
        Value::Number(_) => "VALUE_NUMBER",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}
