//! Proving that the log is whole: nothing edited, removed, moved or added, and nothing cut off before an anchor.

use crate::{
    audit::{anchor::Anchor, chain::AuditKey},
    store::{self, AuditCut, Store, StoredEvent},
};
use serde_json::Value;
use std::collections::HashMap;

const ROWS: i64 = 1_000;

/// A log that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many events were read.
    pub rows: i64,
    /// The number of the last one.
    pub last: i64,
    /// How many anchors agree.
    pub anchors: usize,
}

/// The first event that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is not there.
    #[error("row {0} is missing")]
    Missing(i64),
    /// It is not what was written.
    #[error("row {0} was edited, or Agent Keys did not write it")]
    Edited(i64),
    /// Another event stands in its place.
    #[error("row {row} holds what was written as row {was}: rows were swapped, moved or inserted")]
    Moved {
        /// Where it stands.
        row: i64,
        /// Where it belongs.
        was: i64,
    },
    /// It and everything after it is gone.
    #[error("row {0} and everything after it was cut off")]
    Cut(i64),
    /// The chain was written anew.
    #[error("row {0} is another than the one that was anchored: the log was written anew")]
    NotAnchored(i64),
    /// The beginning was removed, and not because of its age.
    #[error("the log says that it was cut after row {0}, and Agent Keys did not do that")]
    FalseCut(i64),
    /// What the next event would be tied to is not the last one.
    #[error(
        "the end of the chain was edited: the next row would not follow the last one, but row {0}"
    )]
    End(i64),
}

impl Wrong {
    /// The row.
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

/// The log is not whole, or that could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not whole.
    #[error("the audit log is not as it was written: {0}")]
    Wrong(#[from] Wrong),
    /// It cannot be read.
    #[error("the audit log cannot be read")]
    Store(#[from] store::Error),
}

/// Walks the whole chain. Events that are written meanwhile are part of it, or not yet; when old ones are removed
/// meanwhile, it begins anew.
#[tracing::instrument(name = "audit_log.chain.verify", skip_all)]
pub async fn verify(store: &Store, anchors: &[Anchor]) -> Result<Verified, Error> {
    loop {
        let cut = store.audit_cut().await?;
        let walked = walk(store, anchors, cut.as_ref()).await;
        if walked.is_ok() || store.audit_cut().await? == cut {
            return walked;
        }
    }
}

async fn walk(
    store: &Store,
    anchors: &[Anchor],
    cut: Option<&AuditCut>,
) -> Result<Verified, Error> {
    // Read first: what comes later only makes the log longer.
    let head = store.audit_head().await?;
    let anchored: HashMap<_, _> = anchors
        .iter()
        .map(|anchor| (anchor.sequence, anchor.mac.as_str()))
        .collect();
    let key = store.trail().key();
    let (mut last, mut previous) = match cut {
        None => (0, head.origin),
        Some(cut) if cut.code != key.cut_code(cut.sequence, &cut.mac) => {
            return Err(Wrong::FalseCut(cut.sequence).into());
        }
        Some(cut) => (cut.sequence, cut.mac.clone()),
    };
    let begins_after = last;
    if anchored.get(&last).is_some_and(|mac| *mac != previous) {
        return Err(Wrong::NotAnchored(last).into());
    }
    // Before the first number, in case somebody has put something there.
    let mut after = i64::MIN;
    loop {
        let events = store.audit_events(after, ROWS).await?;
        let Some(end) = events.last() else { break };
        after = end.sequence;
        for event in &events {
            verify_one(key, event, last + 1, &previous)?;
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
    let known = anchors.iter().map(|anchor| anchor.sequence).max();
    if last < head.sequence.max(known.unwrap_or(0)) {
        return Err(Wrong::Cut(last + 1).into());
    }
    // Read again, the head can only be further than the rows that were read before it.
    let end = store.audit_head().await?.sequence;
    if end < last {
        return Err(Wrong::End(end).into());
    }
    Ok(Verified {
        rows: last - begins_after,
        last,
        anchors: anchors
            .iter()
            .filter(|anchor| anchor.sequence >= begins_after)
            .count(),
    })
}

fn verify_one(
    key: &AuditKey,
    event: &StoredEvent,
    expected: i64,
    previous: &str,
) -> Result<(), Wrong> {
    let row = event.sequence;
    if row > expected {
        return Err(Wrong::Missing(expected));
    }
    if row < expected {
        return Err(Wrong::Edited(row));
    }
    let record: Option<Value> = serde_json::from_str(&event.record).ok();
    let chained = key.mac(previous, &event.record) == event.mac;
    let agrees = |record: &Value| event.columns.agree_with(record);
    if chained && record.as_ref().is_some_and(agrees) {
        return Ok(());
    }
    let was = record
        .as_ref()
        .and_then(|record| record.pointer("/event/sequence")?.as_i64());
    match was {
        Some(was) if was != row => Err(Wrong::Moved { row, was }),
        _ => Err(Wrong::Edited(row)),
    }
}
