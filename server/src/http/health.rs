//! Health checks for load balancers and orchestrators. They reveal no versions and no names.

use super::Web;
use axum::{extract::State, response::IntoResponse};
use http::StatusCode;
use std::time::Duration;
use tokio::time::timeout;

/// Limit for Elasticsearch in the readiness check.
const PROBE_TIMEOUT: Duration = Duration::from_millis(150);

/// Liveness: the process runs.
pub(super) async fn live() -> &'static str {
    "live"
}

/// Readiness: the database responds. Ready without Elasticsearch too: the pages then explain the outage.
pub(super) async fn ready(State(web): State<Web>) -> impl IntoResponse {
    // Probes of orchestrators commonly have a timeout of one second.
    let reachable = timeout(PROBE_TIMEOUT, web.state.elasticsearch.is_reachable());
    let (stored, reachable) = tokio::join!(web.state.store.ping(), reachable);
    let reachable = reachable.unwrap_or(false);
    match (stored, reachable) {
        (Ok(()), true) => (StatusCode::OK, "ready"),
        (Ok(()), false) => (StatusCode::OK, "ready, without Elasticsearch"),
        (Err(_), _) => (StatusCode::SERVICE_UNAVAILABLE, "not ready: no database"),
    }
}
