//! Background maintenance: once at the start and then every minute.

pub mod connection;

use crate::{
    access,
    audit::{self, EventContext, EventSource},
    context::{AppState, RequestContext},
    credential::Credential,
    error::Error,
    keys,
    request_id::RequestId,
    sessions::{BrowserInfo, IDLE_MS_MAX, LIFE_MS_MAX, Session, SessionLookup},
};
use app::model::{
    session::SessionId,
    timestamp::{DAY_MS, Timestamp},
};
use std::{sync::Arc, time::Duration};

const INTERVAL: Duration = Duration::from_secs(60);

/// Runs a round every minute until the task is aborted. With the credential of a `service` user, it reconciles the open
/// operations of all users; without it, the next request for the list does.
pub async fn keep(state: Arc<AppState>, service: Option<Credential>) {
    loop {
        tidy(&state, service.as_ref()).await;
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Marks operations that an earlier process left in flight as unknown. With SQLite there is no other process that could
/// finish them.
pub async fn recover(state: &AppState) -> Result<(), Error> {
    let open = state.store.abandon_operations(&stamp(state)?).await?;
    if open > 0 {
        tracing::warn!(open, "the last process ended while changes were under way");
    }
    Ok(())
}

/// Runs one round. A step that fails is logged, and runs again in the next round.
pub async fn tidy(state: &Arc<AppState>, service: Option<&Credential>) {
    if state.elasticsearch.is_circuit_open() {
        // So that the end of an outage is noticed without traffic, too.
        state.elasticsearch.is_reachable().await;
    }
    report("sessions", expire_sessions(state).await);
    report("attempts to sign in", forget_attempts(state).await);
    report("unseen secrets", note_unseen_secrets(state).await);
    report("old events", delete_expired_events(state).await);
    if let Some(credential) = service {
        report("open operations", reconcile(state, credential).await);
    }
}

/// Removes expired sessions, because each holds a sealed password.
async fn expire_sessions(state: &AppState) -> Result<(), Error> {
    let stamp = stamp(state)?;
    let (touched, created) = (
        stamp.at.plus_ms(-IDLE_MS_MAX),
        stamp.at.plus_ms(-LIFE_MS_MAX),
    );
    state
        .store
        .expire_sessions(touched, created, &stamp)
        .await?;
    Ok(())
}

async fn forget_attempts(state: &AppState) -> Result<(), Error> {
    let before = state.now().plus_ms(-DAY_MS);
    state.store.forget_sign_in_attempts(before).await?;
    Ok(())
}

async fn note_unseen_secrets(state: &AppState) -> Result<(), Error> {
    let stamp = stamp(state)?;
    let before = stamp.at.plus_ms(-keys::delivery::ACKNOWLEDGE_MS_MAX);
    state.store.note_unseen_secrets(before, &stamp).await?;
    Ok(())
}

async fn delete_expired_events(state: &AppState) -> Result<(), Error> {
    audit::retention::delete_expired(state, &stamp(state)?).await?;
    Ok(())
}

async fn reconcile(state: &Arc<AppState>, credential: &Credential) -> Result<(), Error> {
    let request_id = stamp(state)?.request_id;
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

pub(crate) fn stamp(state: &AppState) -> Result<EventContext, Error> {
    let name = state.new_identifier()?;
    Ok(EventContext {
        at: state.now(),
        request_id: RequestId::new(&name),
        origin: EventSource::default(),
    })
}

fn report(what: &str, result: Result<(), Error>) {
    if let Err(failure) = result {
        let error: &dyn std::error::Error = &failure;
        tracing::warn!(error, "{what} could not be looked into");
    }
}
