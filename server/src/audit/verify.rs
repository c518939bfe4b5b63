//! Verification of the audit log: nothing edited, removed, moved or added, and no end removed before an anchor.

use super::{Action, anchors::Anchor, chain::AuditKey};
use crate::store::{self, RetentionMark, Store, StoredEvent};
use serde_json::Value;
use std::collections::HashMap;

const ROWS: i64 = 1_000;

/// Result for an intact log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Number of events.
    pub rows: i64,
    /// Number of the last event.
    pub last: i64,
    /// Number of anchors that agree.
    pub anchors: usize,
    /// Number of events that were written with an earlier server key, and sealed when it was replaced.
    pub sealed: i64,
    /// Number of the last event that records a restore from a backup.
    pub restored: Option<i64>,
}

/// The first manipulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("row {0} is missing")]
    Missing(i64),
    /// The record, its columns or its MAC differ from what was written.
    #[error("row {0} was edited, or Agent Keys did not write it")]
    Edited(i64),
    /// Another event is in its row.
    #[error("row {row} holds what was written as row {was}: rows were swapped, moved or inserted")]
    Moved {
        row: i64,
        /// The row in which it was written.
        was: i64,
    },
    /// The event and everything after it was removed.
    #[error("row {0} and everything after it was cut off")]
    Cut(i64),
    /// The chain was recomputed.
    #[error("row {0} is another than the one that was anchored: the log was written anew")]
    NotAnchored(i64),
    /// The retention mark is forged.
    #[error("the log says that it was cut after row {0}, and Agent Keys did not do that")]
    FalseCut(i64),
    /// The stored end of the chain is not the last event.
    #[error(
        "the end of the chain was edited: the next row would not follow the last one, but row {0}"
    )]
    End(i64),
}

impl Wrong {
    pub fn row(self) -> i64 {
        match self {
            Self::Missing(row)
            | Self::Edited(row)
            | Self::Moved { row, .. }
            | Self::Cut(row)
            | Self::NotAnchored(row)
            | Self::FalseCut(row)
            | Self::End(row) => row,
        }
    }
}

/// Failed verification.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the audit log is not as it was written: {0}")]
    Wrong(#[from] Wrong),
    #[error("the audit log cannot be read")]
    Store(#[from] store::Error),
}

/// Verifies the whole chain. Starts again if events are removed by retention meanwhile.
#[tracing::instrument(name = "audit_log.chain.verify", skip_all)]
pub async fn verify(store: &Store, anchors: &[Anchor]) -> Result<Verified, Error> {
    loop {
        let mark = store.retention_mark().await?;
        let walked = walk(store, anchors, mark.as_ref()).await;
        if walked.is_ok() || store.retention_mark().await? == mark {
            return walked;
        }
    }
}

async fn walk(
    store: &Store,
    anchors: &[Anchor],
    mark: Option<&RetentionMark>,
) -> Result<Verified, Error> {
    // Read first: later events only make the log longer.
    let head = store.audit_head().await?;
    let Effective {
        anchored,
        superseded,
    } = Effective::of(anchors);
    let (mut sealed, mut restored) = (0, None);
    let key = store.audit_writer().key();
    let (mut last, mut previous) = match mark {
        None => (0, String::new()),
        Some(mark) if mark.code != key.retention_code(mark.sequence, &mark.mac) => {
            return Err(Wrong::FalseCut(mark.sequence).into());
        }
        Some(mark) => (mark.sequence, mark.mac.clone()),
    };
    let begins_after = last;
    if anchored.get(&last).is_some_and(|mac| *mac != previous) {
        return Err(Wrong::NotAnchored(last).into());
    }
    // Below the first number, to find inserted rows.
    let mut after = i64::MIN;
    loop {
        let events = store.audit_events(after, ROWS).await?;
        let Some(end) = events.last() else { break };
        let seals = store.audit_seals(after, end.sequence).await?;
        after = end.sequence;
        for event in &events {
            let seal = seals.get(&event.sequence).map(String::as_str);
            verify_one(key, event, last + 1, &previous, seal)?;
            sealed += i64::from(seal.is_some());
            let replaces_the_log = match event.action.parse() {
                Ok(Action::DatabaseRestore) => {
                    restored = Some(event.sequence);
                    true
                }
                Ok(Action::ServerKeyChange) => true,
                _ => false,
            };
            if let Some(before) = superseded.get(&event.sequence)
                && !replaces_the_log
            {
                return Err(Wrong::NotAnchored(*before).into());
            }
            last = event.sequence;
            previous.clone_from(&event.mac);
            if anchored.get(&last).is_some_and(|mac| *mac != event.mac) {
                return Err(Wrong::NotAnchored(last).into());
            }
            if last == head.sequence && head.mac != event.mac {
                return Err(Wrong::End(last).into());
            }
        }
    }
    let known = anchored.keys().copied().max();
    if last < head.sequence.max(known.unwrap_or(0)) {
        return Err(Wrong::Cut(last + 1).into());
    }
    // When read again, the head can only be at or after the rows that were read before.
    let end = store.audit_head().await?.sequence;
    if end < last {
        return Err(Wrong::End(end).into());
    }
    Ok(Verified {
        rows: last - begins_after,
        last,
        anchors: anchored
            .keys()
            .filter(|sequence| **sequence >= begins_after)
            .count(),
        sealed,
        restored,
    })
}

/// Anchors by whether the log still has to agree with them.
struct Effective<'a> {
    /// Code by number.
    anchored: HashMap<i64, &'a str>,
    /// A restore from a backup continues the log at an earlier number, and anchors its own event at once. By the number
    /// of that event: the first anchor that it supersedes. The event must be a restore, which needs the server key.
    superseded: HashMap<i64, i64>,
}

impl<'a> Effective<'a> {
    /// `anchors` are in the order in which they were written.
    fn of(anchors: &'a [Anchor]) -> Self {
        let mut effective = Self {
            anchored: HashMap::new(),
            superseded: HashMap::new(),
        };
        let mut earliest: Option<&Anchor> = None;
        for anchor in anchors.iter().rev() {
            match earliest {
                Some(later) if later.sequence == anchor.sequence && later.mac == anchor.mac => {}
                Some(later) if later.sequence <= anchor.sequence => {
                    effective.superseded.insert(later.sequence, anchor.sequence);
                }
                _ => {
                    effective.anchored.insert(anchor.sequence, &anchor.mac);
                    earliest = Some(anchor);
                }
            }
        }
        effective
    }
}

/// `seal` is the event's code if an earlier server key has chained it.
fn verify_one(
    key: &AuditKey,
    event: &StoredEvent,
    expected: i64,
    previous: &str,
    seal: Option<&str>,
) -> Result<(), Wrong> {
    let row = event.sequence;
    if row > expected {
        return Err(Wrong::Missing(expected));
    }
    if row < expected {
        return Err(Wrong::Edited(row));
    }
    if event.follows(key, expected - 1, previous, seal) {
        return Ok(());
    }
    let record: Option<Value> = serde_json::from_str(&event.record).ok();
    let was = record
        .as_ref()
        .and_then(|record| record.pointer("/event/sequence")?.as_i64());
    match was {
        Some(was) if was != row => Err(Wrong::Moved { row, was }),
        _ => Err(Wrong::Edited(row)),
    }
}
