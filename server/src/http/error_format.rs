//! Responses that hold a [`Problem`], and the format of errors that the middleware itself produces.
//!
//! Size limits, timeouts, CSRF refusals and panics answer outside a server function. Our script then receives a
//! serialized [`Problem`], a plain form post one line of text.

use crate::identifier::RequestId;
use app::model::problem::{Problem, ProblemKind};
use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN},
};
use leptos::{
    prelude::FromServerFnError,
    server_fn::{ContentType, codec::PostcardEncoding},
};

/// Header of a response that holds a problem. The client of server functions requires it.
const ERROR_HEADER: &str = "serverfnerror";

/// Formats such an error as a problem for the script, or as text for the user.
pub(super) async fn format_middleware_errors(request: Request, next: Next) -> Response {
    let for_user = wants_page(request.headers());
    let for_script = request.uri().path().starts_with("/api/");
    let id = RequestId::of(request.extensions());
    let compared = compared(&request);
    let response = next.run(request).await;
    if for_user && is_problem(response.headers()) {
        return as_text(response, &id, compared.as_deref());
    }
    if for_script && !for_user && !is_problem(response.headers()) {
        return as_problem(response, &id);
    }
    response
}

/// The values that the protection against other sites' forms compares, for the log and the page of a refusal.
fn compared(request: &Request) -> Option<String> {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let origin = request.headers().get(ORIGIN)?;
    let host = request.headers().get(HOST);
    // HTTP/2 has the host in the address.
    let host = host
        .map(|host| text(host.as_bytes()))
        .or_else(|| request.uri().authority().map(ToString::to_string))?;
    let origin = text(origin.as_bytes());
    Some(format!(
        "The browser names {origin} as origin of the form, and {host} as host of Agent Keys. If both are Agent Keys behind \
         a proxy, let the proxy pass Host on unchanged, or set AGENT_KEYS_PUBLIC_URL."
    ))
}

fn as_text(mut response: Response, id: &RequestId, compared: Option<&str>) -> Response {
    let what = match response.status() {
        StatusCode::FORBIDDEN => {
            "This form did not come from a page of Agent Keys. Nothing was changed."
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            "The database of Agent Keys is not available. Nothing was changed. Try again in a moment."
        }
        StatusCode::PAYLOAD_TOO_LARGE => "The form is too large. Nothing was changed.",
        StatusCode::REQUEST_TIMEOUT => "The form took too long to arrive. Nothing was changed.",
        _ => "Agent Keys could not process this request.",
    };
    let compared = compared.filter(|_| response.status() == StatusCode::FORBIDDEN);
    let compared = compared.map(|text| format!("{text}\n")).unwrap_or_default();
    *response.body_mut() = Body::from(format!("{what}\n{compared}Request {id}\n"));
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, plain);
    response
}

fn as_problem(response: Response, id: &RequestId) -> Response {
    let status = response.status();
    let kind = match status {
        StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::BadForm,
        // The handler timed out. A change that it began continues, with an outcome that is not known here.
        StatusCode::GATEWAY_TIMEOUT => ProblemKind::Unconfirmed,
        StatusCode::INTERNAL_SERVER_ERROR => ProblemKind::Internal,
        _ => return response,
    };
    let mut problem = problem_response(&Problem {
        kind,
        request_id: Some(id.as_str().to_owned()),
        reason: None,
    });
    *problem.status_mut() = status;
    problem
}

/// A response that holds a problem, for layers outside the server functions.
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

/// The HTTP status of a problem.
pub(super) fn status_of(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Returns true if the response holds a problem.
pub(super) fn is_problem(headers: &HeaderMap) -> bool {
    headers.contains_key(ERROR_HEADER)
}

/// Returns true if the browser expects a page: it posted a form without script, or follows a link.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}
