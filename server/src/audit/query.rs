//! Pages of the audit log: one row for each operation.

use crate::{
    access::ReadAudit,
    context::RequestContext,
    error::Error,
    store::{OperationState, StoredEvent},
};
use app::model::{
    audit::{
        Action, Actor, AuditEvent, AuditPage, AuditPlace, AuditQuery, AuditRow, Outcome, ROWS,
    },
    timestamp::Timestamp,
};
use serde_json::Value;

/// Age from which an operation without an outcome is not under way any more.
const UNDER_WAY_MS_MAX: i64 = 60_000;

/// Reads one page of the operations and events that match `query`, newest first.
#[tracing::instrument(name = "audit_log.page.list", skip_all)]
pub async fn list(ctx: &RequestContext, query: AuditQuery) -> Result<AuditPage, Error> {
    ctx.grant::<ReadAudit>().await?;
    let period = query.period().map_err(Error::BadPeriod)?;
    let (store, now) = (&ctx.state.store, ctx.state.now());
    // One more than a page, to find out whether there is a next page.
    let rows_max = i64::try_from(ROWS + 1).unwrap_or(i64::MAX);
    let mut found = store.find_audit_rows(&query, period, rows_max).await?;
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
    let newer = found.first().map_or(AuditPlace::Newest, |(first, _)| {
        AuditPlace::After(first.sequence)
    });
    let older = found
        .last()
        .map(|(last, _)| AuditPlace::Before(last.sequence));
    let operations: Vec<_> = found
        .iter()
        .filter_map(|(event, _)| event.operation.as_deref())
        .collect();
    let events = store.audit_events_of(&operations).await?;
    Ok(AuditPage {
        newer: has_newer.then_some(newer),
        older: older.filter(|_| has_older),
        rows: found
            .into_iter()
            .map(|(event, state)| row(event, state, &events, now))
            .collect(),
        read_at: now,
    })
}

/// Puts a row together: the event with the outcome, and among `events` those of its operation.
fn row(
    stored: StoredEvent,
    state: Option<OperationState>,
    events: &[StoredEvent],
    now: Timestamp,
) -> AuditRow {
    // Only the owner's: another user may have sent the same id.
    let is_same = |event: &&StoredEvent| {
        stored.operation.is_some()
            && event.operation == stored.operation
            && (&event.actor, &event.actor_realm) == (&stored.actor, &stored.actor_realm)
    };
    let of_operation: Vec<_> = match state {
        Some(_) => events.iter().filter(is_same).map(event).collect(),
        None => vec![event(&stored)],
    };
    let action = stored.action.parse::<Action>();
    let is_sign_in = matches!(action, Ok(Action::UserLogin | Action::LoginThrottled));
    let is_open = matches!(
        state,
        Some(OperationState::Intended | OperationState::Revoking)
    );
    let outcome = outcome(&stored);
    let under_way =
        outcome == Outcome::Unknown && is_open && stored.at.plus_ms(UNDER_WAY_MS_MAX) > now;
    let StoredEvent { index, .. } = stored;
    AuditRow {
        sequence: index.sequence,
        at: index.at,
        actor: match index.actor {
            Some(name) => Actor::User(name),
            None if is_sign_in => index
                .target_name
                .clone()
                .map_or(Actor::UnknownUser, Actor::User),
            None => Actor::Application,
        },
        realm: index.actor_realm,
        action: label(&index.action),
        outcome,
        under_way,
        target_name: index.target_name,
        target_id: index.target_id,
        events: of_operation,
    }
}

fn outcome(stored: &StoredEvent) -> Outcome {
    stored.outcome.parse().unwrap_or(Outcome::Unknown)
}

/// Returns the label of an action; the name of one that this version does not know.
fn label(action: &str) -> String {
    let known = action.parse::<Action>();
    known.map_or_else(|_| action.to_owned(), |known| known.label().to_owned())
}

fn event(stored: &StoredEvent) -> AuditEvent {
    // A record that is not JSON was edited. It is shown as it is.
    let readable = serde_json::from_str::<Value>(&stored.record)
        .and_then(|record| serde_json::to_string_pretty(&record))
        .unwrap_or_else(|_| stored.record.clone());
    AuditEvent {
        sequence: stored.sequence,
        at: stored.at,
        action: label(&stored.action),
        outcome: outcome(stored),
        request_id: stored.request_id.clone(),
        record: readable,
        mac: stored.mac.clone(),
    }
}
