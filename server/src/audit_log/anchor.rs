//! Anchoring the log: every so many events, every so often, and at the end.

use crate::{
    audit::anchor::{Anchors, AnchorsError},
    context::AppState,
    store,
};
use app::model::timestamp::Timestamp;
use std::{sync::Arc, time::Duration};

/// Events after which the next is anchored.
pub const EVENTS: i64 = 1_000;
/// Time after which the last event is anchored, if there is a new one.
pub const EVERY_MS: i64 = 60 * 60 * 1_000;
/// How often it is looked whether it is time.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The log cannot be anchored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The file failed.
    #[error(transparent)]
    Anchors(#[from] AnchorsError),
}

/// What was anchored last, and where.
#[derive(Debug)]
pub struct Anchoring {
    anchors: Anchors,
    sequence: i64,
    at: Timestamp,
}

impl Anchoring {
    /// Goes on where the file ends. A log that has become shorter is an alarm, and nothing of it is anchored.
    pub async fn resume(state: &AppState, anchors: Anchors) -> Result<Self, Error> {
        let last = anchors.read()?.pop();
        let anchoring = Self {
            anchors,
            sequence: last.map_or(0, |last| last.sequence),
            at: state.clock.now(),
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

    /// Anchors the last event if it is time. Whether it was.
    pub async fn anchor_if_due(&mut self, state: &AppState) -> Result<bool, Error> {
        let head = state.store.audit_head().await?;
        let new = head.sequence - self.sequence;
        let late = state.clock.now() >= self.at.plus_ms(EVERY_MS);
        if new >= EVENTS || (late && new > 0) {
            return self.anchor(state).await;
        }
        Ok(false)
    }

    /// Anchors the last event, unless it is or there is none.
    pub async fn anchor(&mut self, state: &AppState) -> Result<bool, Error> {
        let head = state.store.audit_head().await?;
        if head.sequence <= self.sequence {
            return Ok(false);
        }
        let now = state.clock.now();
        self.anchors.add(now, head.sequence, &head.mac)?;
        (self.sequence, self.at) = (head.sequence, now);
        Ok(true)
    }
}

/// Anchors for as long as the application runs.
pub(crate) async fn go_on(state: Arc<AppState>, anchors: Anchors) {
    let mut anchoring = match Anchoring::resume(&state, anchors).await {
        Ok(anchoring) => anchoring,
        Err(error) => return report(&error),
    };
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Err(error) = anchoring.anchor_if_due(&state).await {
            report(&error);
        }
    }
}

/// Anchors what nobody will add to any more.
pub(crate) async fn anchor_the_end(state: &AppState, anchors: Anchors) {
    let end = async {
        let mut anchoring = Anchoring::resume(state, anchors).await?;
        anchoring.anchor(state).await
    };
    if let Err(error) = end.await {
        report(&error);
    }
}

fn report(error: &Error) {
    let error: &dyn std::error::Error = error;
    tracing::error!(error, "the audit log could not be anchored");
}
