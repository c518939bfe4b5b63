//! Key, random ids and wake-up signal for writing events.

use super::{
    Event, EventContext,
    chain::AuditKey,
    record::{self, EventExtras},
};
use crate::identifier::identifier;
use platform::{Random, RandomError};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Notify;

/// Writes records, and signals each commit to the forwarder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AuditWriter {
    key: AuditKey,
    random: Random,
    appended: Arc<Notify>,
}

impl AuditWriter {
    pub fn new(key: AuditKey, random: Random) -> Self {
        Self {
            key,
            random,
            appended: Arc::default(),
        }
    }

    /// The key of the chain.
    pub fn key(&self) -> &AuditKey {
        &self.key
    }

    /// The record of an event that happens now.
    pub(crate) fn to_record(
        &self,
        sequence: i64,
        event: &Event<'_>,
        context: &EventContext,
    ) -> Result<Value, RandomError> {
        let source = &context.origin;
        let extras = EventExtras {
            id: Some(identifier(self.random, context.at)?),
            source: source.address.map(|address| address.to_string()),
            session: source
                .session
                .as_deref()
                .map(|session| self.key.session_ref(session)),
        };
        Ok(record::to_record(sequence, event, context, extras))
    }

    /// Wakes the forwarder: events were committed.
    pub(crate) fn notify_appended(&self) {
        self.appended.notify_one();
    }

    /// Waits for events that this process commits.
    pub(crate) async fn appended(&self) {
        self.appended.notified().await;
    }
}
