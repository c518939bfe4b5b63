//! What the application remembers, in its own database: SQLite on one machine, PostgreSQL for several processes.
//!
//! There is one SQL text for both: `$1` for arguments, and only the column types TEXT and BIGINT. What differs is
//! how a connection is opened and how a transaction begins, and that is in `open.rs`. Every method that writes in
//! a person's name takes their [`Grant`](crate::access::Grant), or at sign-in the proof that they are who they say;
//! only ending one's own session, and forgetting, need no permission.
//! "Not found" is `Ok(None)`: what that means is the caller's question.

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

use crate::{audit::AuditWriter, random::RandomError};
use sqlx::AnyPool;

pub use audit::{AuditHead, ForwardingLock, RetentionMark, StoredEvent};
#[doc(hidden)]
pub use open::OpenError;
pub(crate) use open::{make_private_dir, sqlite_path};
pub use operations::{
    BeginResult, Intent, OpenOperation, OperationOutcome, OperationOwner, OperationState,
};
pub use secrets::{Acknowledged, Creation};
pub use session_ends::{SessionFilter, StoredEnd};
pub use sessions::{ActiveWindow, ListedSession, NewSession, RenewedSession, StoredSession};
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

/// The database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A row holds what we never write.
    #[error("a row of {table} contradicts the model in {column}")]
    Row {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// An event needs random bytes for its identifier.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl Store {
    /// Whether the database answers.
    #[tracing::instrument(name = "store.database.ping", skip_all)]
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query("SELECT id FROM audit_head WHERE id = $1")
            .bind(1_i64)
            .fetch_one(&self.readers)
            .await?;
        Ok(())
    }

    /// What events are written down with.
    pub fn audit_writer(&self) -> &AuditWriter {
        &self.audit_writer
    }

    /// Waits for what is running, and closes every connection.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
