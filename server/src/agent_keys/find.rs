//! One agent key.

use super::{delivery, query, read::agent_key};
use crate::{
    access::Permission,
    failure::Failure,
    services::{Person, Services},
};
use app::model::agent_key::{AgentKey, KeyId};

/// The key of this id, if it is an agent key and this person may see it. Every other id is answered alike.
#[tracing::instrument(name = "agent_keys.key.find", skip_all)]
pub async fn find(services: &Services, person: &Person, id: &KeyId) -> Result<AgentKey, Failure> {
    person.grant(services, Permission::ListAgentKeys).await?;
    let access = person.actor(services).await?.access();
    let mut found = person
        .elasticsearch()
        .query_api_keys(&query::by_id(id))
        .await?;
    let stored = found.api_keys.pop().filter(|key| key.id == id.as_str());
    let stored = stored.ok_or(Failure::NotFound)?;
    let viewer = &person.session().identity;
    let now = services.clock.now();
    let mut key = agent_key(stored, viewer, access, now)?;
    delivery::recall(services, person, std::slice::from_mut(&mut key), now).await?;
    Ok(key)
}
