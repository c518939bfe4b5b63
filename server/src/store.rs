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
mod retention;
mod rotations;
mod secrets;
mod server_key;
mod session_ends;
mod sessions;
mod sign_in_attempts;

use crate::audit::{Action, AuditWriter};
use app::model::timestamp::Timestamp;
use platform::RandomError;
use sqlx::{Any, AnyConnection, AnyPool, Transaction};
use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

pub use audit::{AuditHead, ForwardingLock, RetentionMark, StoredEvent};
#[doc(hidden)]
pub use open::OpenError;
pub(crate) use open::sqlite_file;
pub use operation_state::OperationState;
pub use operations::{BeginResult, Intent, OpenOperation, OperationOutcome, OperationOwner};
pub use rotations::StoredRotation;
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
    /// True after a transaction that was not committed, until one is.
    doubted: Arc<AtomicBool>,
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
    #[error("the database cannot be written")]
    ReadOnly,
    #[error("the database does not answer")]
    NoAnswer,
    /// `agent-keys rekey` gave the database another key while this process was running.
    #[error("the database has another server key now")]
    OtherServerKey,
    /// No random bytes for the id of an event.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl Error {
    /// Returns true if PostgreSQL has no such table.
    pub fn is_of_missing_table(&self) -> bool {
        const UNDEFINED_TABLE: &str = "42P01";
        let Self::Database(error) = self else {
            return false;
        };
        let code = error.as_database_error().and_then(|error| error.code());
        code.as_deref() == Some(UNDEFINED_TABLE)
    }
}

impl Store {
    /// The time of PostgreSQL; `None` for SQLite, which has the clock of this machine.
    pub async fn clock(&self) -> Result<Option<Timestamp>, Error> {
        if self.database == Database::Sqlite {
            return Ok(None);
        }
        let milliseconds: i64 = sqlx::query_scalar(
            "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(Some(Timestamp(milliseconds)))
    }

    /// Returns an error if the database does not respond, or cannot be written. Writes only if the last transaction was
    /// not committed, which it may also have chosen itself.
    pub async fn check(&self) -> Result<(), Error> {
        self.ping().await?;
        if self.doubted.load(Ordering::Relaxed) {
            self.write_nothing().await.map_err(|_| Error::ReadOnly)?;
        }
        Ok(())
    }

    /// Commits a row that is not there afterwards. SQLite would write nothing for an update to the same value.
    pub async fn write_nothing(&self) -> Result<(), Error> {
        const DESTINATION: &str = "a check of the database";
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO audit_forwarding (destination, sequence, written_at) VALUES ($1, 0, 0)",
        )
        .bind(DESTINATION)
        .execute(&mut *write)
        .await?;
        sqlx::query("DELETE FROM audit_forwarding WHERE destination = $1")
            .bind(DESTINATION)
            .execute(&mut *write)
            .await?;
        write.commit().await
    }

    /// Notes a failed write outside a transaction.
    fn note_failure<T>(&self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if result.is_err() {
            self.doubted.store(true, Ordering::Relaxed);
        }
        result
    }

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
    doubt: Doubt,
}

/// Marks the database as doubted unless the transaction is committed.
struct Doubt(Arc<AtomicBool>);

impl Drop for Doubt {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Store {
    /// Begins a write transaction. On SQLite it takes the write lock at once: a transaction that reads first fails if
    /// another writer commits before its first write.
    async fn write(&self) -> Result<Write, Error> {
        let doubt = Doubt(Arc::clone(&self.doubted));
        let transaction = match self.database {
            Database::Sqlite => self.writer.begin_with("BEGIN IMMEDIATE").await?,
            Database::Postgres => self.writer.begin().await?,
        };
        Ok(Write {
            transaction,
            audit_writer: self.audit_writer.clone(),
            has_events: false,
            doubt,
        })
    }
}

impl Write {
    async fn commit(self) -> Result<(), Error> {
        self.transaction.commit().await?;
        let doubted = Arc::clone(&self.doubt.0);
        drop(self.doubt);
        doubted.store(false, Ordering::Relaxed);
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
