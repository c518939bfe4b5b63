//! Listener for plain HTTP that leads browsers to the public address. It serves nothing else.

use super::host_names::HostNames;
use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, Method, StatusCode,
    header::{ALLOW, LOCATION},
    uri::PathAndQuery,
};
use std::sync::Arc;
use url::Url;

/// Longest path with its query, as for the other listeners.
const PATH_BYTES_MAX: usize = 8 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct Redirect {
    /// Scheme, host and port: no part of a request decides where it is led.
    origin: Arc<str>,
    host_names: HostNames,
}

impl Redirect {
    pub(crate) fn new(public_url: &Url, host_names: HostNames) -> Self {
        Self {
            origin: public_url.origin().ascii_serialization().into(),
            host_names,
        }
    }
}

pub(crate) fn router(redirect: Redirect) -> Router {
    Router::new().fallback(answer).with_state(redirect)
}

async fn answer(State(redirect): State<Redirect>, request: Request) -> Response {
    if !redirect.host_names.answer(request.uri(), request.headers()) {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    // What another method carries has been seen on the way already, and must not be sent again by itself.
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allowed = [(ALLOW, HeaderValue::from_static("GET, HEAD"))];
        return (StatusCode::METHOD_NOT_ALLOWED, allowed).into_response();
    }
    let path = request.uri().path_and_query().map(PathAndQuery::as_str);
    let path = path.filter(|path| path.starts_with('/')).unwrap_or("/");
    if path.len() > PATH_BYTES_MAX {
        return StatusCode::URI_TOO_LONG.into_response();
    }
    match HeaderValue::try_from(format!("{}{path}", redirect.origin)) {
        Ok(location) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
