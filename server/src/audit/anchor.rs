//! Anchors: numbers and codes of some events, kept outside the database. Who cuts the end off the database's log
//! cannot cut it off there.

use app::model::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The file's name, in the data directory.
pub const FILE: &str = "audit-anchors.jsonl";

/// An event that was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// When it was anchored.
    #[serde(rename = "@timestamp")]
    pub at: String,
    /// The event's number.
    pub sequence: i64,
    /// Its code.
    pub mac: String,
}

/// The file of anchors.
#[derive(Clone, Debug)]
pub struct Anchors(PathBuf);

/// The file of anchors cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AnchorsError {
    /// It cannot be read or written.
    #[error("cannot read or write {path}: {source}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is no anchor.
    #[error("line {line} of {path} is no anchor", path = path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Which line.
        line: usize,
    },
}

impl Anchors {
    /// The file in this directory, which need not exist yet.
    pub fn new(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
    }

    /// Every anchor, oldest first; none if there is no file.
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

    /// Adds one, in the log and in the file.
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
            let mut file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&self.0)?;
            file.write_all(line.as_bytes())?;
            file.sync_all()
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
