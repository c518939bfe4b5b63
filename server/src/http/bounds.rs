//! How much a caller may take of us before anybody looks at what they want.

use super::{Web, problems::problem_response};
use app::model::problem::ProblemKind;
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use std::time::Duration;

/// The largest body of a request.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest address, with its query.
const ADDRESS_BYTES_MAX: usize = 8 * 1024;

/// How many connections there may be, and how long each part of a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections that are open at once. Those beyond are closed at once, and those inside notice nothing.
    pub connections_max: usize,
    /// From the first byte to the end of the handshake.
    pub tls_handshake_timeout: Duration,
    /// From the end of the handshake to the end of the first request's headers.
    pub first_request_timeout: Duration,
    /// From the end of one request to the end of the next one's headers.
    pub header_timeout: Duration,
    /// From the headers to the end of the body.
    pub body_timeout: Duration,
    /// Without a byte in either direction.
    pub idle_timeout: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            // Half of the files that a process may open on most machines.
            connections_max: 512,
            tls_handshake_timeout: Duration::from_secs(10),
            first_request_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
        }
    }
}

/// Refuses addresses that nothing of ours is as long as.
pub(super) async fn refuse_long_address(request: Request, next: Next) -> Response {
    let uri = request.uri();
    if uri.path().len() + uri.query().map_or(0, str::len) > ADDRESS_BYTES_MAX {
        return StatusCode::URI_TOO_LONG.into_response();
    }
    next.run(request).await
}

/// Reads the whole body before anything is done with it: every body is small, and nobody may send one drop by drop.
pub(super) async fn take_body(State(web): State<Web>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let refused =
        match tokio::time::timeout(web.bounds.body_timeout, to_bytes(body, BODY_BYTES_MAX)).await {
            Ok(Ok(bytes)) => {
                let request = Request::from_parts(parts, Body::from(bytes));
                return next.run(request).await;
            }
            Ok(Err(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Err(_) => StatusCode::REQUEST_TIMEOUT,
        };
    let mut response = problem_response(&ProblemKind::BadForm.into());
    *response.status_mut() = refused;
    response
}
