//! Health checks for load balancers and orchestrators. They reveal no versions and no names.

use super::Web;
use axum::{extract::State, response::IntoResponse};
use http::StatusCode;
use std::time::Duration;
use tokio::time::timeout;

/// How long readiness waits for Elasticsearch.
const PATIENCE: Duration = Duration::from_millis(150);

/// The process runs.
pub(super) async fn live() -> &'static str {
    "live"
}

/// Requests can be answered. Without Elasticsearch we still are: the pages say what is wrong.
pub(super) async fn ready(State(web): State<Web>) -> impl IntoResponse {
    // A probe has a second at most, whatever Elasticsearch does.
    let reachable = timeout(PATIENCE, web.services.elasticsearch.is_reachable());
    let (stored, reachable) = tokio::join!(web.services.store.ping(), reachable);
    let reachable = reachable.unwrap_or(false);
    match (stored, reachable) {
        (Ok(()), true) => (StatusCode::OK, "ready"),
        (Ok(()), false) => (StatusCode::OK, "ready, without Elasticsearch"),
        (Err(_), _) => (StatusCode::SERVICE_UNAVAILABLE, "not ready: no database"),
    }
}
