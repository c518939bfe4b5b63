//! Problems as answers: the browser half reads them, and marks tell it which answers they are.

use app::model::problem::Problem;
use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use leptos::{
    prelude::FromServerFnError,
    server_fn::{ContentType, codec::PostcardEncoding},
};

/// Marks the answer of a server function that is a problem. The browser half looks for it.
const ERROR_HEADER: &str = "serverfnerror";

/// A problem as an answer of its own, for where no server function ran.
pub(super) fn problem_response(problem: &Problem) -> Response {
    let mut response = Response::new(Body::from(problem.ser()));
    *response.status_mut() = status_of(problem);
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(PostcardEncoding::CONTENT_TYPE),
    );
    headers.insert(ERROR_HEADER, HeaderValue::from_static("1"));
    response
}

/// The status that a problem deserves.
pub(super) fn status_of(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Whether an answer is a problem.
pub(super) fn is_problem(headers: &HeaderMap) -> bool {
    headers.contains_key(ERROR_HEADER)
}

/// Whether the browser wants a page: it posted a form by itself, or follows an address.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}
