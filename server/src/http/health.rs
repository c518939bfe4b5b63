//! For whoever watches the process: no versions, no names.

use super::Web;
use axum::{extract::State, response::IntoResponse};
use http::StatusCode;

/// The process runs.
pub(super) async fn live() -> &'static str {
    "live"
}

/// Requests can be answered. Without Elasticsearch we still are: the pages say what is wrong.
pub(super) async fn ready(State(web): State<Web>) -> impl IntoResponse {
    let (stored, reachable) = tokio::join!(
        web.services.store.ping(),
        web.services.elasticsearch.is_reachable()
    );
    match (stored, reachable) {
        (Ok(()), true) => (StatusCode::OK, "ready"),
        (Ok(()), false) => (StatusCode::OK, "ready, without Elasticsearch"),
        (Err(_), _) => (StatusCode::SERVICE_UNAVAILABLE, "not ready: no database"),
    }
}
