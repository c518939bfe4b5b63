//! Authenticated requests: path, query string, body.

use bytes::Bytes;
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    auth::authorization::{self, Action},
    error::ApiError,
    fields::{ErrorStyle, Fields},
    guard::Client,
    http::json,
    identity::Caller,
    state::AppState,
};

pub(crate) struct ApiRequest<'a> {
    pub(crate) state: &'a AppState,
    pub(crate) client: Client,
    pub(crate) caller: Caller,
    /// Values of the path's `{}`.
    pub(crate) segments: Vec<String>,
    pub(crate) parameters: Parameters,
    pub(crate) body: Bytes,
    /// The action to authorize.
    pub(crate) action: Action,
}

impl ApiRequest<'_> {
    /// The path's variable segment number `index`.
    pub(crate) fn segment(&self, index: usize) -> &str {
        self.segments.get(index).map_or("", String::as_str)
    }

    /// The path's variable segment as a comma-separated list.
    pub(crate) fn segment_list(&self, index: usize) -> Vec<String> {
        self.segment(index)
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Checks that the caller may perform the action.
    pub(crate) fn authorize(&self) -> Result<(), ApiError> {
        authorization::authorize(&self.caller, self.action)
    }

    /// Hashes a new password, in the client's queue.
    pub(crate) async fn hash(&self, password: &SecretString) -> Result<String, ApiError> {
        let lane = self.client.lane();
        self.state.passwords.hash(lane, password).await
    }

    /// The body's text. `?source=` replaces an empty body.
    pub(crate) fn text(&self) -> &[u8] {
        if self.body.is_empty() {
            self.parameters.get("source").unwrap_or_default().as_bytes()
        } else {
            &self.body
        }
    }

    /// The body as JSON; `None` for an empty body.
    pub(crate) fn optional_json(&self) -> Result<Option<Value>, ApiError> {
        json::parse(self.text())
    }

    /// The body as JSON. An empty body is a `parse_exception`.
    pub(crate) fn json(&self) -> Result<Value, ApiError> {
        self.optional_json()?
            .ok_or_else(|| ApiError::parse("request body is required"))
    }

    /// The fields of the body, with the errors of the object parser called `parser`.
    pub(crate) fn fields_xcontent(&self, parser: &'static str) -> Result<Fields, ApiError> {
        Fields::of(self.json()?, ErrorStyle::XContent(parser))
    }

    /// The fields of the body, with the errors of the hand-written parser of `what`.
    pub(crate) fn fields_parse(&self, what: &str) -> Result<Fields, ApiError> {
        Fields::of(
            self.json()?,
            ErrorStyle::ParseException(what.to_owned().into()),
        )
    }
}

/// Parameters of all operations.
const COMMON: [&str; 5] = ["error_trace", "filter_path", "format", "human", "pretty"];

/// Query parameters of a request. The last of repeated ones counts.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        let mut parameters = Vec::new();
        for pair in query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.push((decode(name, true)?, decode(value, true)?));
        }
        Ok(Self(parameters))
    }

    /// The unchanged value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value; `None` if it is blank.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.trim().is_empty())
    }

    /// A flag: absent is false, present without a value is true.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true" | "") => Ok(true),
            Some(other) => Err(ApiError::illegal(format!(
                "Failed to parse value [{other}] as only [true] or [false] are allowed."
            ))),
        }
    }

    /// Checks `refresh`, which has no effect: every write is visible to the next request.
    pub(crate) fn check_refresh(&self) -> Result<(), ApiError> {
        match self.get("refresh") {
            None | Some("" | "true" | "false" | "wait_for") => Ok(()),
            Some(other) => Err(ApiError::illegal(format!(
                "Unknown value for refresh: [{other}]."
            ))),
        }
    }

    /// Refuses parameters that are neither in `known` nor common.
    pub(crate) fn check_known(&self, path: &str, known: &[&str]) -> Result<(), ApiError> {
        let mut unknown: Vec<String> = self
            .0
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| !COMMON.contains(name) && !known.contains(name))
            .map(|name| format!("[{name}]"))
            .collect();
        unknown.sort();
        unknown.dedup();
        match unknown.len() {
            0 => Ok(()),
            1 => Err(ApiError::illegal(format!(
                "request [{path}] contains unrecognized parameter: {}",
                unknown.join(", ")
            ))),
            _ => Err(ApiError::illegal(format!(
                "request [{path}] contains unrecognized parameters: {}",
                unknown.join(", ")
            ))),
        }
    }
}

/// Decodes `%41` to `A`, and in a query string `+` to a space.
pub(crate) fn decode(text: &str, plus_is_space: bool) -> Result<String, ApiError> {
    if !text.contains(['%', '+']) {
        return Ok(text.to_owned());
    }
    let refuse = || {
        ApiError::illegal(format!(
            "unterminated or invalid escape sequence in [{text}]"
        ))
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || {
                    rest.next()
                        .and_then(|digit| char::from(digit).to_digit(16))
                        .and_then(|digit| u8::try_from(digit).ok())
                };
                match (digit(), digit()) {
                    (Some(high), Some(low)) => bytes.push(high * 16 + low),
                    _ => return Err(refuse()),
                }
            }
            b'+' if plus_is_space => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|_| refuse())
}
