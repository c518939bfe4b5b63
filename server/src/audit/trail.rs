//! What the store needs to write events down.

use super::{
    Stamp,
    chain::AuditKey,
    record::{self, Columns, More},
};
use crate::random::{Random, RandomError};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Notify;

/// Key, randomness, and a signal after each commit. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Trail {
    key: AuditKey,
    random: Random,
    appended: Arc<Notify>,
}

impl Trail {
    /// Puts the parts together.
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

    /// The line of an event that happens now.
    pub(crate) fn compose(&self, columns: &Columns, stamp: &Stamp) -> Result<Value, RandomError> {
        let origin = &stamp.origin;
        let more = More {
            id: Some(self.random.identifier_at(stamp.at)?),
            source: origin.address.map(|address| address.to_string()),
            session: origin
                .session
                .as_deref()
                .map(|session| self.key.session_ref(session)),
        };
        Ok(record::compose(columns, more))
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
