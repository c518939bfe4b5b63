//! The users.

use crate::{
    access::Permission,
    agent_keys,
    context::RequestContext,
    elasticsearch::{Connection, capabilities::Capability, users::StoredUser},
    error::Error,
};
use app::model::{
    audit_query::SearchText,
    timestamp::Timestamp,
    user::{USERS_MAX, User, UserList},
};
use std::collections::BTreeMap;

/// The users that match the search, by name, each with the number of their keys that work now. Elasticsearch answers
/// with all of them at once; no more than [`USERS_MAX`] are passed on.
#[tracing::instrument(name = "users.page.list", skip_all)]
pub async fn list(ctx: &RequestContext, search: SearchText) -> Result<UserList, Error> {
    ctx.grant(Permission::ManageSecurity).await?;
    let connection = ctx.elasticsearch()?;
    let (users, counts) = tokio::join!(
        connection.get_users(),
        count_keys(connection, ctx.state.clock.now())
    );
    let users = users?;
    let total = users.len();
    let needle = search.as_str().to_lowercase();
    let matching: Vec<_> = users
        .into_values()
        .filter(|user| matches(user, &needle))
        .collect();
    let matching_count = matching.len();
    let users = matching
        .into_iter()
        .take(USERS_MAX)
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
    Ok(UserList {
        users,
        matching: matching_count,
        total,
    })
}

fn matches(user: &StoredUser, needle: &str) -> bool {
    let texts = [
        Some(&user.username),
        user.full_name.as_ref(),
        user.email.as_ref(),
    ];
    texts
        .into_iter()
        .flatten()
        .any(|text| text.to_lowercase().contains(needle))
}

/// The keys that work now, by owner. `None` where they cannot be counted, as before Elasticsearch 8.13: the users are
/// still worth showing.
async fn count_keys(connection: &Connection, now: Timestamp) -> Option<BTreeMap<String, u64>> {
    if connection.lacks(Capability::Aggregations) {
        return None;
    }
    let query = agent_keys::active_keys_by_owner(now);
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
    let owners = agent_keys::read::facet(&counted.aggregations, "owners");
    let counts = owners.into_iter().map(|owner| (owner.value, owner.count));
    Some(counts.collect())
}
