//! What happened, in order.

use super::{Error, Store};
use crate::audit::{Event, Stamp};
use app::model::timestamp::Timestamp;
use sqlx::{Any, Row, Transaction};

/// An event as it was written.
#[derive(Debug)]
pub struct StoredEvent {
    /// Its place: 1, 2, 3, without gaps.
    pub sequence: i64,
    /// When.
    pub at: Timestamp,
    /// Who; `None` when nobody was signed in.
    pub actor: Option<String>,
    /// What.
    pub action: String,
    /// How it ended.
    pub outcome: String,
    /// Elasticsearch's id of what it was done to.
    pub target_id: Option<String>,
    /// The name of what it was done to.
    pub target_name: Option<String>,
    /// The operation that links an intent with its outcome.
    pub operation: Option<String>,
    /// In which request.
    pub request_id: String,
    /// Whatever else is known, as JSON.
    pub details: String,
}

impl Store {
    /// Writes down something that is not part of a change here, such as a refused sign-in.
    #[tracing::instrument(name = "store.audit.record", skip_all)]
    pub async fn record(&self, event: &Event<'_>, stamp: &Stamp) -> Result<(), Error> {
        let mut write = self.write().await?;
        append(&mut write, event, stamp).await?;
        write.commit().await?;
        Ok(())
    }

    /// The events after `sequence`, oldest first, at most `rows_max`.
    #[tracing::instrument(name = "store.audit.read", skip_all)]
    pub async fn audit_events(
        &self,
        after_sequence: i64,
        rows_max: i64,
    ) -> Result<Vec<StoredEvent>, Error> {
        let rows = sqlx::query(
            "SELECT sequence, at, actor, action, outcome, target_id, target_name, operation, \
             request_id, details FROM audit_events WHERE sequence > $1 ORDER BY sequence LIMIT $2",
        )
        .bind(after_sequence)
        .bind(rows_max)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(StoredEvent {
                    sequence: row.try_get("sequence")?,
                    at: Timestamp(row.try_get("at")?),
                    actor: row.try_get("actor")?,
                    action: row.try_get("action")?,
                    outcome: row.try_get("outcome")?,
                    target_id: row.try_get("target_id")?,
                    target_name: row.try_get("target_name")?,
                    operation: row.try_get("operation")?,
                    request_id: row.try_get("request_id")?,
                    details: row.try_get("details")?,
                })
            })
            .collect()
    }
}

/// Adds an event in a transaction that may do more. The update of `audit_head` also makes writers take turns.
pub(super) async fn append(
    write: &mut Transaction<'static, Any>,
    event: &Event<'_>,
    stamp: &Stamp,
) -> Result<(), Error> {
    let row = sqlx::query(
        "UPDATE audit_head SET sequence = sequence + 1 WHERE id = $1 RETURNING sequence",
    )
    .bind(1_i64)
    .fetch_one(&mut **write)
    .await?;
    let sequence: i64 = row.try_get(0)?;
    sqlx::query(
        "INSERT INTO audit_events (sequence, at, actor, actor_realm, action, outcome, target_id, \
         target_name, operation, request_id, details) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(sequence)
    .bind(stamp.at.0)
    .bind(event.actor.map(|actor| actor.username.as_str()))
    .bind(event.actor.map(|actor| actor.realm.as_str()))
    .bind(event.action.name())
    .bind(event.outcome.name())
    .bind(event.target.id.as_deref())
    .bind(event.target.name.as_deref())
    .bind(event.operation)
    .bind(stamp.request_id.as_str())
    .bind(event.details.to_string())
    .execute(&mut **write)
    .await?;
    Ok(())
}
