//! Writing down when Elasticsearch is given up, and when it is there again.

use super::stamp;
use crate::{
    audit::{Action, Event, Outcome, Target},
    elasticsearch::breaker::Circuit,
    failure::Failure,
    services::Services,
};
use app::model::timestamp::Timestamp;
use serde_json::json;
use std::time::Instant;

/// Writes down every change until it is aborted. A change that is taken back before it is written is none.
pub async fn write_down(services: Services) {
    let mut circuit = services.elasticsearch.watch();
    let mut open_since = None;
    while circuit.changed().await.is_ok() {
        let now = *circuit.borrow_and_update();
        let (outcome, since) = match (now, open_since.take()) {
            (Circuit::Open(since), _) => (Outcome::Failure, moment(&services, since)),
            (Circuit::Closed, Some(since)) => (Outcome::Success, since),
            (Circuit::Closed, None) => continue,
        };
        if outcome == Outcome::Failure {
            open_since = Some(since);
        }
        if let Err(failure) = write(&services, outcome, since).await {
            let error: &dyn std::error::Error = &failure;
            tracing::error!(
                error,
                "the state of the connection could not be written down"
            );
        }
    }
}

fn moment(services: &Services, then: Instant) -> Timestamp {
    let ms = i64::try_from(then.elapsed().as_millis()).unwrap_or(i64::MAX);
    services.clock.now().plus_ms(-ms)
}

/// `since` is when the silence began, of which this is the beginning or the end.
async fn write(services: &Services, outcome: Outcome, since: Timestamp) -> Result<(), Failure> {
    let stamp = stamp(services)?;
    let (state, reason) = match outcome {
        Outcome::Success => ("closed", "answered"),
        Outcome::Failure | Outcome::Unknown => ("open", "unreachable"),
    };
    let event = Event {
        actor: None,
        action: Action::EsConnectionState,
        outcome,
        target: Target::default(),
        operation: None,
        details: json!({
            "url": services.elasticsearch.address(),
            "state": state,
            "reason": reason,
            "since": since.iso_ms(),
        }),
    };
    services.store.record(&event, &stamp).await?;
    Ok(())
}
