//! Background maintenance: once at the start and then every minute.

use crate::{
    access,
    audit::{Action, Event, Outcome},
    context::{AppState, RequestContext},
    credential::Credential,
    elasticsearch::breaker::Circuit,
    error::Error,
    keys,
    sessions::{BrowserInfo, IDLE_MAX, LIFE_MAX, Session, SessionLookup},
};
use app::model::{session::SessionId, timestamp::Timestamp};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const INTERVAL: Duration = Duration::from_secs(60);
/// Time without an event, or step of the clock, that is taken for a jump.
const CLOCK_JUMP_MIN: Duration = Duration::from_hours(30 * 24);
/// Difference between the clocks of processes that share a database.
const CLOCK_DIFFERENCE_MAX: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_hours(24);
/// Time for which an account's or address's first failed sign-ins are counted.
const FEW_ATTEMPTS_KEPT: Duration = Duration::from_mins(10);

/// Runs a round every minute until the task is aborted. With the credential of a `service` user, it reconciles the open
/// operations of all users; without it, the next request for the list does.
pub async fn run(state: Arc<AppState>, service: Option<Credential>) {
    loop {
        run_once(&state, service.as_ref()).await;
        let (began, now) = (Instant::now(), state.now());
        tokio::time::sleep(INTERVAL).await;
        if has_jumped(now, began.elapsed(), state.now()) {
            report(
                "the clock has jumped, and retention could not be paused",
                pause_retention(&state, now).await,
            );
        }
    }
}

/// Returns true if the clock shows much more time than has passed since `then`.
fn has_jumped(then: Timestamp, passed: Duration, now: Timestamp) -> bool {
    now > then.plus(passed + CLOCK_JUMP_MIN)
}

/// Pauses retention if the clock is far ahead of the newest event, before this start writes one: with a wrong clock the
/// whole log would look expired.
pub async fn check_clock(state: &AppState) -> Result<(), Error> {
    let newest = state.store.newest_audit_event().await?;
    match newest {
        Some(newest) if has_jumped(newest, Duration::ZERO, state.now()) => {
            pause_retention(state, newest).await
        }
        _ => Ok(()),
    }
}

async fn pause_retention(state: &AppState, since: Timestamp) -> Result<(), Error> {
    tracing::warn!(
        before = since.iso_ms(),
        now = state.now().iso_ms(),
        "the clock has jumped: no audit event is removed until `agent-keys audit resume-retention` confirms it"
    );
    if !state.store.is_retention_paused().await? {
        let context = state.event_context()?;
        state.store.pause_retention(since, &context).await?;
    }
    Ok(())
}

/// Marks operations that an earlier process left in flight as unknown. With SQLite there is no other process that could
/// finish them.
pub async fn recover(state: &AppState) -> Result<(), Error> {
    let open = state
        .store
        .abandon_operations(&state.event_context()?)
        .await?;
    if open > 0 {
        tracing::warn!(open, "the last process ended while changes were under way");
    }
    Ok(())
}

/// Runs one round. A step that fails is logged, and runs again in the next round.
pub async fn run_once(state: &Arc<AppState>, service: Option<&Credential>) {
    if state.elasticsearch.is_circuit_open() {
        // So that the end of an outage is noticed without traffic, too.
        state.elasticsearch.is_reachable().await;
    }
    // So that readiness checks know it without traffic, too.
    report(
        "the database cannot be written",
        state.store.write_nothing().await.map_err(Error::from),
    );
    report(
        "times in the future could not be moved",
        follow_clock_back(state).await,
    );
    report(
        "expired sessions could not be removed",
        expire_sessions(state).await,
    );
    report(
        "old sign-in attempts could not be removed",
        forget_attempts(state).await,
    );
    report(
        "undisplayed secrets could not be recorded",
        note_unseen_secrets(state).await,
    );
    report(
        "expired audit events could not be removed",
        delete_expired_events(state).await,
    );
    if let Some(credential) = service {
        report(
            "open operations could not be reconciled as the user of AGENT_KEYS_SERVICE_USERNAME",
            reconcile(state, credential).await,
        );
    }
}

/// Keeps sessions and pauses from becoming longer when the clock goes back.
async fn follow_clock_back(state: &AppState) -> Result<(), Error> {
    let moved = state
        .store
        .follow_clock_back(state.now(), CLOCK_DIFFERENCE_MAX)
        .await?;
    if moved > 0 {
        tracing::warn!(
            moved,
            "the clock went back: sessions and pauses go on from now"
        );
    }
    Ok(())
}

/// Removes expired sessions, because each holds a sealed password.
async fn expire_sessions(state: &AppState) -> Result<(), Error> {
    let event_context = state.event_context()?;
    let (touched, created) = (
        event_context.at.minus(IDLE_MAX),
        event_context.at.minus(LIFE_MAX),
    );
    state
        .store
        .expire_sessions(touched, created, &event_context)
        .await?;
    Ok(())
}

