//! Deletes keys that ended long ago.

use crate::{error::ApiError, store::Store};

/// How long an invalidated or expired key stays visible: seven days, in milliseconds.
pub(crate) const RETENTION_MS: i64 = 7 * 86_400_000;
/// Keys deleted in one transaction, so that other writers get their turn.
const BATCH: i64 = 1_000;

impl Store {
    /// Deletes the keys whose invalidation or expiration is older than the retention period.
    /// Answers how many.
    pub(crate) async fn sweep_keys(&self, now_ms: i64) -> Result<u64, ApiError> {
        let before = now_ms - RETENTION_MS;
        let mut deleted = 0;
        loop {
            let mut write = self.write().await?;
            let ids: Vec<String> = sqlx::query_scalar(
                "DELETE FROM api_keys WHERE number IN (
                     SELECT number FROM (
                         SELECT number FROM api_keys WHERE invalidated = 1 AND invalidation < ?1
                         UNION SELECT number FROM api_keys WHERE expiration < ?1
                     ) LIMIT ?2
                 ) RETURNING id",
            )
            .bind(before)
            .bind(BATCH)
            .fetch_all(&mut *write)
            .await?;
            write.commit().await?;
            self.keys.forget(ids.iter().map(String::as_str));
            deleted += u64::try_from(ids.len()).unwrap_or(u64::MAX);
            if ids.is_empty() {
                return Ok(deleted);
            }
        }
    }
}
