//! One request, authenticated, on its way to its operation.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;

use super::parameters::Parameters;
use crate::{
    authentication::Caller,
    authorization::{self, Action},
    error::ApiError,
    fields::{Dialect, Fields},
    state::Shared,
};

/// One request, authenticated.
pub(crate) struct Call<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) caller: Caller,
    /// What stood in the places of the path's `{}`.
    pub(crate) segments: Vec<String>,
    pub(crate) parameters: Parameters,
    pub(crate) method: &'a Method,
    pub(crate) body: Bytes,
    /// What the operation is called in the authorization matrix.
    pub(crate) action: Action,
}

/// What an operation answers.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Json,
}

/// A body on its way out.
pub(crate) enum Json {
    Value(Value),
    /// Written already, on the path that every key of every agent takes.
    Text(Vec<u8>),
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self {
            status: StatusCode::OK,
            body: Json::Value(body),
        }
    }

    /// The same, with a body that is written already.
    pub(crate) fn text(body: Vec<u8>) -> Self {
        Self {
            status: StatusCode::OK,
            body: Json::Text(body),
        }
    }

    /// 200 when something was found, else 404, with the same body: a lookup that finds
    /// nothing is not an error.
    pub(crate) fn found(found: bool, body: Value) -> Self {
        let status = if found {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        };
        Self {
            status,
            body: Json::Value(body),
        }
    }
}

impl Call<'_> {
    /// The path's variable part number `index`.
    pub(crate) fn segment(&self, index: usize) -> &str {
        self.segments.get(index).map_or("", String::as_str)
    }

    /// The path's variable part as a comma-separated list.
    pub(crate) fn segment_list(&self, index: usize) -> Vec<String> {
        self.segment(index)
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Allows the caller to do what the operation does, or refuses.
    pub(crate) fn authorize(&self) -> Result<(), ApiError> {
        authorization::authorize(&self.caller, self.action)
    }

    /// The body's text. `?source=` stands in for a body.
    pub(crate) fn text(&self) -> &[u8] {
        if self.body.is_empty() {
            self.parameters.get("source").unwrap_or_default().as_bytes()
        } else {
            &self.body
        }
    }

    /// The body as JSON, or `None` when there is none.
    pub(crate) fn optional_json(&self) -> Result<Option<Value>, ApiError> {
        let body = self.text();
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        serde_json::from_slice(body).map(Some).map_err(|error| {
            ApiError::content(format!(
                "[{}:{}] the body is not valid JSON",
                error.line(),
                error.column()
            ))
        })
    }

    /// The body as JSON. Without one: `parse_exception`.
    pub(crate) fn json(&self) -> Result<Value, ApiError> {
        self.optional_json()?
            .ok_or_else(|| ApiError::parse("request body is required"))
    }

    /// The fields of the body for the strict parser called `parser`.
    pub(crate) fn strict(&self, parser: &'static str) -> Result<Fields, ApiError> {
        Fields::of(self.json()?, Dialect::Strict(parser))
    }

    /// The fields of the body for the written parser of `what`.
    pub(crate) fn written(&self, what: &str) -> Result<Fields, ApiError> {
        Fields::of(self.json()?, Dialect::Written(what.to_owned().into()))
    }
}
