//! The server key of the database: its fingerprint, and the change to another key.

use super::{Error, Store, audit::append, session_ends::keep_end};
use crate::audit::{Action, Event, EventContext};
use app::model::session::SessionEnd;
use serde_json::json;
use sqlx::Row;

/// Events that are sealed at a time.
const ROWS: i64 = 1_000;

/// The database compared with the server key of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMatch {
    /// No process has used the database yet.
    Unused,
    Same,
    Other,
}

/// Result of a change of the server key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rekeyed {
    /// Audit events that were sealed.
    pub events: i64,
    /// Sessions that were ended.
    pub sessions: i64,
}

impl Store {
    /// Compares the key of this process with the key that the database was used with.
    #[tracing::instrument(name = "store.server_key.compare", skip_all)]
    pub async fn compare_server_key(&self) -> Result<KeyMatch, Error> {
        let row = sqlx::query("SELECT fingerprint FROM server_key WHERE id = $1")
            .bind(1_i64)
            .fetch_optional(&self.writer)
            .await?;
        let Some(row) = row else {
            return Ok(KeyMatch::Unused);
        };
        let stored: String = row.try_get("fingerprint")?;
        if stored == self.audit_writer.key().fingerprint() {
            Ok(KeyMatch::Same)
        } else {
            Ok(KeyMatch::Other)
        }
    }

    /// Stores the fingerprint of the key in a database without one. Of two processes that do so at once, the later finds
    /// the key of the other.
    #[tracing::instrument(name = "store.server_key.adopt", skip_all)]
    pub async fn adopt_server_key(&self) -> Result<KeyMatch, Error> {
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO server_key (id, fingerprint) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        )
        .bind(1_i64)
        .bind(self.audit_writer.key().fingerprint())
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        self.compare_server_key().await
    }

    /// Gives the database the key of this process, in one transaction: ends every session, which only the old key opens;
    /// seals the audit events as they are; and records that. Returns `None` if it has this key already.
    #[tracing::instrument(name = "store.server_key.replace", skip_all)]
    pub async fn replace_server_key(
        &self,
        context: &EventContext,
    ) -> Result<Option<Rekeyed>, Error> {
        let key = self.audit_writer.key().clone();
        let fingerprint = key.fingerprint();
        let mut write = self.write().await?;
        let replaced = sqlx::query(
            "UPDATE server_key SET fingerprint = $1 WHERE id = $2 AND fingerprint <> $1",
        )
        .bind(fingerprint.as_str())
        .bind(1_i64)
        .execute(&mut *write)
        .await?;
        if replaced.rows_affected() == 0 {
            return Ok(None);
        }
        let sessions = sqlx::query("DELETE FROM sessions RETURNING id_hash")
            .fetch_all(&mut *write)
            .await?;
        for row in &sessions {
            let id_hash: String = row.try_get("id_hash")?;
            let reason = SessionEnd::Administrator.name();
            keep_end(&mut write, &id_hash, reason, context).await?;
        }
        let mut events = 0;
        let mut last = i64::MIN;
        loop {
            let rows = sqlx::query(
                "SELECT sequence, record, mac FROM audit_events WHERE sequence > $1 \
                 ORDER BY sequence LIMIT $2",
            )
            .bind(last)
            .bind(ROWS)
            .fetch_all(&mut *write)
            .await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                last = row.try_get("sequence")?;
                let (record, mac): (String, String) = (row.try_get("record")?, row.try_get("mac")?);
                sqlx::query(
                    "INSERT INTO audit_seals (sequence, code) VALUES ($1, $2) \
                     ON CONFLICT (sequence) DO UPDATE SET code = excluded.code",
                )
                .bind(last)
                .bind(key.seal_code(last, &mac, &record))
                .execute(&mut *write)
                .await?;
                events += 1;
            }
        }
        let cut = sqlx::query("SELECT sequence, mac FROM audit_cut WHERE id = $1")
            .bind(1_i64)
            .fetch_optional(&mut *write)
            .await?;
        if let Some(cut) = cut {
            let mac: String = cut.try_get("mac")?;
            sqlx::query("UPDATE audit_cut SET code = $1 WHERE id = $2")
                .bind(key.retention_code(cut.try_get("sequence")?, &mac))
                .bind(1_i64)
                .execute(&mut *write)
                .await?;
        }
        let sessions = i64::try_from(sessions.len()).unwrap_or(i64::MAX);
        let event = Event::new(Action::ServerKeyChange)
            .details(json!({ "sealed_events": events, "ended_sessions": sessions }));
        append(&mut write, &event, context).await?;
        write.commit().await?;
        Ok(Some(Rekeyed { events, sessions }))
    }
}
