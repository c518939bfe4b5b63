//! Which sessions live.

use super::{IDLE_MS_MAX, LIFE_MS_MAX};
use crate::{
    access::Permission,
    failure::Failure,
    services::{Person, Services},
    store::{Alive, ListedSession},
};
use app::model::{
    audit::SearchText,
    session::{LiveSession, SessionList},
    timestamp::Timestamp,
};

/// How many sessions are shown. One person's own are never more.
pub const SESSIONS_MAX: usize = 100;

/// The person's own. Elasticsearch is not asked: they must be found, and ended, also while it is away.
#[tracing::instrument(name = "session.list.own", skip_all)]
pub async fn own(services: &Services, person: &Person) -> Result<SessionList, Failure> {
    let now = services.clock.now();
    let identity = &person.session().identity;
    let found = services.store.own_sessions(identity, alive(now)).await?;
    Ok(list(person, found, now))
}

/// Everybody else's, of those whose user name holds `name`.
#[tracing::instrument(name = "session.list.others", skip_all)]
pub async fn others(
    services: &Services,
    person: &Person,
    name: SearchText,
) -> Result<SessionList, Failure> {
    let grant = person.grant(services, Permission::ManageSecurity).await?;
    let now = services.clock.now();
    // One more than is shown tells whether there are more.
    let found = services
        .store
        .others_sessions(&grant, &name, alive(now), SESSIONS_MAX + 1)
        .await?;
    Ok(list(person, found, now))
}

/// A session lives if it was used and begun after these moments.
pub(super) fn alive(now: Timestamp) -> Alive {
    Alive {
        touched_after: now.plus_ms(-IDLE_MS_MAX),
        created_after: now.plus_ms(-LIFE_MS_MAX),
    }
}

fn list(person: &Person, found: Vec<ListedSession>, now: Timestamp) -> SessionList {
    let this = &person.session().id;
    let more = found.len() > SESSIONS_MAX;
    let sessions = found
        .into_iter()
        .take(SESSIONS_MAX)
        .map(|session| LiveSession {
            is_this: session.id == this.as_str(),
            id: session.id,
            username: session.username,
            realm: session.realm,
            browser: session.browser,
            address: session.address,
            signed_in_at: session.created_at,
            used_at: session.touched_at,
        });
    SessionList {
        sessions: sessions.collect(),
        more,
        now,
    }
}
