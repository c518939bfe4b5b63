//! How far the audit log was sent to a data stream.

use super::{Error, Store};
use app::model::timestamp::Timestamp;
use sqlx::Row;

impl Store {
    /// The number up to which every event is at `target`; 0 for one that nothing was sent to.
    #[tracing::instrument(name = "store.audit_stream.read", skip_all)]
    pub async fn sent_events(&self, target: &str) -> Result<i64, Error> {
        let row = sqlx::query("SELECT sequence FROM audit_streams WHERE target = $1")
            .bind(target)
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map_or(Ok(0), |row| row.try_get("sequence"))?)
    }

    /// Notes that every event up to `sequence` is at `target`. It never goes back: another process may be further.
    #[tracing::instrument(name = "store.audit_stream.note", skip_all)]
    pub async fn note_sent_events(
        &self,
        target: &str,
        sequence: i64,
        at: Timestamp,
    ) -> Result<(), Error> {
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO audit_streams (target, sequence, sent_at) VALUES ($1, $2, $3) \
             ON CONFLICT (target) DO UPDATE SET sequence = excluded.sequence, \
             sent_at = excluded.sent_at WHERE audit_streams.sequence < excluded.sequence",
        )
        .bind(target)
        .bind(sequence)
        .bind(at.0)
        .execute(&mut *write)
        .await?;
        write.commit().await
    }
}
