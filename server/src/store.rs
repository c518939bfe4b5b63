//! The application's own database: SQLite for one process, PostgreSQL for several.
//!
//! One SQL text serves both: arguments are `$1`, columns are TEXT or BIGINT. Opening a connection and beginning a
//! transaction differ, in `open.rs` and [`Store::write`]. A method that writes on behalf of a user takes their
//! [`Grant`](crate::access::Grant), or at sign-in the proof of their password. Ending the own session and removing
//! expired rows need no permission. "Not found" is `Ok(None)`.

mod apm_settings;
mod audit;
mod open;
mod operation_state;
mod operations;
mod secrets;
mod server_key;
mod session_ends;
mod sessions;
mod sign_in_attempts;

use crate::audit::{Action, AuditWriter};
use platform::RandomError;
use sqlx::{Any, AnyConnection, AnyPool, Transaction};
use std::ops::{Deref, DerefMut};

pub use audit::{AuditHead, ForwardingLock, RetentionMark, StoredEvent};
#[doc(hidden)]
pub use open::OpenError;
pub(crate) use open::sqlite_file;
pub use operation_state::OperationState;
pub use operations::{BeginResult, Intent, OpenOperation, OperationOutcome, OperationOwner};
pub use secrets::{Acknowledged, Creation};
pub use server_key::{KeyMatch, Rekeyed};
pub use session_ends::{ActiveWindow, SessionFilter, StoredEnd};
pub use sessions::{ListedSession, NewSession, RenewedSession, StoredSession};
pub use sign_in_attempts::{Attempt, LimitKeys};

/// The application's own database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    readers: AnyPool,
    writer: AnyPool,
    database: Database,
    audit_writer: AuditWriter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Database {
    Sqlite,
    Postgres,
}

/// Failed access to the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A row holds a value that is never written.
    #[error("a row of {table} contradicts the model in {column}")]
    Row {
        table: &'static str,
        column: &'static str,
    },
    /// An event of the audit log is not as it was written, so nothing is removed.
    #[error(
        "row {0} of the audit log was edited, so no old rows are removed: see `agent-keys audit verify`"
    )]
    Tampered(i64),
    /// The caller's grant does not permit this change: a bug.
    #[error("the grant does not permit {0:?}")]
    NotGranted(Action),
    /// `agent-keys rekey` gave the database another key while this process was running.
    #[error("the database has another server key now")]
    OtherServerKey,
    /// No random bytes for the id of an event.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl Store {
    /// Returns an error if the database does not respond.
    #[tracing::instrument(name = "store.database.ping", skip_all)]
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query("SELECT id FROM audit_head WHERE id = $1")
            .bind(1_i64)
            .fetch_one(&self.readers)
            .await?;
        Ok(())
    }

    pub fn audit_writer(&self) -> &AuditWriter {
        &self.audit_writer
    }

    /// Waits for running statements and closes every connection.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A write transaction. Its commit wakes the forwarder if it appended events.
struct Write {
    transaction: Transaction<'static, Any>,
    audit_writer: AuditWriter,
    has_events: bool,
}

impl Store {
    /// Begins a write transaction. On SQLite it takes the write lock at once: a transaction that reads first fails if
    /// another writer commits before its first write.
    async fn write(&self) -> Result<Write, Error> {
        let transaction = match self.database {
            Database::Sqlite => self.writer.begin_with("BEGIN IMMEDIATE").await?,
            Database::Postgres => self.writer.begin().await?,
        };
        Ok(Write {
            transaction,
            audit_writer: self.audit_writer.clone(),
            has_events: false,
        })
    }
}

impl Write {
    async fn commit(self) -> Result<(), Error> {
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
