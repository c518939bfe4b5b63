//! What the store needs to write events down.

use super::{
    Stamp,
    chain::AuditKey,
    record::{self, Columns, More},
    ship::Shipper,
};
use crate::random::{Random, RandomError};
use serde_json::Value;
use std::sync::Arc;

/// Key, randomness, and where the lines go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Trail {
    key: AuditKey,
    random: Random,
    shipper: Option<Arc<Shipper>>,
}

impl Trail {
    /// Puts the parts together.
    pub fn new(key: AuditKey, random: Random, shipper: Option<Shipper>) -> Self {
        Self {
            key,
            random,
            shipper: shipper.map(Arc::new),
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

    /// Hands over the lines of what is committed.
    pub(crate) fn ship(&self, lines: Vec<String>) {
        if let Some(shipper) = &self.shipper {
            lines.into_iter().for_each(|line| shipper.ship(line));
        }
    }

    /// Waits until every line is where it goes.
    pub(crate) async fn flush(&self) {
        if let Some(shipper) = &self.shipper {
            shipper.flush().await;
        }
    }
}
