//! Forwards the audit log to `AGENT_KEYS_AUDIT_LOG`, one line of JSON an event: every event at least once, in order.
//!
//! The log is its own outbox: the position of the last written event is stored in the same database, after the write. So
//! no restart, rotation or full disk loses an event. A crash between the write and the position repeats lines, each with
//! the same `event.id` and `event.sequence`. A destination without a position begins with the oldest event, so that a
//! setting that is added later still gets the whole log.
//!
//! Processes that share a PostgreSQL and a destination share the position, and write one at a time, under a lock of the
//! database: each event is then in one of their files, and a collector that reads them all gets it once. A position for
//! each process would need a name for it that survives a restart, and two containers often have the same directory.

use super::{line_writer::LineWriter, record::with_codes};
use crate::{
    config::AuditDestination,
    context::AppState,
    store::{self, ForwardingLock},
};
use serde_json::Value;
use std::{
    collections::HashSet,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Events in one batch.
const ROWS: i64 = 500;
/// Bytes in one batch, unless a single event is larger.
const BYTES_MAX: usize = 1024 * 1024;
/// Interval of checks for events of other processes. Events of this process wake the forwarder.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Pause between batches, so that forwarding does not starve other queries.
const BATCH_PAUSE: Duration = Duration::from_millis(100);
/// Pause after a failure. Doubles with each further one.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A write that takes longer counts as failing, and releases the lock for other processes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Events could not be written. They wait.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Destination(#[from] io::Error),
}

impl Error {
    /// Kind of failure, by which repeated failures are logged once; `None` is the database.
    fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Store(_) => None,
            Self::Destination(error) => Some(error.kind()),
        }
    }
}

/// The destination and its state, for the metrics.
#[derive(Debug)]
pub(crate) struct Forwarding {
    pub(crate) destination: String,
    failing: AtomicBool,
}

impl Forwarding {
    /// Returns true from a failed write, or a reader that stopped, until a batch is written.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }
}

/// Logs each kind of failure once, and then the recovery.
struct Failures {
    forwarding: Arc<Forwarding>,
    logged: HashSet<Option<io::ErrorKind>>,
}

impl Failures {
    fn log(&mut self, error: &Error) {
        self.forwarding.failing.store(true, Ordering::Relaxed);
        if self.logged.insert(error.kind()) {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "AGENT_KEYS_AUDIT_LOG: lines wait to be written"
            );
        }
    }

    fn log_recovery(&mut self) {
        self.forwarding.failing.store(false, Ordering::Relaxed);
        if !self.logged.is_empty() {
            self.logged.clear();
            tracing::info!("AGENT_KEYS_AUDIT_LOG: lines are written again");
        }
    }
}

/// Writes the log to one destination.
pub(crate) struct Forwarder {
    writer: LineWriter,
    /// The last event that was written and whose position could not be noted.
    unnoted: Option<i64>,
    failures: Failures,
}

impl Forwarder {
    /// Checks the destination, so that a wrong path stops the start.
    pub(crate) fn new(destination: AuditDestination) -> io::Result<Self> {
        destination.check()?;
        let forwarding = Arc::new(Forwarding {
            destination: destination.name(),
            failing: AtomicBool::new(false),
        });
        Ok(Self {
            writer: LineWriter::start(destination)?,
            unnoted: None,
            failures: Failures {
                forwarding,
                logged: HashSet::new(),
            },
        })
    }

    pub(crate) fn forwarding(&self) -> Arc<Forwarding> {
        Arc::clone(&self.failures.forwarding)
    }

    /// Forwards until `stop`, and then what is committed by that time, as far as the destination takes it.
    pub(crate) async fn run(mut self, state: Arc<AppState>, stop: CancellationToken) {
        let mut backoff = BACKOFF_MIN;
        loop {
            let is_last = stop.is_cancelled();
            let result = self.forward_batch(&state).await;
            if let Err(error) = &result {
                self.failures.log(error);
            }
            if is_last && !matches!(result, Ok(true)) {
                return;
            }
            let pause = async {
                match result {
                    Ok(true) => {}
                    Ok(false) => {
                        let appended = state.store.audit_writer().appended();
                        // Other processes' events do not wake this one.
                        let _ = timeout(POLL_INTERVAL, appended).await;
                    }
                    Err(_) => sleep(backoff).await,
                }
                sleep(BATCH_PAUSE).await;
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = pause => {}
            }
            backoff = match result {
                Ok(_) => BACKOFF_MIN,
                Err(_) => (backoff * 2).min(BACKOFF_MAX),
            };
        }
    }

