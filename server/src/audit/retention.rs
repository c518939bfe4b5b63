//! Removal of events that are older than `AGENT_KEYS_AUDIT_RETENTION_DAYS`.

use super::EventContext;
use crate::{context::AppState, store};
use app::model::timestamp::DAY_MS;

/// Events that are removed at a time, so that other writers wait only briefly.
const ROWS_MAX: i64 = 10_000;

/// Removes expired events, once a day.
pub(crate) async fn delete_expired(
    state: &AppState,
    context: &EventContext,
) -> Result<(), store::Error> {
    let kept_ms = i64::from(state.audit_retention_days) * DAY_MS;
    let before = context.at.plus_ms(-kept_ms);
    let due = before.plus_ms(-DAY_MS);
    state
        .store
        .delete_expired_events(due, before, ROWS_MAX, context)
        .await?;
    Ok(())
}
