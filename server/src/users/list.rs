//! All users.

use crate::{
    access::Permission,
    agent_keys,
    elasticsearch::capabilities::Capability,
    failure::Failure,
    services::{Person, Services},
};
use app::model::user::{User, UserList};
use std::collections::BTreeMap;

/// All users, by name, each with the number of their keys that work now.
#[tracing::instrument(name = "users.page.list", skip_all)]
pub async fn list(services: &Services, person: &Person) -> Result<UserList, Failure> {
    person.grant(services, Permission::ManageSecurity).await?;
    let connection = person.elasticsearch();
    let (users, counts) = tokio::join!(connection.get_users(), count_keys(services, person));
    let users = users?
        .into_values()
        .map(|user| User {
            reserved: user.is_reserved(),
            active_keys: counts
                .as_ref()
                .map(|counts| counts.get(&user.username).copied().unwrap_or(0)),
            username: user.username,
            full_name: user.full_name.filter(|name| !name.is_empty()),
            email: user.email.filter(|email| !email.is_empty()),
            roles: user.roles,
            enabled: user.enabled,
        })
        .collect();
    Ok(UserList { users })
}

/// The keys that work now, by owner. `None` where they cannot be counted, as before Elasticsearch 8.13: the users are
/// still worth showing.
async fn count_keys(services: &Services, person: &Person) -> Option<BTreeMap<String, u64>> {
    let connection = person.elasticsearch();
    if connection.lacks(Capability::Aggregations) {
        return None;
    }
    let query = agent_keys::active_keys_by_owner(services.clock.now());
    let counted = match connection.query_api_keys(&query).await {
        Ok(counted) => counted,
        Err(error) => {
            if !connection.lacks_by(&error, Capability::Aggregations) {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "the keys of the users could not be counted");
            }
            return None;
        }
    };
    let owners = agent_keys::list::facet(&counted.aggregations, "owners");
    let counts = owners.into_iter().map(|owner| (owner.value, owner.count));
    Some(counts.collect())
}
