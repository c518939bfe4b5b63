//! Responses of operations, and their form on the wire.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
        RETRY_AFTER, WWW_AUTHENTICATE,
    },
};
use http_body_util::Full;
use serde_json::Value;

use super::{filter_path::FilterPath, media_type::MediaType, request::Parameters};
use crate::{
    cpu::Deadline,
    error::{ApiError, Challenges},
};

const PRODUCT: HeaderName = HeaderName::from_static("x-elastic-product");

/// Response of an operation.
pub(crate) struct ApiResponse {
    pub(crate) status: StatusCode,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    Value(Value),
    /// JSON text. Checks of privileges, the most frequent operation, serialize their result once.
    Text(Vec<u8>),
}

impl Body {
    /// The parts of the body that are requested.
    pub(crate) fn filtered(
        self,
        filter_path: &FilterPath,
        deadline: Deadline,
    ) -> Result<Self, ApiError> {
        let value = match self {
            Self::Text(text) => serde_json::from_slice(&text)?,
            Self::Value(value) => value,
        };
        filter_path.apply(value, deadline).map(Self::Value)
    }
}

impl ApiResponse {
    pub(crate) fn ok(body: Value) -> Self {
        Self {
            status: StatusCode::OK,
            body: Body::Value(body),
        }
    }

    /// A response with a serialized body.
    pub(crate) fn text(body: Vec<u8>) -> Self {
        Self {
            status: StatusCode::OK,
            body: Body::Text(body),
        }
    }

    /// 200 if `found`, else 404, with the same body: an empty result is not an error.
    pub(crate) fn found(found: bool, body: Value) -> Self {
        let status = if found {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        };
        Self {
            status,
            body: Body::Value(body),
        }
    }
}

/// Format of a response.
pub(crate) struct ResponseFormat {
    pub(crate) media_type: MediaType,
    pub(crate) pretty: bool,
    pub(crate) error_trace: bool,
    /// Parts of the body that are requested.
    pub(crate) filter_path: Option<FilterPath>,
    /// True for a HEAD request, whose response has headers only.
    pub(crate) head: bool,
    /// True if the client accepts gzip.
    pub(crate) gzip: bool,
    /// Authentication schemes that a 401 lists.
    pub(crate) challenges: Challenges,
}

impl ResponseFormat {
    /// Sets the format from the query parameters.
    pub(crate) fn read(&mut self, parameters: &Parameters) -> Result<(), ApiError> {
        self.pretty = parameters.flag("pretty")?;
        self.error_trace = parameters.flag("error_trace")?;
        self.filter_path = parameters
            .text("filter_path")
            .map(FilterPath::parse)
            .transpose()?;
        parameters.flag("human")?;
        match parameters.text("format") {
            None | Some("json" | "application/json") => Ok(()),
            Some(other) => Err(ApiError::illegal(format!("unsupported format [{other}]"))),
        }
    }

    /// The default format, for requests that cannot be parsed.
    pub(crate) fn plain(method: &Method, headers: &HeaderMap, challenges: Challenges) -> Self {
        Self {
            media_type: MediaType::Json,
            pretty: false,
            error_trace: false,
            filter_path: None,
            head: method == Method::HEAD,
            gzip: headers.get(ACCEPT_ENCODING).is_some_and(accepts_gzip),
            challenges,
        }
    }
}

pub(crate) fn success(response: ApiResponse, format: &ResponseFormat) -> Response<Full<Bytes>> {
    let body = match response.body {
        Body::Text(text) if !format.pretty => return respond(response.status, text, format),
        Body::Text(text) => serde_json::from_slice(&text).unwrap_or_default(),
        Body::Value(body) => body,
    };
    respond(response.status, write(&body, format), format)
}

/// Formats an error. Internal errors are logged here and nowhere else.
pub(crate) fn error(error: &ApiError, format: &ResponseFormat) -> Response<Full<Bytes>> {
    if let ApiError::Internal(cause) = error {
        tracing::error!(cause, "a request failed through our fault");
    }
    if let ApiError::TooLarge = error {
        return too_large();
    }
    let body = error.body(format.error_trace, format.challenges);
    let mut response = respond(error.status(), write(&body, format), format);
    let headers = response.headers_mut();
    for challenge in error.challenges(format.challenges) {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    match error {
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

/// The response of Elasticsearch's network layer, before the request is parsed.
fn too_large() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The response to OPTIONS, with the methods of the path.
pub(crate) fn options_response(allowed: &[&'static str]) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let headers = response.headers_mut();
    headers.insert(PRODUCT, HeaderValue::from_static("Elasticsearch"));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=UTF-8"),
    );
    if let Ok(allowed) = HeaderValue::from_str(&allowed.join(",")) {
        headers.insert(ALLOW, allowed);
    }
    response
}

fn write(body: &Value, format: &ResponseFormat) -> Vec<u8> {
    if !format.pretty {
        return serde_json::to_vec(body).unwrap_or_default();
    }
    let mut text = serde_json::to_vec_pretty(body).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Returns true if `Accept-Encoding` contains gzip or `*` with a weight other than 0.
fn accepts_gzip(value: &HeaderValue) -> bool {
    let codings = value.to_str().unwrap_or_default().split(',');
    codings.into_iter().any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let named = ["gzip", "x-gzip", "*"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known));
        let refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").map(str::parse::<f32>);
            matches!(weight, Some(Ok(0.0)))
        });
        named && !refused
    })
}

/// Compresses with gzip, as Elasticsearch does for bodies of any size.
fn pack(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text)?;
    encoder.finish()
}

fn respond(
    status: StatusCode,
    mut text: Vec<u8>,
    format: &ResponseFormat,
) -> Response<Full<Bytes>> {
    let length = text.len();
    let mut packed = false;
    if format.head {
        text.clear();
    } else if format.gzip
        && let Ok(smaller) = pack(&text)
    {
        text = smaller;
        packed = true;
    }
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    // Elasticsearch omits the header for callers that are not authenticated or not authorized.
    if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        headers.insert(PRODUCT, HeaderValue::from_static("Elasticsearch"));
    }
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(format.media_type.header()),
    );
    if packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if format.head {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}
