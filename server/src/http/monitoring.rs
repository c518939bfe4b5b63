//! Metrics, on a listener of their own: in OpenMetrics for those who accept it, and else in the text format of Prometheus.

use super::process_metrics;
use crate::{
    audit::forward::Forwarding,
    context::AppState,
    health::disk_space,
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
use http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
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
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

const OPENMETRICS_TYPE: &str = "application/openmetrics-text";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// State that is read for each scrape.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) state: Arc<AppState>,
    /// Connections of the listener for browsers.
    pub(crate) connections: ConnectionLimiter,
    /// State of audit log forwarding, if configured.
    pub(crate) forwarding: Option<Arc<Forwarding>>,
    pub(crate) data_dir: PathBuf,
    /// End of our own certificate, if there is one.
    pub(crate) certificate_end: Option<Arc<AtomicI64>>,
}

/// The one route of this listener.
pub(crate) fn router(watched: Watched) -> Router {
    Router::new()
        .route("/metrics", get(answer))
        .with_state(watched)
}

async fn answer(State(watched): State<Watched>, headers: HeaderMap) -> Response {
    let mut all = Registry::default();
    process_metrics::register(&mut all);
    let registry = all.sub_registry_with_prefix("agent_keys");
    watched.state.metrics.register(registry);
    let elasticsearch = &watched.state.elasticsearch;
    elasticsearch.calls().register(registry);
    registry.register(
        "elasticsearch_given_up",
        "Whether calls of Elasticsearch fail at once, because it cannot be reached",
        ConstGauge::new(i64::from(elasticsearch.is_circuit_open())),
    );
    let is_reached = watched.state.health.reaches_elasticsearch(elasticsearch);
    registry.register(
        "elasticsearch_up",
        "Whether Elasticsearch answered the latest probe",
        ConstGauge::new(i64::from(is_reached.await)),
    );
    register_resources(registry, &watched);
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
    let known = register_stored(registry, &watched.state, forwarding).await;
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
    if encode(&mut text, &all).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let mut accepted = headers.get_all(ACCEPT).iter();
    let is_openmetrics = accepted.any(|value| {
        let value = value.to_str().unwrap_or_default();
        value.contains(OPENMETRICS_TYPE)
    });
    if is_openmetrics {
        ([(CONTENT_TYPE, OPENMETRICS)], text).into_response()
    } else {
        ([(CONTENT_TYPE, PROMETHEUS_TEXT)], prometheus_text(&text)).into_response()
    }
}

/// The same metrics in the older text format: it has no type `info`, the name of a counter includes its suffix, and
/// nothing marks the end.
fn prometheus_text(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = None;
    for line in openmetrics.lines() {
        let comment = line.strip_prefix("# ").map(|rest| rest.splitn(3, ' '));
        let Some(mut words) = comment else {
            text += line;
            text.push('\n');
            continue;
        };
        match (words.next(), words.next(), words.next()) {
            (Some("HELP"), Some(_), Some(words)) => help = Some(words),
            (Some("TYPE"), Some(name), Some(kind)) => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    kind => ("", kind),
                };
                if let Some(help) = help.take() {
                    text += &format!("# HELP {name}{suffix} {help}\n");
                }
                text += &format!("# TYPE {name}{suffix} {kind}\n");
            }
            // Units, and the mark of the end.
            _ => {}
        }
    }
    text
}

fn register_resources(registry: &mut Registry, watched: &Watched) {
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The binary", build);
    registry.register(
        "connections",
        "Connections of browsers that are open",
        ConstGauge::new(i64::try_from(watched.connections.open()).unwrap_or(i64::MAX)),
    );
    registry.register(
        "connections_refused",
        "Connections of browsers that found no place",
        ConstCounter::new(watched.connections.refused()),
    );
    if let Ok(space) = disk_space(&watched.data_dir) {
        let gauge = |bytes| ConstGauge::new(i64::try_from(bytes).unwrap_or(i64::MAX));
        registry.register(
            "data_disk_free_bytes",
            "Space that is free on the disk of the data directory",
            gauge(space.free),
        );
        registry.register(
            "data_disk_size_bytes",
            "Size of the disk of the data directory",
            gauge(space.size),
        );
    }
    let own = watched.certificate_end.as_ref();
    let own = own.map(|end| ("web", end.load(Ordering::Relaxed)));
    let ends = watched.state.elasticsearch.certificate_ends();
    let certificates = Family::<[(&str, &str); 1], Gauge>::default();
    let mut is_any = false;
    for (certificate, end) in own.into_iter().chain(ends) {
        is_any = true;
        let label = [("certificate", certificate)];
        certificates.get_or_create(&label).set(end);
    }
    if is_any {
        registry.register(
            "certificate_end_timestamp_seconds",
            "End of the certificate in seconds since 1970",
            certificates,
        );
    }
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

#[cfg(test)]
mod tests {
    use super::prometheus_text;

    #[test]
    fn openmetrics_becomes_the_text_format() {
        let openmetrics = "# HELP keys_build The binary.\n# TYPE keys_build info\n\
            keys_build_info{version=\"1\"} 1\n\
            # HELP keys_calls Calls of others.\n# TYPE keys_calls counter\n# UNIT keys_calls calls\n\
            keys_calls_total 2\n# HELP keys_up Up.\n# TYPE keys_up gauge\nkeys_up 1\n# EOF\n";
        let text = "# HELP keys_build_info The binary.\n# TYPE keys_build_info gauge\n\
            keys_build_info{version=\"1\"} 1\n\
            # HELP keys_calls_total Calls of others.\n# TYPE keys_calls_total counter\n\
            keys_calls_total 2\n# HELP keys_up Up.\n# TYPE keys_up gauge\nkeys_up 1\n";
        assert_eq!(prometheus_text(openmetrics), text);
    }
}
