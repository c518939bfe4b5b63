//! Pages of the audit log.

use crate::{access::Permission, context::RequestContext, error::Error, store::StoredEvent};
use app::model::{
    audit::{Action, AuditEvent, Outcome},
    audit_query::{AuditPage, AuditPlace, AuditQuery, ROWS},
};
use serde_json::Value;

/// Reads one page of the events that match `query`, newest first.
#[tracing::instrument(name = "audit_log.page.list", skip_all)]
pub async fn list(ctx: &RequestContext, query: AuditQuery) -> Result<AuditPage, Error> {
    ctx.grant(Permission::ReadAudit).await?;
    let period = query.period().map_err(Error::BadPeriod)?;
    // One more than a page, to find out whether there is a next page.
    let rows_max = i64::try_from(ROWS + 1).unwrap_or(i64::MAX);
    let mut found = ctx
        .state
        .store
        .find_audit_events(&query, period, rows_max)
        .await?;
    let more = found.len() > ROWS;
    found.truncate(ROWS);
    let (has_newer, has_older) = match query.place {
        AuditPlace::Newest => (false, more),
        AuditPlace::Before(_) => (true, more),
        AuditPlace::After(_) => {
            found.reverse();
            (more, true)
        }
    };
    // An empty page has no number to continue from, so it links to the newest page.
    let newer = found.first().map_or(AuditPlace::Newest, |first| {
        AuditPlace::After(first.sequence)
    });
    let older = found.last().map(|last| AuditPlace::Before(last.sequence));
    Ok(AuditPage {
        newer: has_newer.then_some(newer),
        older: older.filter(|_| has_older),
        events: found.into_iter().map(event).collect(),
        read_at: ctx.state.now(),
    })
}

fn event(stored: StoredEvent) -> AuditEvent {
    let StoredEvent { index, record, mac } = stored;
    // A record that is not JSON was edited. It is shown as it is.
    let readable = serde_json::from_str::<Value>(&record)
        .and_then(|record| serde_json::to_string_pretty(&record))
        .unwrap_or(record);
    AuditEvent {
        sequence: index.sequence,
        at: index.at,
        person: index.actor,
        realm: index.actor_realm,
        action: index
            .action
            .parse::<Action>()
            .map_or(index.action, |action| action.label().to_owned()),
        outcome: index.outcome.parse().unwrap_or(Outcome::Unknown),
        target_name: index.target_name,
        target_id: index.target_id,
        request_id: index.request_id,
        record: readable,
        mac,
    }
}
