//! A transaction that writes, and the events that it adds.

use super::{Engine, Error, Store};
use crate::audit::AuditWriter;
use sqlx::{Any, AnyConnection, Transaction};
use std::ops::{Deref, DerefMut};

/// A transaction that will write. The forwarder is woken when events are committed, not before.
pub(super) struct Write {
    transaction: Transaction<'static, Any>,
    pub(super) audit_writer: AuditWriter,
    pub(super) has_events: bool,
}

impl Store {
    /// Begins one. On SQLite it takes the write lock at once: one that first reads and then wants to write would
    /// fail at once when another writer is in between.
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
