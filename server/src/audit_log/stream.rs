//! Sending the log to a data stream of Elasticsearch: every event at least once, under its own identifier.
//!
//! The log is its own outbox: an event is in it before anybody hears of what happened, and how far it was sent is
//! remembered beside it. So nothing is lost when the target is away or this process ends, and nobody waits for it. What
//! was sent and not answered is sent again, and is there once, because the data stream refuses an identifier that it has.

use crate::{
    audit::record::with_codes,
    elasticsearch::{
        self,
        data_stream::{Added, DataStream, Document},
    },
    services::Services,
    store::{self, StoredEvent},
};
use serde_json::Value;
use std::time::Duration;

/// Events in one request.
const ROWS: i64 = 500;
/// Bytes in one request, unless a single event is larger.
const BYTES_MAX: usize = 1024 * 1024;
/// How often it is looked for new events.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two requests of many: the database is there for others too.
const BREATH: Duration = Duration::from_millis(20);
/// After a failure. Doubled after each.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Events could not be sent. They will be.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The target could not be asked, or did not answer.
    #[error(transparent)]
    Target(#[from] elasticsearch::Error),
    /// It was asked and did not take an event. Those after it wait, for the log has no gaps.
    #[error("event {sequence} was not taken: status {status}, {kind}")]
    NotTaken {
        sequence: i64,
        status: u16,
        kind: String,
    },
}

/// How far one round came.
enum Sent {
    Everything,
    /// There may be more.
    Some,
}

/// Sends for as long as the application runs.
pub(crate) async fn go_on(services: Services, stream: DataStream) {
    let mut pause = PAUSE_MIN;
    loop {
        let wait = match send(&services, &stream).await {
            Ok(sent) => {
                pause = PAUSE_MIN;
                match sent {
                    Sent::Everything => LOOK_EVERY,
                    Sent::Some => BREATH,
                }
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "the audit log could not be sent; it will be");
                let wait = pause;
                pause = (pause * 2).min(PAUSE_MAX);
                wait
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// One request. What was taken is noted, also when something after it was not.
async fn send(services: &Services, stream: &DataStream) -> Result<Sent, Error> {
    let target = stream.target();
    let after = services.store.sent_events(target).await?;
    let batch = read(services, after).await?;
    let Some((first, _)) = batch.first() else {
        return Ok(Sent::Everything);
    };
    let first = *first;
    let (sequences, documents): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
    let added = stream.create(&documents).await?;
    let not = added
        .iter()
        .zip(&sequences)
        .find_map(|(added, sequence)| match added {
            Added::There => None,
            Added::Not { status, kind } => Some((*sequence, *status, kind.clone())),
        });
    let sent_to = match &not {
        Some((sequence, _, _)) => sequence - 1,
        None => sequences.last().copied().unwrap_or(after),
    };
    if sent_to >= first {
        let now = services.clock.now();
        services
            .store
            .note_sent_events(target, sent_to, now)
            .await?;
    }
    match not {
        Some((sequence, status, kind)) => Err(Error::NotTaken {
            sequence,
            status,
            kind,
        }),
        None => Ok(Sent::Some),
    }
}

/// The next events, with their numbers.
async fn read(services: &Services, after: i64) -> Result<Vec<(i64, Document)>, Error> {
    // The one before them has the code that the first is tied to.
    let mut events = services
        .store
        .audit_events((after - 1).max(0), ROWS + 1)
        .await?
        .into_iter()
        .peekable();
    let before = events.next_if(|event| event.sequence <= after);
    let Some(first) = events.peek().map(|event| event.sequence) else {
        return Ok(Vec::new());
    };
    let previous = match before {
        Some(event) => Some(event.mac),
        None => tied_to(services, first).await?,
    };
    // Cut between the two looks: the next look sees both as they are.
    let Some(mut previous) = previous else {
        return Ok(Vec::new());
    };
    if after > 0 && first > after + 1 {
        tracing::error!(
            after,
            first,
            "events were removed because of their age before they were sent"
        );
    }
    let mut bytes = 0;
    let mut batch = Vec::new();
    for event in events {
        let document = document(&event, &previous);
        bytes += document.source.len();
        if bytes > BYTES_MAX && !batch.is_empty() {
            break;
        }
        batch.push((event.sequence, document));
        previous = event.mac;
    }
    Ok(batch)
}

/// The code that the first event of the log is tied to. `None` when the log was cut behind it meanwhile.
async fn tied_to(services: &Services, first: i64) -> Result<Option<String>, Error> {
    match services.store.audit_cut().await? {
        Some(cut) if cut.sequence >= first => Ok(None),
        Some(cut) if cut.sequence + 1 == first => Ok(Some(cut.mac)),
        _ => Ok(Some(services.store.audit_head().await?.origin)),
    }
}

/// The line that collectors get, too. An event from before events had identifiers is known by its code.
fn document(event: &StoredEvent, previous: &str) -> Document {
    let record: Value = serde_json::from_str(&event.record).unwrap_or_default();
    let id = record.pointer("/event/id").and_then(Value::as_str);
    Document {
        id: id.unwrap_or(&event.mac).to_owned(),
        source: with_codes(record.clone(), previous, &event.mac).to_string(),
    }
}
