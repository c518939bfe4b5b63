//! Write transactions.

use super::{Engine, Error, Store};
use crate::audit::AuditWriter;
use sqlx::{Any, AnyConnection, Transaction};
use std::ops::{Deref, DerefMut};

/// A write transaction. Its commit wakes the forwarder if it appended events.
pub(super) struct Write {
    transaction: Transaction<'static, Any>,
    pub(super) audit_writer: AuditWriter,
    pub(super) has_events: bool,
}

impl Store {
    /// Begins a write transaction. On SQLite it takes the write lock at once: a transaction that reads first fails if
    /// another writer commits before its first write.
    pub(super) async fn write(&self) -> Result<Write, Error> {
        let transaction = match self.engine {
            Engine::Sqlite => self.writer.begin_with("BEGIN IMMEDIATE").await?,
            Engine::Postgres => self.writer.begin().await?,
        };
        Ok(Write {
            transaction,
            audit_writer: self.audit_writer.clone(),
            has_events: false,
        })
    }
}

impl Write {
    pub(super) async fn commit(self) -> Result<(), Error> {
        self.transaction.commit().await?;
        if self.has_events {
            self.audit_writer.notify_appended();
        }
        Ok(())
    }
}

impl Deref for Write {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.transaction
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }
}
