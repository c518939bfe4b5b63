//! How far the audit log was written to a destination of lines.

use super::{Engine, Error, Store};
use app::model::timestamp::Timestamp;
use sqlx::{Any, Executor, Row, Transaction};

const NOTE: &str = "INSERT INTO audit_forwarding (destination, sequence, written_at) \
     VALUES ($1, $2, $3) ON CONFLICT (destination) DO UPDATE SET sequence = excluded.sequence, \
     written_at = excluded.written_at WHERE audit_forwarding.sequence < excluded.sequence";

/// The position of a destination, which no other process writes to until this value is dropped. On SQLite there is no
/// other process, and no lock.
#[derive(Debug)]
pub struct ForwardingLock {
    /// Every event up to this number was written; 0 before the first.
    pub sequence: i64,
    transaction: Option<Transaction<'static, Any>>,
}

impl Store {
    /// Returns the position of a destination and locks it; `None` while another process has it.
    #[tracing::instrument(name = "store.audit_forwarding.lock", skip_all)]
    pub async fn lock_forwarding(
        &self,
        destination: &str,
    ) -> Result<Option<ForwardingLock>, Error> {
        let mut transaction = match self.engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(self.writer.begin().await?),
        };
        if let Some(transaction) = &mut transaction {
            let row = sqlx::query(
                "SELECT pg_try_advisory_xact_lock(hashtextextended('audit_forwarding ' || $1, 0))",
            )
            .bind(destination)
            .fetch_one(&mut **transaction)
            .await?;
            if !row.try_get::<bool, _>(0)? {
                return Ok(None);
            }
        }
        Ok(Some(ForwardingLock {
            sequence: self.forwarded_events(destination).await?,
            transaction,
        }))
    }

    /// Returns the number up to which every event was written to `destination`; 0 before the first.
    #[tracing::instrument(name = "store.audit_forwarding.read", skip_all)]
    pub async fn forwarded_events(&self, destination: &str) -> Result<i64, Error> {
        let row = sqlx::query("SELECT sequence FROM audit_forwarding WHERE destination = $1")
            .bind(destination)
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map_or(Ok(0), |row| row.try_get("sequence"))?)
    }

    /// Notes that every event up to `sequence` was written, and gives the lock back. It never goes back: another
    /// process may be further.
    #[tracing::instrument(name = "store.audit_forwarding.note", skip_all)]
    pub async fn note_forwarded(
        &self,
        lock: Option<ForwardingLock>,
        destination: &str,
        sequence: i64,
        at: Timestamp,
    ) -> Result<(), Error> {
        let note = sqlx::query(NOTE)
            .bind(destination)
            .bind(sequence)
            .bind(at.0);
        match lock.and_then(|lock| lock.transaction) {
            Some(mut transaction) => {
                transaction.execute(note).await?;
                transaction.commit().await?;
            }
            None => {
                let mut write = self.write().await?;
                write.execute(note).await?;
                write.commit().await?;
            }
        }
        Ok(())
    }
}
