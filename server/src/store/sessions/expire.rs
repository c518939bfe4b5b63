//! Sessions whose time is over.

use super::{Error, Store};
use crate::audit::{Action, Event, Outcome, Stamp, Target};
use app::model::timestamp::Timestamp;
use serde_json::json;
use sqlx::Row;

/// How many are removed in one transaction. The next round takes the rest.
const ROWS_MAX: i64 = 1_000;

impl Store {
    /// Removes sessions that nobody can use any more, each with an event, and what was remembered of those that were
    /// ended so long ago. How many sessions.
    #[tracing::instrument(name = "store.session.expire", skip_all)]
    pub async fn expire_sessions(
        &self,
        touched_before: Timestamp,
        created_before: Timestamp,
        stamp: &Stamp,
    ) -> Result<u64, Error> {
        sqlx::query("DELETE FROM ended_sessions WHERE ended_at <= $1")
            .bind(created_before.0)
            .execute(&self.writer)
            .await?;
        let over = sqlx::query(
            "SELECT id_hash, username, realm, created_at FROM sessions \
             WHERE touched_at <= $1 OR created_at <= $2 ORDER BY touched_at LIMIT $3",
        )
        .bind(touched_before.0)
        .bind(created_before.0)
        .bind(ROWS_MAX)
        .fetch_all(&self.readers)
        .await?;
        if over.is_empty() {
            return Ok(0);
        }
        let mut write = self.write().await?;
        let mut expired = 0;
        for row in &over {
            let id_hash: String = row.try_get("id_hash")?;
            // Another process may have been here first, or the person was after all.
            let removed = sqlx::query(
                "DELETE FROM sessions WHERE id_hash = $1 AND (touched_at <= $2 OR created_at <= $3)",
            )
            .bind(id_hash.as_str())
            .bind(touched_before.0)
            .bind(created_before.0)
            .execute(&mut *write)
            .await?;
            if removed.rows_affected() == 0 {
                continue;
            }
            let lived_long = row.try_get::<i64, _>("created_at")? <= created_before.0;
            let event = Event {
                actor: None,
                action: Action::SessionEnded,
                outcome: Outcome::Success,
                target: Target {
                    id: None,
                    name: Some(row.try_get("username")?),
                },
                operation: None,
                details: json!({
                    "reason": if lived_long { "lifespan" } else { "idle" },
                    "realm": row.try_get::<String, _>("realm")?,
                    "session": write.trail.key().session_ref(&id_hash),
                }),
            };
            crate::store::audit::append(&mut write, &event, stamp).await?;
            expired += 1;
        }
        write.commit().await?;
        Ok(expired)
    }
}
