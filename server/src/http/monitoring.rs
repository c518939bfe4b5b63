//! Health checks, for load balancers and orchestrators; and metrics in the Prometheus text format, on a listener of
//! their own. Health checks reveal no versions and no names.

use super::Web;
use crate::{
    audit::forward::Forwarding,
    context::AppState,
    log,
    sessions::{IDLE_MAX, LIFE_MAX},
    store,
};
use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header::CONTENT_TYPE};
use platform::connection_limit::ConnectionLimiter;
use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::ConstCounter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        info::Info,
    },
    registry::Registry,
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// State that is read for each scrape.
#[derive(Clone, Debug)]
struct Watched {
    state: Arc<AppState>,
    /// Connections of the listener for browsers.
    connections: ConnectionLimiter,
    /// State of audit log forwarding, if configured.
    forwarding: Option<Arc<Forwarding>>,
}

/// The one route of this listener.
pub(crate) fn router(
    state: Arc<AppState>,
    connections: ConnectionLimiter,
    forwarding: Option<Arc<Forwarding>>,
) -> Router {
    let watched = Watched {
        state,
        connections,
        forwarding,
    };
    Router::new()
        .route("/metrics", get(answer))
        .with_state(watched)
}

async fn answer(State(watched): State<Watched>) -> Response {
    let mut registry = Registry::with_prefix("agent_keys");
    watched.state.metrics.register(&mut registry);
    watched.state.elasticsearch.calls().register(&mut registry);
    registry.register(
        "elasticsearch_given_up",
        "Whether calls of Elasticsearch fail at once, because it cannot be reached",
        ConstGauge::new(i64::from(watched.state.elasticsearch.is_circuit_open())),
    );
    register_process(&mut registry, &watched.connections);
    registry.register(
        "log_lines_dropped",
        "Lines of the log that could not be written",
        ConstCounter::new(log::dropped_lines()),
    );
    let forwarding = watched.forwarding.as_deref();
    if let Some(forwarding) = forwarding {
        registry.register(
            "audit_log_failing",
            "Whether lines of the audit log cannot be written to AGENT_KEYS_AUDIT_LOG",
            ConstGauge::new(i64::from(forwarding.is_failing())),
        );
    }
    let known = register_stored(&mut registry, &watched.state, forwarding).await;
    if let Err(error) = &known {
        tracing::error!(
            error = error as &dyn std::error::Error,
            "the database could not be counted"
        );
    }
    registry.register(
        "database_up",
        "Whether our own database answered",
        ConstGauge::new(i64::from(known.is_ok())),
    );
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn register_process(registry: &mut Registry, connections: &ConnectionLimiter) {
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The binary", build);
    registry.register(
        "connections",
        "Connections of browsers that are open",
        ConstGauge::new(i64::try_from(connections.open()).unwrap_or(i64::MAX)),
    );
    registry.register(
        "connections_refused",
        "Connections of browsers that found no place",
        ConstCounter::new(connections.refused()),
    );
}

/// Registers counts from the database. Registers nothing if the database fails.
async fn register_stored(
    registry: &mut Registry,
    state: &AppState,
    forwarding: Option<&Forwarding>,
) -> Result<(), store::Error> {
    let now = state.now();
    let head = state.store.audit_head().await?;
    let waiting = match forwarding {
        Some(forwarding) => {
            let written = state.store.forwarded_events(&forwarding.destination);
            Some((head.sequence - written.await?).max(0))
        }
        None => None,
    };
    let sessions = state
        .store
        .count_sessions(now.minus(IDLE_MAX), now.minus(LIFE_MAX))
        .await?;
    let counted = state.store.count_operations().await?;
    let operations = Family::<[(&str, &str); 1], Gauge>::default();
    for (state, count) in counted {
        let label = [("state", state.name())];
        operations.get_or_create(&label).set(count);
    }
    registry.register(
        "audit_sequence",
        "The number of the audit log's last event",
        ConstGauge::new(head.sequence),
    );
    if let Some(waiting) = waiting {
        registry.register(
            "audit_log_waiting",
            "Events that wait to be written to AGENT_KEYS_AUDIT_LOG",
            ConstGauge::new(waiting),
        );
    }
    registry.register(
        "sessions",
        "Sessions that are alive",
        ConstGauge::new(sessions),
    );
    registry.register(
        "operations",
        "Changes that were asked of Elasticsearch, by how far they came",
        operations,
    );
    Ok(())
}

/// Limit for Elasticsearch in the readiness check.
const PROBE_TIMEOUT: Duration = Duration::from_millis(150);
/// Limit for the database in the readiness check.
const STORE_TIMEOUT: Duration = Duration::from_millis(500);

/// Liveness: the process runs.
pub(super) async fn live() -> &'static str {
    "live"
}

/// Readiness: the database responds. Ready without Elasticsearch too: the pages then explain the outage.
pub(super) async fn ready(State(web): State<Web>) -> impl IntoResponse {
    // Probes of orchestrators commonly have a timeout of one second.
    let reachable = timeout(PROBE_TIMEOUT, web.state.elasticsearch.is_reachable());
    let stored = timeout(STORE_TIMEOUT, web.state.store.check());
    let (stored, reachable) = tokio::join!(stored, reachable);
    let stored = stored.unwrap_or(Err(store::Error::NoAnswer));
    let not_ready = |reason: &str| {
        let text = format!("not ready: {reason}");
        (StatusCode::SERVICE_UNAVAILABLE, text)
    };
    if !web.state.readiness.ask() {
        return not_ready("the process stops");
    }
    match stored {
        Ok(()) => {}
        Err(store::Error::ReadOnly) => return not_ready("the database cannot be written"),
        Err(_) => return not_ready("no database"),
    }
    let mut text = "ready".to_owned();
    if !reachable.unwrap_or(false) {
        text += ", without Elasticsearch";
    }
    if log::is_failing() {
        text += ", without a log";
    }
    (StatusCode::OK, text)
}
