//! Removing what has become too old, so that everybody can see that it was done here, and how far.

use super::append;
use crate::{
    audit::{Action, Event, Outcome, Stamp, Target},
    store::{Error, Store},
};
use app::model::timestamp::Timestamp;
use serde_json::json;
use sqlx::Row;

/// Where the log begins since its beginning was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditCut {
    /// The number of the last event that is gone.
    pub sequence: i64,
    /// Its code, to which the first event that is left is tied.
    pub mac: String,
    /// A code over both, which only the application can make.
    pub code: String,
}

impl Store {
    /// Where the log was cut last, if it was.
    #[tracing::instrument(name = "store.audit.find_cut", skip_all)]
    pub async fn audit_cut(&self) -> Result<Option<AuditCut>, Error> {
        let row = sqlx::query("SELECT sequence, mac, code FROM audit_cut WHERE id = $1")
            .bind(1_i64)
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(AuditCut {
            sequence: row.try_get("sequence")?,
            mac: row.try_get("mac")?,
            code: row.try_get("code")?,
        }))
    }

    /// Removes the events at the beginning that happened before this moment, at most `rows_max`, and writes down that
    /// it was done. How many. An event that is younger keeps those that follow it, whatever the clock said then.
    ///
    /// Nothing is removed unless the first happened before `due`: to remove one is an event too, and a log that loses
    /// an event for each that it gains never becomes shorter.
    #[tracing::instrument(name = "store.audit.cut", skip_all)]
    pub async fn cut_audit_events(
        &self,
        due: Timestamp,
        before: Timestamp,
        rows_max: i64,
        stamp: &Stamp,
    ) -> Result<u64, Error> {
        const OLDEST: &str =
            "SELECT sequence, at, mac FROM audit_events ORDER BY sequence LIMIT $1";
        let is_old = |at: i64| Timestamp(at) < before;
        // Nearly always there is nothing to do, and then nobody needs to wait for a writer.
        let first = sqlx::query(OLDEST)
            .bind(1_i64)
            .fetch_optional(&self.readers)
            .await?;
        let Some(first) = first else { return Ok(0) };
        if Timestamp(first.try_get("at")?) >= due {
            return Ok(0);
        }
        let mut write = self.write().await?;
        let oldest = sqlx::query(OLDEST)
            .bind(rows_max)
            .fetch_all(&mut *write)
            .await?;
        let mut last = None;
        for row in &oldest {
            if !is_old(row.try_get("at")?) {
                break;
            }
            last = Some((row.try_get("sequence")?, row.try_get("mac")?));
        }
        // Another process may have been quicker.
        let Some((sequence, mac)): Option<(i64, String)> = last else {
            return Ok(0);
        };
        let code = write.trail.key().cut_code(sequence, &mac);
        let moved = sqlx::query(
            "INSERT INTO audit_cut (id, sequence, mac, code) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, mac = excluded.mac, \
             code = excluded.code WHERE audit_cut.sequence < excluded.sequence",
        )
        .bind(1_i64)
        .bind(sequence)
        .bind(mac.as_str())
        .bind(code)
        .execute(&mut *write)
        .await?
        .rows_affected();
        // PostgreSQL lets the other process be quicker after we have looked, too.
        if moved == 0 {
            return Ok(0);
        }
        // The triggers allow it up to where the log is cut.
        let rows = sqlx::query("DELETE FROM audit_events WHERE sequence <= $1")
            .bind(sequence)
            .execute(&mut *write)
            .await?
            .rows_affected();
        let event = Event {
            actor: None,
            action: Action::AuditRetentionCut,
            outcome: Outcome::Success,
            target: Target::default(),
            operation: None,
            details: json!({
                "rows": rows, "last": sequence, "hash": mac, "older_than": before.iso_ms(),
            }),
        };
        append(&mut write, &event, stamp).await?;
        write.commit().await?;
        Ok(rows)
    }
}
