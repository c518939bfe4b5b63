//! ToEnd a session by its name.

use super::{EndReason, end, list::alive};
use crate::{
    access::Permission,
    failure::Failure,
    services::{Person, Services},
    store::ToEnd,
};
use app::model::session::{EndedSession, SessionId};

/// Ends one of the person's own sessions, or with `manage_security` anybody's. ToEnd the one in which this is asked
/// is signing out. To everybody else, other people's sessions do not exist.
///
/// One's own needs no password: whoever finds a stranger in their account shall be rid of them at once.
#[tracing::instrument(name = "session.end_one", skip_all)]
pub async fn end_one(
    services: &Services,
    person: &Person,
    id: SessionId,
) -> Result<EndedSession, Failure> {
    let stamp = person.stamp(services);
    let session = person.session();
    if id == session.id {
        end(services, session, EndReason::SignedOut, &stamp).await?;
        return Ok(EndedSession::This);
    }
    let alive = alive(stamp.at);
    let own = ToEnd::OwnSession {
        identity: &session.identity,
        id: &id,
    };
    if services.store.end_sessions(own, alive, &stamp).await? > 0 {
        return Ok(EndedSession::Another);
    }
    let grant = match person.grant(services, Permission::ManageSecurity).await {
        Ok(grant) => grant,
        Err(Failure::Missing(_)) => return Err(Failure::NotFound),
        Err(failure) => return Err(failure),
    };
    let fresh = person.fresh(services)?;
    let anybodys = ToEnd::AnybodysSession {
        grant: &grant,
        fresh: &fresh,
        id: &id,
    };
    match services.store.end_sessions(anybodys, alive, &stamp).await? {
        0 => Err(Failure::NotFound),
        _ => Ok(EndedSession::Another),
    }
}
