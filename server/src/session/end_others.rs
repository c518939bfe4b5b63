//! ToEnd every session of a person but the one in use.

use super::list::alive;
use crate::{
    failure::Failure,
    services::{Person, Services},
    store::ToEnd,
};

/// Ends them. How many there were.
#[tracing::instrument(name = "session.end_others", skip_all)]
pub async fn end_others(services: &Services, person: &Person) -> Result<u64, Failure> {
    let stamp = person.stamp(services);
    let session = person.session();
    let others = ToEnd::OtherOwnSessions {
        identity: &session.identity,
        but: &session.id,
    };
    let ended = services
        .store
        .end_sessions(others, alive(stamp.at), &stamp)
        .await?;
    Ok(ended)
}
