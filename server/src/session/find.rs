//! Finding the session of a request.

use super::{IDLE_MS_MAX, LIFE_MS_MAX, Session, TOUCH_MS_MIN, Token, seal};
use crate::{services::Services, store};

/// The session that this token opens, and that still lives; `None` for every other token, without a difference
/// that anybody could see. Notes that the session is in use.
pub async fn find(services: &Services, token: &Token) -> Result<Option<Session>, store::Error> {
    let id_hash = token.id_hash();
    let now = services.clock.now();
    let Some(stored) = services.store.find_session(&id_hash).await? else {
        return Ok(None);
    };
    let idle = now >= stored.touched_at.plus_ms(IDLE_MS_MAX);
    let over = now >= stored.created_at.plus_ms(LIFE_MS_MAX);
    if idle || over {
        return Ok(None);
    }
    let Some((identity, credential)) = seal::open(&services.server_key, token, &stored.sealed)
    else {
        return Ok(None);
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
    Ok(Some(Session {
        id_hash,
        identity,
        credential,
    }))
}
