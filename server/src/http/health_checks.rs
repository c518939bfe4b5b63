//! Health checks, for load balancers and orchestrators. They reveal no versions and no names.

use super::Web;
use crate::{health::DatabaseHealth, log};
use axum::extract::{RawQuery, State};
use http::StatusCode;

/// Liveness: the process runs.
pub(super) async fn live() -> &'static str {
    "live"
}

/// Readiness: changes can be recorded. Ready without Elasticsearch too: the pages then explain the outage. Answers from
/// what is known: probes of orchestrators commonly have a timeout of one second. With `?verbose`, a line for each check.
pub(super) async fn ready(
    State(web): State<Web>,
    RawQuery(query): RawQuery,
) -> (StatusCode, String) {
    let (health, state) = (&web.state.health, &web.state);
    let is_stopping = health.is_stopping();
    let (database, reaches_elasticsearch, is_disk_full) = tokio::join!(
        health.database(&state.store),
        health.reaches_elasticsearch(&state.elasticsearch),
        health.is_disk_full(),
    );
    let is_log_failing = log::is_failing();
    let not_ready = match database {
        _ if is_stopping => Some("the process stops"),
        DatabaseHealth::NoAnswer => Some("no database"),
        DatabaseHealth::CannotBeWritten => Some("the database cannot be written"),
        DatabaseHealth::Works if is_disk_full => Some("the disk is full"),
        DatabaseHealth::Works => None,
    };
    let mut text = String::new();
    if query.is_some_and(|query| query.split('&').any(|part| part == "verbose")) {
        let word = |is_good, otherwise| if is_good { "ok" } else { otherwise };
        let checks = [
            ("process", word(!is_stopping, "stops")),
            (
                "database",
                match database {
                    DatabaseHealth::Works => "ok",
                    DatabaseHealth::CannotBeWritten => "cannot be written",
                    DatabaseHealth::NoAnswer => "no answer",
                },
            ),
            ("disk", word(!is_disk_full, "full")),
            ("elasticsearch", word(reaches_elasticsearch, "no answer")),
            ("log", word(!is_log_failing, "cannot be written")),
        ];
        for (name, result) in checks {
            text += &format!("{name}: {result}\n");
        }
    }
    if let Some(reason) = not_ready {
        text += &format!("not ready: {reason}");
        return (StatusCode::SERVICE_UNAVAILABLE, text);
    }
    text += "ready";
    if !reaches_elasticsearch {
        text += ", without Elasticsearch";
    }
    if is_log_failing {
        text += ", without a log";
    }
    (StatusCode::OK, text)
}
