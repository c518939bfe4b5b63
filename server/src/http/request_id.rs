//! Request id, tracing span, metrics, and the access log line of each request.

use crate::{context::AppState, identifier::RequestId};
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{Extensions, HeaderValue};
use leptos::server_fn::axum::server_fn_paths;
use std::{sync::Arc, time::Instant};
use tracing::Instrument;

/// Assigns an id to the request and returns it in `x-request-id`; counts and logs the response.
///
/// The id is never taken from the client, as `tower_http::request_id` would.
pub(super) async fn assign_and_log(
    State(state): State<Arc<AppState>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = state.new_identifier().unwrap_or_default();
    let id = RequestId::new(&id);
    request.extensions_mut().insert(id.clone());
    // The path alone: a query may hold text that a user typed.
    let span = tracing::info_span!(
        "http.request",
        request.id = %id,
        http.request.method = %request.method(),
        url.path = request.uri().path(),
    );
    let route = route_of(&request);
    async move {
        let began = Instant::now();
        let mut response = next.run(request).await;
        let took = began.elapsed();
        state.metrics.answered(&route, response.status(), took);
        tracing::info!(
            http.response.status_code = response.status().as_u16(),
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert("x-request-id", value);
        }
        response
    }
    .instrument(span)
    .await
}

/// The id of the request with these extensions.
pub(super) fn of(extensions: &Extensions) -> RequestId {
    extensions
        .get::<RequestId>()
        .cloned()
        .unwrap_or_else(|| RequestId::new("unnamed"))
}

/// The route template of the request, or the path of a server function. Never text that a user typed.
fn route_of(request: &Request) -> String {
    let path = request.uri().path();
    let function = server_fn_paths().find(|(known, _)| *known == path);
    let template = request.extensions().get::<MatchedPath>();
    function
        .map(|(known, _)| known)
        .or(template.map(MatchedPath::as_str))
        .unwrap_or("none")
        .to_owned()
}
