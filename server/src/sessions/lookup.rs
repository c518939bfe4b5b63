//! Finds and opens the session of a request.

use super::{IDLE_MAX, LIFE_MAX, Session, SessionLookup, Token, seal};
use crate::{
    context::AppState,
    store::{self, StoredEnd, StoredSession},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Use is recorded at most this often, so that reading a page does not write to the disk each time.
const TOUCH_MIN: Duration = Duration::from_mins(1);

/// Session of a token, as it is stored: its credential is still sealed.
#[derive(Debug, Serialize, Deserialize)]
pub enum FoundSession {
    Live(StoredSession),
    Ended(StoredEnd),
}

/// Finds the session of a token. The owner of an ended session learns why it ended. Every other token gives `None`, so
/// that the answer does not reveal which tokens exist.
pub async fn find(state: &AppState, token: &Token) -> Result<Option<FoundSession>, store::Error> {
    let id_hash = token.id_hash();
    let Some(stored) = state.store.find_session(&id_hash).await? else {
        let ended = state.store.find_ended_session(&id_hash).await?;
        return Ok(ended.map(FoundSession::Ended));
    };
    let now = state.now();
    let idle = now >= stored.touched_at.plus(IDLE_MAX);
    let over = now >= stored.created_at.plus(LIFE_MAX);
    Ok((!idle && !over).then_some(FoundSession::Live(stored)))
}

/// Opens a found session with its token, and records that it is in use.
pub async fn open(state: &AppState, token: &Token, found: FoundSession) -> SessionLookup {
    let stored = match found {
        FoundSession::Live(stored) => stored,
        FoundSession::Ended(StoredEnd::Ended(end)) => return SessionLookup::Ended(end),
        FoundSession::Ended(StoredEnd::Renewed) => return SessionLookup::Renewed,
    };
    let Some((identity, credential)) = seal::open(&state.server_key, token, &stored.sealed) else {
        return SessionLookup::Nothing;
    };
    let (id_hash, now) = (token.id_hash(), state.now());
    if now >= stored.touched_at.plus(TOUCH_MIN) {
        // A disk that takes no writes must not keep users from reading; the session only ends earlier.
        if let Err(error) = state.store.touch_session(&id_hash, now).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot record that a session is in use"
            );
        }
    }
    SessionLookup::Live(Box::new(Session {
        id_hash,
        id: stored.id,
        authenticated_at: stored.authenticated_at,
        identity,
        credential,
    }))
}
