//! The application's own database: SQLite for one process, PostgreSQL for several.
//!
//! One SQL text serves both: arguments are `$1`, columns are TEXT or BIGINT. Opening a connection and beginning a
//! transaction differ, in `open.rs` and `write.rs`. A method that writes on behalf of a user takes their
//! [`Grant`](crate::access::Grant), or at sign-in the proof of their password. Ending the own session and removing
//! expired rows need no permission. "Not found" is `Ok(None)`.

mod apm_settings;
mod audit;
mod migrations;
mod open;
mod operations;
mod secrets;
mod session_ends;
mod sessions;
mod sign_in_attempts;
mod write;

use crate::audit::AuditWriter;
use platform::RandomError;
use sqlx::AnyPool;

pub use audit::{AuditHead, ForwardingLock, RetentionMark, StoredEvent};
#[doc(hidden)]
pub use open::OpenError;
pub(crate) use open::sqlite_path;
pub use operations::{
    BeginResult, Intent, OpenOperation, OperationOutcome, OperationOwner, OperationState,
};
pub use secrets::{Acknowledged, Creation};
pub use session_ends::{ActiveWindow, SessionFilter, StoredEnd};
pub use sessions::{ListedSession, NewSession, RenewedSession, StoredSession};
pub use sign_in_attempts::{Attempt, LimitKeys};

/// The application's own database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    readers: AnyPool,
    writer: AnyPool,
    engine: Engine,
    audit_writer: AuditWriter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
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
