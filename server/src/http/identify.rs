//! Who makes a request: once, before any handler.

use super::{
    Web, caller::Caller, cookie, cookie::Brought, name, server_functions::problem_response,
};
use crate::{session, visit::Visit};
use app::model::problem::{Problem, ProblemKind};
use axum::{extract::Request, extract::State, middleware::Next, response::Response};
use http::header::SET_COOKIE;

/// Finds the request's session, and brings the answer's cookie.
pub(super) async fn identify(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let request_id = name::request_id(request.extensions());
    let caller = Caller::of(request.extensions());
    let brought = cookie::read(request.headers(), caller.tls);
    let found = match &brought {
        Brought::Token(token) => session::find(&web.services, token).await,
        Brought::Nothing | Brought::Nonsense => Ok(None),
    };
    let session = match found {
        Ok(session) => session,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "the session could not be looked for");
            return problem_response(&Problem {
                kind: ProblemKind::Storage,
                request_id: Some(request_id.as_str().to_owned()),
            });
        }
    };
    let visit = Visit::new(request_id, session, caller.address);
    if visit.session().is_none() && !matches!(brought, Brought::Nothing) {
        // A cookie that opens nothing is of no use to anybody.
        visit.ended();
    }
    request.extensions_mut().insert(visit.clone());
    let mut response = next.run(request).await;
    let change = visit.take_cookie_change();
    if let Some(value) = change.and_then(|change| cookie::write(&change, caller.tls)) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}
