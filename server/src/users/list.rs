//! All users.

use crate::{
    access::Permission,
    agent_keys,
    failure::Failure,
    services::{Person, Services},
};
use app::model::user::{User, UserList};
use std::collections::BTreeMap;

/// All users, by name, each with the number of their keys that work now.
#[tracing::instrument(name = "users.page.list", skip_all)]
pub async fn list(services: &Services, person: &Person) -> Result<UserList, Failure> {
    person.grant(services, Permission::ManageSecurity).await?;
    let query = agent_keys::active_keys_by_owner(services.clock.now());
    let connection = person.elasticsearch();
    let (users, counted) = tokio::join!(connection.get_users(), connection.query_api_keys(&query));
    // The users are what was asked for. Where keys cannot be counted, they are still worth showing.
    let counts: BTreeMap<_, _> = counted
        .map(|counted| agent_keys::list::facet(&counted.aggregations, "owners"))
        .unwrap_or_default()
        .into_iter()
        .map(|owner| (owner.value, owner.count))
        .collect();
    let users = users?
        .into_values()
        .map(|user| User {
            reserved: user.is_reserved(),
            active_keys: counts.get(&user.username).copied().unwrap_or(0),
            username: user.username,
            full_name: user.full_name.filter(|name| !name.is_empty()),
            email: user.email.filter(|email| !email.is_empty()),
            roles: user.roles,
            enabled: user.enabled,
        })
        .collect();
    Ok(UserList { users })
}
