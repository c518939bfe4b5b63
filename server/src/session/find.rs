//! Finding the session of a request.

use super::{Found, IDLE_MS_MAX, LIFE_MS_MAX, Session, TOUCH_MS_MIN, Token, seal};
use crate::{services::Services, store};

/// What this token opens. Whoever had a session is told why it ended; for every other token it is nothing, without a
/// difference that anybody could see. Notes that a live session is in use.
pub async fn find(services: &Services, token: &Token) -> Result<Found, store::Error> {
    let id_hash = token.id_hash();
    let now = services.clock.now();
    let Some(stored) = services.store.find_session(&id_hash).await? else {
        return services.store.find_ended_session(&id_hash).await;
    };
    let idle = now >= stored.touched_at.plus_ms(IDLE_MS_MAX);
    let over = now >= stored.created_at.plus_ms(LIFE_MS_MAX);
    if idle || over {
        return Ok(Found::Nothing);
    }
    let Some((identity, credential)) = seal::open(&services.server_key, token, &stored.sealed)
    else {
        return Ok(Found::Nothing);
    };
    if now >= stored.touched_at.plus_ms(TOUCH_MS_MIN) {
        // A disk that takes no writes must not keep people from reading; the session only ends earlier.
        if let Err(error) = services.store.touch_session(&id_hash, now).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot note that a session is in use"
            );
        }
    }
    Ok(Found::Live(Box::new(Session {
        id_hash,
        id: stored.id,
        authenticated_at: stored.authenticated_at,
        identity,
        credential,
    })))
}
