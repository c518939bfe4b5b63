//! Changes come from our own pages. Server functions check nothing themselves, so it is done here for all of them.

use super::{cookie, name, problems::problem_response};
use app::model::problem::{Problem, ProblemKind};
use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use http::header::ORIGIN;
use tower_http::csrf::{CsrfLayer, ProtectionError};

/// Refuses what a browser says comes from elsewhere, by `Sec-Fetch-Site` or `Origin`.
pub(super) fn refuse_cross_origin()
-> CsrfLayer<impl FnMut(ProtectionError) -> Response<Body> + Clone> {
    CsrfLayer::new().with_rejection_response(|error: ProtectionError| {
        tracing::warn!(reason = %error, "a form from elsewhere was refused");
        problem_response(&ProblemKind::CrossOrigin.into())
    })
}

/// Refuses changes with a session's cookie that do not say where they come from. Every browser that is still in use
/// says so; what does not is not a browser, and has no business with a browser's cookie.
pub(super) async fn refuse_unmarked(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let unmarked = !headers.contains_key(ORIGIN) && !headers.contains_key("sec-fetch-site");
    let with_session = cookie::is_brought(headers);
    if !request.method().is_safe() && unmarked && with_session {
        tracing::warn!("a form that does not say where it comes from was refused");
        return problem_response(&Problem {
            kind: ProblemKind::CrossOrigin,
            request_id: Some(name::request_id(request.extensions()).as_str().to_owned()),
            reason: None,
        });
    }
    next.run(request).await
}
