//! Records outages of Elasticsearch in the audit log: when the circuit opens, and when it closes.

use super::stamp;
use crate::{
    audit::{Action, Event, Outcome},
    context::AppState,
    elasticsearch::breaker::Circuit,
    error::Error,
};
use app::model::timestamp::Timestamp;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

/// Records every change of the circuit until the task is aborted. A circuit that opens and closes between two reads is
/// not recorded.
pub async fn write_down(state: Arc<AppState>) {
    let mut circuit = state.elasticsearch.watch();
    let mut open_since = None;
    while circuit.changed().await.is_ok() {
        let now = *circuit.borrow_and_update();
        let (outcome, since) = match (now, open_since.take()) {
            (Circuit::Open(since), _) => (Outcome::Failure, moment(&state, since)),
            (Circuit::Closed, Some(since)) => (Outcome::Success, since),
            (Circuit::Closed, None) => continue,
        };
        if outcome == Outcome::Failure {
            open_since = Some(since);
        }
        if let Err(failure) = write(&state, outcome, since).await {
            let error: &dyn std::error::Error = &failure;
            tracing::error!(
                error,
                "the state of the connection could not be written down"
            );
        }
    }
}

fn moment(state: &AppState, then: Instant) -> Timestamp {
    let ms = i64::try_from(then.elapsed().as_millis()).unwrap_or(i64::MAX);
    state.now().plus_ms(-ms)
}

/// `since` is when the silence began, of which this is the beginning or the end.
async fn write(state: &AppState, outcome: Outcome, since: Timestamp) -> Result<(), Error> {
    let stamp = stamp(state)?;
    let (circuit, reason) = match outcome {
        Outcome::Success => ("closed", "answered"),
        Outcome::Failure | Outcome::Unknown => ("open", "unreachable"),
    };
    let event = Event::new(Action::EsConnectionState)
        .outcome(outcome)
        .details(json!({
            "url": state.elasticsearch.address(),
            "state": circuit,
            "reason": reason,
            "since": since.iso_ms(),
        }));
    state.store.record(&event, &stamp).await?;
    Ok(())
}
