//! Finds the session of a request.

use super::{IDLE_MS_MAX, LIFE_MS_MAX, Session, SessionLookup, Token, seal};
use crate::{
    context::AppState,
    store::{self, StoredEnd},
};

/// Use is recorded at most this often, so that reading a page does not write to the disk each time.
const TOUCH_MS_MIN: i64 = 60 * 1_000;

/// Looks up a token, and records that a live session is in use. The owner of an ended session learns why it ended.
/// Every other token gives the same result, so that the answer does not reveal which tokens exist.
pub async fn lookup(state: &AppState, token: &Token) -> Result<SessionLookup, store::Error> {
    let id_hash = token.id_hash();
    let now = state.clock.now();
    let Some(stored) = state.store.find_session(&id_hash).await? else {
        let ended = state.store.find_ended_session(&id_hash).await?;
        return Ok(match ended {
            Some(StoredEnd::Ended(end)) => SessionLookup::Ended(end),
            Some(StoredEnd::Renewed) => SessionLookup::Renewed,
            None => SessionLookup::Nothing,
        });
    };
    let idle = now >= stored.touched_at.plus_ms(IDLE_MS_MAX);
    let over = now >= stored.created_at.plus_ms(LIFE_MS_MAX);
    if idle || over {
        return Ok(SessionLookup::Nothing);
    }
    let Some((identity, credential)) = seal::open(&state.server_key, token, &stored.sealed) else {
        return Ok(SessionLookup::Nothing);
    };
    if now >= stored.touched_at.plus_ms(TOUCH_MS_MIN) {
        // A disk that takes no writes must not keep users from reading; the session only ends earlier.
        if let Err(error) = state.store.touch_session(&id_hash, now).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot record that a session is in use"
            );
        }
    }
    Ok(SessionLookup::Live(Box::new(Session {
        id_hash,
        id: stored.id,
        authenticated_at: stored.authenticated_at,
        identity,
        credential,
    })))
}
