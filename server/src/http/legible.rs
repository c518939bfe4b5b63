//! Formats errors that the middleware itself produces: size limits, timeouts, CSRF refusals, panics.
//! Our script receives a serialized [`Problem`], a plain form post one line of text.

use super::{
    name,
    problems::{is_problem, problem_response, wants_page},
};
use crate::request_id::RequestId;
use app::model::problem::{Problem, ProblemKind};
use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

/// Formats such an error for the script or for a person.
pub(super) async fn make_legible(request: Request, next: Next) -> Response {
    let for_person = wants_page(request.headers());
    let for_script = request.uri().path().starts_with("/api/");
    let id = name::request_id(request.extensions());
    let response = next.run(request).await;
    if for_person && is_problem(response.headers()) {
        return sentence(response, &id);
    }
    if for_script && !for_person && !is_problem(response.headers()) {
        return as_problem(response, &id);
    }
    response
}

fn sentence(mut response: Response, id: &RequestId) -> Response {
    let what = match response.status() {
        StatusCode::FORBIDDEN => {
            "This form did not come from a page of Agent Keys. Nothing was changed."
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            "Agent Keys cannot use its own storage. Nothing was changed. Try again in a moment."
        }
        StatusCode::PAYLOAD_TOO_LARGE => "That is more than a form may hold. Nothing was changed.",
        StatusCode::REQUEST_TIMEOUT => "The form took too long to arrive. Nothing was changed.",
        _ => "Agent Keys cannot answer this.",
    };
    *response.body_mut() = Body::from(format!("{what}\nRequest {id}\n"));
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
        // The handler was given up; a change that it had begun goes on, and its outcome is not known here.
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