async fn forget_attempts(state: &AppState) -> Result<(), Error> {
    let now = state.now();
    let (before, few_before) = (now.minus(DAY), now.minus(FEW_ATTEMPTS_KEPT));
    let attempts = state.store.forget_sign_in_attempts(before, few_before);
    attempts.await?;
    Ok(())
}

async fn note_unseen_secrets(state: &AppState) -> Result<(), Error> {
    let event_context = state.event_context()?;
    let before = event_context.at.minus(keys::delivery::ACKNOWLEDGE_MAX);
    state
        .store
        .note_unseen_secrets(before, &event_context)
        .await?;
    Ok(())
}

/// Deletes audit events that are older than `AGENT_KEYS_AUDIT_RETENTION_DAYS`.
async fn delete_expired_events(state: &AppState) -> Result<(), Error> {
    /// Events that are deleted at a time, so that other writers wait only briefly.
    const ROWS_MAX: i64 = 10_000;
    let context = state.event_context()?;
    if state.store.is_retention_paused().await? {
        return Ok(());
    }
    let before = context.at.minus(state.audit_retention_days * DAY);
    // At most once a day.
    let due = before.minus(DAY);
    state
        .store
        .delete_expired_events(due, before, ROWS_MAX, &context)
        .await?;
    Ok(())
}

async fn reconcile(state: &Arc<AppState>, credential: &Credential) -> Result<(), Error> {
    let request_id = state.event_context()?.request_id;
    let connection = state
        .elasticsearch
        .connect(credential.clone(), request_id.clone());
    let identity = access::identify(&connection).await?.identity().clone();
    let session = Session {
        // No row has this digest: the service user has no session.
        id_hash: String::new(),
        id: SessionId::default(),
        authenticated_at: Timestamp(0),
        identity,
        credential: credential.clone(),
    };
    let ctx = RequestContext::new(
        Arc::clone(state),
        request_id,
        SessionLookup::Live(Box::new(session)),
        BrowserInfo::default(),
        false,
    );
    keys::reconcile::reconcile(&ctx).await;
    Ok(())
}

fn report(problem: &str, result: Result<(), Error>) {
    if let Err(failure) = result {
        let error: &dyn std::error::Error = &failure;
        tracing::warn!(error, "{problem}");
    }
}

/// Records outages of Elasticsearch in the audit log until the task is aborted: when the circuit opens, and when it
/// closes. A circuit that opens and closes between two reads is not recorded.
pub async fn record_outages(state: Arc<AppState>) {
    let mut circuit = state.elasticsearch.watch();
    let mut open_since = None;
    while circuit.changed().await.is_ok() {
        let now = *circuit.borrow_and_update();
        let (is_open, since) = match (now, open_since) {
            (Circuit::Open(since), _) => (true, time_of(&state, since)),
            (Circuit::Closed, Some(since)) => (false, since),
            (Circuit::Closed, None) => continue,
        };
        open_since = is_open.then_some(since);
        if let Err(failure) = record_connection_state(&state, is_open, since).await {
            let error: &dyn std::error::Error = &failure;
            tracing::error!(error, "the state of the connection could not be recorded");
        }
    }
}

/// Records an event of the application itself.
pub async fn record(state: &AppState, event: &Event<'_>) -> Result<(), Error> {
    let context = state.event_context()?;
    Ok(state.store.record(event, &context).await?)
}

fn time_of(state: &AppState, then: Instant) -> Timestamp {
    let ms = i64::try_from(then.elapsed().as_millis()).unwrap_or(i64::MAX);
    state.now().plus_ms(-ms)
}

/// `since` is the time of the first call without a response.
async fn record_connection_state(
    state: &AppState,
    is_open: bool,
    since: Timestamp,
) -> Result<(), Error> {
    let event_context = state.event_context()?;
    let (outcome, circuit, reason) = if is_open {
        (Outcome::Failure, "open", "unreachable")
    } else {
        (Outcome::Success, "closed", "answered")
    };
    let event = Event::new(Action::EsConnectionState)
        .outcome(outcome)
        .details(json!({
            "url": state.elasticsearch.address(),
            "state": circuit,
            "reason": reason,
            "since": since.iso_ms(),
        }));
    state.store.record(&event, &event_context).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jump_is_a_month_more_than_has_passed() {
        let (then, minute) = (Timestamp(1_797_244_927_042), Duration::from_secs(60));
        let month = 30 * DAY;
        assert!(!has_jumped(then, minute, then.plus(minute)));
        assert!(!has_jumped(then, minute, then.plus(minute + month)));
        assert!(has_jumped(
            then,
            minute,
            then.plus(minute + month).plus_ms(1)
        ));
        assert!(!has_jumped(then, 2 * month, then.plus(2 * month)));
        assert!(!has_jumped(then, minute, then.minus(month)));
    }
}
