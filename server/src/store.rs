//! What the application remembers, in its own database: SQLite on one machine, PostgreSQL for several processes.
//!
//! There is one SQL text for both: `$1` for arguments, and only the column types TEXT and BIGINT. What differs is
//! how a connection is opened and how a transaction begins, and that is in `open.rs`. Every method that writes in
//! a person's name takes their [`Grant`](crate::access::Grant), or at sign-in the proof that they are who they say;
//! only ending a session needs no permission.
//! "Not found" is `Ok(None)`: what that means is the caller's question.

mod apm_settings;
mod audit;
mod open;
mod operations;
mod sessions;

use sqlx::{Any, AnyPool, Transaction};

pub use audit::StoredEvent;
pub use open::OpenError;
pub(crate) use open::{make_private_dir, sqlite_path};
pub use operations::{
    Acknowledged, Began, Creation, Ending, Intent, OpenOperation, OperationState,
};
pub use sessions::{NewSession, StoredSession};

/// The application's own database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    readers: AnyPool,
    writer: AnyPool,
    engine: Engine,
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
}

impl Store {
    /// A transaction that will write. On SQLite it takes the write lock at once: one that first reads and then
    /// wants to write would fail at once when another writer is in between.
    async fn write(&self) -> Result<Transaction<'static, Any>, Error> {
        Ok(match self.engine {
            Engine::Sqlite => self.writer.begin_with("BEGIN IMMEDIATE").await?,
            Engine::Postgres => self.writer.begin().await?,
        })
    }

    /// Whether the database answers.
    #[tracing::instrument(name = "store.database.ping", skip_all)]
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query("SELECT id FROM audit_head WHERE id = $1")
            .bind(1_i64)
            .fetch_one(&self.readers)
            .await?;
        Ok(())
    }

    /// Waits for what is running, and closes every connection.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
