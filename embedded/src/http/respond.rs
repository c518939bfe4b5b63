//! Turns an answer or an error into a response.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use http_body_util::Full;
use serde_json::Value;

use super::{
    call::{Answer, Json},
    filter_path::FilterPath,
    media_type::MediaType,
    parameters::Parameters,
};
use crate::error::{ApiError, challenges};

const PRODUCT: HeaderName = HeaderName::from_static("x-elastic-product");

/// How a response is to look.
pub(crate) struct Style {
    pub(crate) media_type: MediaType,
    pub(crate) pretty: bool,
    pub(crate) error_trace: bool,
    pub(crate) filter_path: Option<FilterPath>,
    /// A HEAD request: the headers of the answer, not its body.
    pub(crate) head: bool,
    /// Whether bearer tokens are offered as a way to authenticate.
    pub(crate) tokens: bool,
}

impl Style {
    /// The style that the parameters ask for.
    pub(crate) fn of(parameters: &Parameters) -> Result<Self, ApiError> {
        let style = Self {
            media_type: MediaType::Json,
            pretty: parameters.flag("pretty")?,
            error_trace: parameters.flag("error_trace")?,
            filter_path: parameters.text("filter_path").map(FilterPath::parse),
            head: false,
            tokens: false,
        };
        parameters.flag("human")?;
        match parameters.text("format") {
            None | Some("json" | "application/json") => Ok(style),
            Some(other) => Err(ApiError::illegal(format!("unsupported format [{other}]"))),
        }
    }

    /// The plainest one, for requests that cannot be read.
    pub(crate) const fn plain(head: bool) -> Self {
        Self {
            media_type: MediaType::Json,
            pretty: false,
            error_trace: false,
            filter_path: None,
            head,
            tokens: false,
        }
    }
}

/// The response for an answer.
pub(crate) fn answer(answer: Answer, style: &Style) -> Response<Full<Bytes>> {
    let plain = style.filter_path.is_none() && !style.pretty;
    let body = match answer.body {
        Json::Text(text) if plain => return respond(answer.status, text, style),
        Json::Text(text) => serde_json::from_slice(&text).unwrap_or_default(),
        Json::Value(body) => body,
    };
    let body = match &style.filter_path {
        Some(filter_path) => filter_path.apply(body),
        None => body,
    };
    respond(answer.status, write(&body, style), style)
}

/// The response for an error, which is logged here and nowhere else.
pub(crate) fn error(error: &ApiError, style: &Style) -> Response<Full<Bytes>> {
    if let ApiError::Internal(cause) = error {
        tracing::error!(cause, "a request failed through our fault");
    }
    let body = error.body(style.error_trace, style.tokens);
    let mut response = respond(error.status(), write(&body, style), style);
    let headers = response.headers_mut();
    match error {
        ApiError::Unauthenticated { .. } => {
            for challenge in challenges(style.tokens) {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
        }
        ApiError::WrongMethod { allowed, .. } => {
            if let Ok(allowed) = HeaderValue::from_str(&allowed.join(",")) {
                headers.insert(ALLOW, allowed);
            }
        }
        ApiError::Busy => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        _ => {}
    }
    response
}

fn write(body: &Value, style: &Style) -> Vec<u8> {
    if !style.pretty {
        return serde_json::to_vec(body).unwrap_or_default();
    }
    let mut text = serde_json::to_vec_pretty(body).unwrap_or_default();
    text.push(b'\n');
    text
}

fn respond(status: StatusCode, mut text: Vec<u8>, style: &Style) -> Response<Full<Bytes>> {
    let length = text.len();
    if style.head {
        text.clear();
    }
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(PRODUCT, HeaderValue::from_static("Elasticsearch"));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(style.media_type.header()),
    );
    if style.head {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}
