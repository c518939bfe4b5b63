//! Pauses of retention: with a clock that jumped, every event would look expired.

use super::{Error, Store};
use crate::audit::{Action, Event, EventContext};
use app::model::timestamp::Timestamp;
use serde_json::json;
use sqlx::Row;

impl Store {
    /// Returns the time of the newest event.
    pub async fn newest_audit_event(&self) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query("SELECT at FROM audit_events ORDER BY sequence DESC LIMIT 1")
            .fetch_optional(&self.readers)
            .await?;
        let at = row.map(|row| row.try_get("at")).transpose()?;
        Ok(at.map(Timestamp))
    }

    /// Returns true while no event may be removed, because the clock has jumped and nobody has confirmed it.
    pub async fn is_retention_paused(&self) -> Result<bool, Error> {
        let row = sqlx::query(
            "SELECT action FROM audit_events \
             WHERE action = 'audit_retention_pause' OR action = 'audit_retention_resume' \
             ORDER BY sequence DESC LIMIT 1",
        )
        .fetch_optional(&self.readers)
        .await?;
        let action: Option<String> = row.map(|row| row.try_get("action")).transpose()?;
        Ok(action.as_deref() == Some(Action::AuditRetentionPause.name()))
    }

    /// Pauses retention. `since` is the time before the jump.
    pub async fn pause_retention(
        &self,
        since: Timestamp,
        context: &EventContext,
    ) -> Result<(), Error> {
        let details = json!({ "before": since.iso_ms(), "after": context.at.iso_ms() });
        let event = Event::new(Action::AuditRetentionPause).details(details);
        self.record(&event, context).await
    }

    /// Ends a pause. Returns false if there is none.
    pub async fn resume_retention(&self, context: &EventContext) -> Result<bool, Error> {
        if !self.is_retention_paused().await? {
            return Ok(false);
        }
        let event = Event::new(Action::AuditRetentionResume);
        self.record(&event, context).await?;
        Ok(true)
    }
}