    /// Writes one batch, then notes the position. Returns false when nothing waits, or another process is writing.
    async fn forward_batch(&mut self, state: &AppState) -> Result<bool, Error> {
        let store = &state.store;
        let destination = self.forwarding().destination.clone();
        let Some(lock) = store.lock_forwarding(&destination).await? else {
            return Ok(false);
        };
        // A database that cannot be written for a while must not fill the file with the same lines.
        if let Some(last) = self.unnoted {
            self.note(state, Some(lock), last).await?;
            return Ok(true);
        }
        let Some(batch) = read_batch(state, lock.sequence).await? else {
            self.failures.log_recovery();
            return Ok(false);
        };
        let mut lock = Some(lock);
        {
            let mut write = pin!(self.writer.write(batch.lines));
            match timeout(WRITE_TIMEOUT, &mut write).await {
                Ok(result) => result?,
                Err(_) => {
                    let error = io::Error::from(io::ErrorKind::TimedOut);
                    self.failures.log(&error.into());
                    // Another process may write meanwhile. This one cannot write anything else before.
                    lock = None;
                    write.await?;
                }
            }
        }
        self.note(state, lock, batch.last).await?;
        Ok(true)
    }

    async fn note(
        &mut self,
        state: &AppState,
        lock: Option<ForwardingLock>,
        last: i64,
    ) -> Result<(), Error> {
        self.unnoted = Some(last);
        let destination = &self.failures.forwarding.destination;
        let now = state.now();
        state
            .store
            .note_forwarded(lock, destination, last, now)
            .await?;
        self.unnoted = None;
        self.failures.log_recovery();
        Ok(())
    }
}

struct Batch {
    lines: String,
    /// The number of the last event.
    last: i64,
}

/// Reads the events after the position, as many as a batch holds.
async fn read_batch(state: &AppState, after: i64) -> Result<Option<Batch>, Error> {
    // The first line needs the code of the event before it.
    let mut events = state
        .store
        .audit_events((after - 1).max(0), ROWS + 1)
        .await?
        .into_iter()
        .peekable();
    let before = events.next_if(|event| event.sequence <= after);
    let Some(first) = events.peek().map(|event| event.sequence) else {
        return Ok(None);
    };
    let previous = match before {
        Some(event) => Some(event.mac),
        None => code_before(state, first).await?,
    };
    // Old events were removed between the two reads: the next round sees one state.
    let Some(mut previous) = previous else {
        return Ok(None);
    };
    if after > 0 && first > after + 1 {
        tracing::error!(
            after,
            first,
            "AGENT_KEYS_AUDIT_LOG: events were removed because of their age before they were written"
        );
    }
    let mut batch = Batch {
        lines: String::new(),
        last: after,
    };
    for event in events {
        let record: Value = serde_json::from_str(&event.record).unwrap_or_default();
        let line = with_codes(record, &previous, &event.mac).to_string();
        if batch.last > after && batch.lines.len() + line.len() > BYTES_MAX {
            break;
        }
        batch.lines.push_str(&line);
        batch.lines.push('\n');
        batch.last = event.sequence;
        previous = event.mac;
    }
    Ok(Some(batch))
}

/// Returns the code that the first event of the log is tied to; `None` when that event was removed meanwhile.
async fn code_before(state: &AppState, first: i64) -> Result<Option<String>, Error> {
    match state.store.retention_mark().await? {
        Some(cut) if cut.sequence >= first => Ok(None),
        Some(cut) if cut.sequence + 1 == first => Ok(Some(cut.mac)),
        _ => Ok(Some(String::new())),
    }
}
