//! Anchors: numbers and MACs of some events, in a file and in the log, outside the database. They reveal that the end
//! of the audit log was removed.

use crate::{context::AppState, store};
use app::model::timestamp::Timestamp;
use platform::private_files;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// File name in the data directory.
pub const FILE: &str = "audit-anchors.jsonl";

/// Number of events between two anchors.
pub const ANCHOR_EVENTS: i64 = 1_000;
/// Time between two anchors, if there are new events.
pub const ANCHOR_INTERVAL: Duration = Duration::from_hours(1);
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Number and MAC of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Time of anchoring.
    #[serde(rename = "@timestamp")]
    pub at: String,
    pub sequence: i64,
    pub mac: String,
}

/// The anchors file.
#[derive(Clone, Debug)]
pub struct Anchors(PathBuf);

/// The anchors file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AnchorsError {
    #[error("cannot read or write {path}: {source}", path = path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("line {line} of {path} is no anchor", path = path.display())]
    Damaged { path: PathBuf, line: usize },
}

impl Anchors {
    /// The file in this directory, which need not exist yet.
    pub fn new(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
    }

    pub fn exists(&self) -> bool {
        self.0.exists()
    }

    /// All anchors, oldest first; none without a file.
    pub fn read(&self) -> Result<Vec<Anchor>, AnchorsError> {
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.failed(source)),
        };
        // A power cut may leave a last line without its end.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .zip(1..)
            .map(|(text, line)| {
                serde_json::from_str(text).map_err(|_| AnchorsError::Damaged {
                    path: self.0.clone(),
                    line,
                })
            })
            .collect()
    }

    /// Adds an anchor to the log and to the file.
    pub fn add(&self, at: Timestamp, sequence: i64, mac: &str) -> Result<(), AnchorsError> {
        tracing::info!(target: "audit.anchor", sequence, mac, "the audit log is anchored");
        let anchor = Anchor {
            at: at.iso_ms(),
            sequence,
            mac: mac.to_owned(),
        };
        let line = serde_json::to_string(&anchor)
            .map_err(io::Error::from)
            .map(|line| format!("{line}\n"));
        line.and_then(|line| {
            let mut file = private_files::open_options()
                .append(true)
                .create(true)
                .open(&self.0)?;
            file.write_all(line.as_bytes())?;
            file.sync_all()?;
            private_files::give_to_owner_of_directory(&self.0)
        })
        .map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> AnchorsError {
        AnchorsError::File {
            path: self.0.clone(),
            source,
        }
    }
}

/// The log cannot be anchored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Anchors(#[from] AnchorsError),
}

/// Anchors the log of one process.
#[derive(Debug)]
pub struct Anchoring {
    anchors: Anchors,
    sequence: i64,
    at: Timestamp,
}

impl Anchoring {
    /// Continues after the last anchor of the file. A log that is shorter than that is logged as an error.
    pub async fn resume(state: &AppState, anchors: Anchors) -> Result<Self, Error> {
        let last = anchors.read()?.pop();
        let anchoring = Self {
            anchors,
            sequence: last.map_or(0, |last| last.sequence),
            at: state.now(),
        };
        let now = state.store.audit_head().await?.sequence;
        if now < anchoring.sequence {
            tracing::error!(
                anchored = anchoring.sequence,
                last = now,
                "the audit log is shorter than it was; run: agent-keys audit verify"
            );
        }
        Ok(anchoring)
    }

    /// Anchors the last event if an anchor is due, and then returns true.
    pub async fn anchor_if_due(&mut self, state: &AppState) -> Result<bool, Error> {
        let head = state.store.audit_head().await?;
        let new = head.sequence - self.sequence;
        let late = state.now() >= self.at.plus(ANCHOR_INTERVAL);
        if new >= ANCHOR_EVENTS || (late && new > 0) {
            return self.anchor(state).await;
        }
        Ok(false)
    }

    /// Anchors the last event, and returns true if it is a new one.
    pub async fn anchor(&mut self, state: &AppState) -> Result<bool, Error> {
        let head = state.store.audit_head().await?;
        if head.sequence <= self.sequence {
            return Ok(false);
        }
        let now = state.now();
        self.anchors.add(now, head.sequence, &head.mac)?;
        (self.sequence, self.at) = (head.sequence, now);
        Ok(true)
    }
}

/// Anchors until it is aborted.
pub(crate) async fn run(state: Arc<AppState>, anchors: Anchors) {
    let mut anchoring = match Anchoring::resume(&state, anchors).await {
        Ok(anchoring) => anchoring,
        Err(error) => return report(&error),
    };
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        if let Err(error) = anchoring.anchor_if_due(&state).await {
            report(&error);
        }
    }
}

/// Anchors the last event at shutdown.
pub(crate) async fn anchor_at_shutdown(state: &AppState, anchors: Anchors) {
    let end = async {
        let mut anchoring = Anchoring::resume(state, anchors).await?;
        anchoring.anchor(state).await
    };
    if let Err(error) = end.await {
        report(&error);
    }
}

fn report(error: &Error) {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "the audit log could not be anchored"
    );
}
