//! Limits of a request: length of the URI, size of the body, time for the body.

use super::{Web, error_format::problem_response};
use app::model::problem::ProblemKind;
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::StatusCode;

/// The largest body of a request.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest path with query.
const URI_BYTES_MAX: usize = 8 * 1024;

/// Rejects URIs that are longer than any of ours.
pub(super) async fn refuse_long_uri(request: Request, next: Next) -> Response {
    let uri = request.uri();
    if uri.path().len() + uri.query().map_or(0, str::len) > URI_BYTES_MAX {
        return StatusCode::URI_TOO_LONG.into_response();
    }
    next.run(request).await
}

/// Reads the whole body before the handler runs, within a time limit. Every body is small.
pub(super) async fn buffer_body(State(web): State<Web>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let status =
        match tokio::time::timeout(web.limits.body_timeout, to_bytes(body, BODY_BYTES_MAX)).await {
            Ok(Ok(bytes)) => {
                let request = Request::from_parts(parts, Body::from(bytes));
                return next.run(request).await;
            }
            Ok(Err(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Err(_) => StatusCode::REQUEST_TIMEOUT,
        };
    let mut response = problem_response(&ProblemKind::BadForm.into());
    *response.status_mut() = status;
    response
}
