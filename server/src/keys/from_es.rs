//! Converts Elasticsearch's keys to ours, and decides which of them are the user's own.

use crate::{
    access::{APM, Identity},
    context::RequestContext,
    elasticsearch::{
        self,
        keys::{FoundKeys, StoredKey},
    },
    error::Error,
};
use app::model::{
    agent_key::{AgentKey, Delivery, KeyId, KeyRights, KeySource, KeyStatus, Labels},
    key_list::{FacetValue, FilterCounts, StatusFilter},
    session::{Access, KeyScope},
    timestamp::Timestamp,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Converts a key for the user who sees it.
pub(super) fn agent_key(
    stored: StoredKey,
    ownership: &Ownership<'_>,
    access: &Access,
    now: Timestamp,
) -> Result<AgentKey, elasticsearch::Error> {
    let id = KeyId::parse(&stored.id).ok_or(elasticsearch::Error::BadAnswer("key id"))?;
    let owner = stored.username.unwrap_or_default();
    let realm = stored.realm.unwrap_or_default();
    let expiration = stored.expiration.map(Timestamp);
    let status = match (stored.invalidated, expiration) {
        (true, _) => KeyStatus::Revoked {
            at: stored.invalidation.map(Timestamp),
        },
        (false, Some(at)) if at <= now => KeyStatus::Expired { at },
        (false, until) => KeyStatus::Active { until },
    };
    let ours = stored
        .metadata
        .get("agent_keys")
        .is_some_and(Value::is_object);
    let within_reach = access.revoke_scope == KeyScope::All || ownership.covers(&owner, &realm);
    Ok(AgentKey {
        id,
        name: stored.name.unwrap_or_default(),
        owner,
        realm,
        created: Timestamp(stored.creation),
        status,
        rights: rights(stored.role_descriptors.as_ref()),
        labels: labels(&stored.metadata),
        source: if ours {
            KeySource::AgentKeys
        } else if is_marked(&stored.metadata) {
            KeySource::Kibana
        } else {
            KeySource::Elsewhere
        },
        // `delivery::recall` replaces it with the state of the ledger.
        delivery: if ours {
            Delivery::NotRecorded
        } else {
            Delivery::MadeElsewhere
        },
        revocable: !stored.invalidated && access.revoke.is_granted() && within_reach,
    })
}

/// Returns true if the key is an agent key: it has the mark, or grants application privileges of `apm`. Keys that Kibana
/// made for itself are none.
pub(super) fn is_agent_key(stored: &StoredKey) -> bool {
    if stored.metadata.get("system") == Some(&Value::Bool(true)) {
        return false;
    }
    let descriptors = stored.role_descriptors.as_ref();
    is_marked(&stored.metadata)
        || descriptors.is_some_and(|descriptors| !privileges(descriptors).is_empty())
}

/// Returns true if the key has the mark that Kibana and this application set.
fn is_marked(metadata: &Value) -> bool {
    text(metadata, "application") == Some(APM)
}

/// Returns true if an application name of a descriptor means `apm`. It may end in a wildcard.
fn means_apm(name: &str) -> bool {
    name == APM
        || name
            .strip_suffix('*')
            .is_some_and(|start| APM.starts_with(start))
}

/// Rights that all descriptors of the key grant together.
fn rights(descriptors: Option<&Value>) -> KeyRights {
    let Some(descriptors) = descriptors else {
        return KeyRights::NotTold;
    };
    match descriptors.as_object() {
        Some(described) if !described.is_empty() => KeyRights::Described {
            privileges: privileges(descriptors),
            more: described.values().any(grants_more),
        },
        _ => KeyRights::OwnersAll,
    }
}

/// Returns true if the descriptor grants anything beside `event:write`, `config_agent:read` and `sourcemap:write` of
/// `apm`. An unknown field counts, because a later version may grant by it.
fn grants_more(descriptor: &Value) -> bool {
    // These grant nothing.
    const HARMLESS: [&str; 5] = [
        "metadata",
        "transient_metadata",
        "restriction",
        "description",
        "type",
    ];
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    let is_of_apm = |entry: &Value| {
        let names = entry.get("privileges").and_then(Value::as_array);
        let is_of_agents = |name: &Value| {
            let name = name.as_str();
            matches!(
                name,
                Some("event:write" | "config_agent:read" | "sourcemap:write")
            )
        };
        text(entry, "application") == Some(APM)
            && names.is_some_and(|names| names.iter().all(is_of_agents))
    };
    let fields = descriptor.as_object().into_iter().flatten();
    fields
        .filter(|(name, _)| !HARMLESS.contains(&name.as_str()))
        .any(|(name, value)| match (name.as_str(), value) {
            ("applications", Value::Array(entries)) => !entries.iter().all(is_of_apm),
            (_, value) => !is_empty(value),
        })
}

/// Privileges of the key in the application `apm`.
fn privileges(descriptors: &Value) -> Vec<String> {
    let mut names: Vec<String> = descriptors
        .as_object()
        .into_iter()
        .flat_map(|descriptors| descriptors.values())
        .filter_map(|descriptor| descriptor.get("applications")?.as_array())
        .flatten()
        .filter(|entry| text(entry, "application").is_some_and(means_apm))
        .filter_map(|entry| entry.get("privileges")?.as_array())
        .flatten()
        .filter_map(|name| name.as_str().map(ToOwned::to_owned))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Reads our labels. Any owner can write metadata, so values that do not fit are ignored.
fn labels(metadata: &Value) -> Labels {
    let label = |name| {
        let label = text(metadata.get("agent_keys")?, name)?;
        app::model::agent_key::parse_label(label).ok().flatten()
    };
    Labels {
        service: label("service"),
        environment: label("environment"),
        team: label("team"),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// The counts, from the answer to [`es_query::filter_counts`](super::es_query::filter_counts).
pub(super) fn filter_counts(counted: &FoundKeys) -> FilterCounts {
    let aggregations = &counted.aggregations;
    let status = |filter: &StatusFilter| {
        let count = aggregations.get("status").and_then(|status| {
            let bucket = status.get("buckets")?.get(filter.word())?;
            bucket.get("doc_count")?.as_u64()
        });
        count.unwrap_or(0)
    };
    let mut counts = StatusFilter::ALL.iter().map(status);
    FilterCounts {
        status: std::array::from_fn(|_| counts.next().unwrap_or(0)),
        owners: facet(aggregations, "owners"),
        realms: facet(aggregations, "realms"),
        lists_owners: true,
    }
}

/// The buckets of a `terms` aggregation.
pub(crate) fn facet(aggregations: &BTreeMap<String, Value>, name: &str) -> Vec<FacetValue> {
    let buckets = aggregations
        .get(name)
        .and_then(|aggregation| aggregation.get("buckets")?.as_array());
    buckets
        .into_iter()
        .flatten()
        .filter_map(|bucket| {
            Some(FacetValue {
                value: bucket.get("key")?.as_str()?.to_owned(),
                count: bucket.get("doc_count")?.as_u64()?,
            })
        })
        .collect()
}

/// Decides which keys are the user's own.
///
/// An identity is a realm and a user name. Realms of one security domain (Elasticsearch 8.2 and later) share their
/// users, so a key that the user made after signing in through another realm of the domain is theirs too. Elasticsearch
/// returns only the domain's name, not its realms, so it is called for one key of each realm in question.
pub(super) struct Ownership<'a> {
    viewer: &'a Identity,
    /// True if the user sees only their own keys.
    sees_own_only: bool,
    /// Other realms in which this user name is the same user.
    realms: Vec<String>,
    /// Other realms for which Elasticsearch gave no answer, with its error.
    unknown: Vec<(String, elasticsearch::Error)>,
}

impl<'a> Ownership<'a> {
    /// Determines which of the keys are the user's own. Calls Elasticsearch only if the user sees all keys and revokes
    /// only their own, and only for keys of their user name in another realm. Without an answer such a key is not the
    /// user's own; an outage is an error.
    pub(super) async fn of(
        ctx: &'a RequestContext,
        access: &Access,
        keys: &[StoredKey],
    ) -> Result<Self, Error> {
        let viewer = &ctx.session()?.identity;
        let mut ownership = Self {
            viewer,
            sees_own_only: access.list_scope == KeyScope::Own,
            realms: Vec::new(),
            unknown: Vec::new(),
        };
        if ownership.sees_own_only || access.revoke_scope == KeyScope::All {
            return Ok(ownership);
        }
        let mut one_of_each = BTreeMap::new();
        for key in keys {
            if let (Some(realm), Some(id)) = (&key.realm, KeyId::parse(&key.id))
                && key.username.as_deref() == Some(&viewer.username)
                && *realm != viewer.realm
            {
                one_of_each.entry(realm).or_insert(id);
            }
        }
        for (realm, id) in one_of_each {
            match ctx.elasticsearch()?.owns_api_key(&id).await {
                Ok(true) => ownership.realms.push(realm.clone()),
                Ok(false) => {}
                Err(error) if error.is_outage() => return Err(error.into()),
                Err(error) => {
                    ownership.unknown.push((realm.clone(), error.clone()));
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(
                        error,
                        realm,
                        "ownership of keys of another realm is unknown"
                    );
                }
            }
        }
        Ok(ownership)
    }

    /// Returns the error because of which it is unknown whether the key is the user's own.
    pub(super) fn failure(&self, key: &AgentKey) -> Option<elasticsearch::Error> {
        let is_of_realm = |(realm, _): &&(String, elasticsearch::Error)| *realm == key.realm;
        let failed = self.unknown.iter().find(is_of_realm);
        failed
            .filter(|_| key.owner == self.viewer.username)
            .map(|(_, error)| error.clone())
    }

    /// Returns true if the key is the user's own.
    pub(super) fn covers(&self, username: &str, realm: &str) -> bool {
        let is_own_realm = realm == self.viewer.realm || self.realms.iter().any(|own| own == realm);
        self.sees_own_only || (username == self.viewer.username && is_own_realm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn privileges_follow_from_every_descriptor() {
        let agent = json!({
            "cluster": [], "indices": [], "run_as": [], "metadata": {}, "transient_metadata": { "enabled": true },
            "applications": [{ "application": "apm", "privileges": ["event:write"], "resources": ["*"] }],
        });
        let with = |field: &str, value: Value| {
            let mut changed = agent.clone();
            changed[field] = value;
            changed
        };
        let kibana =
            json!([{ "application": "kibana-.kibana", "privileges": ["all"], "resources": ["*"] }]);
        let all = json!([{ "application": "apm", "privileges": ["*"], "resources": ["*"] }]);
        for (name, descriptors, expected) in [
            ("agent", json!({ "apm": agent }), (1, false)),
            ("two", json!({ "apm": agent, "b": agent }), (1, false)),
            ("empty", json!({ "apm": {} }), (0, false)),
            (
                "cluster",
                json!({ "apm": with("cluster", json!(["all"])) }),
                (1, true),
            ),
            (
                "indices",
                json!({ "apm": agent, "b": { "indices": [{ "names": ["*"], "privileges": ["read"] }] } }),
                (1, true),
            ),
            (
                "another application",
                json!({ "apm": with("applications", kibana) }),
                (0, true),
            ),
            (
                "every privilege",
                json!({ "apm": with("applications", all) }),
                (1, true),
            ),
            (
                "a field of a later version",
                json!({ "apm": with("remote_something", json!(["x"])) }),
                (1, true),
            ),
            (
                "restriction",
                json!({ "apm": with("restriction", json!({ "workflows": ["w"] })) }),
                (1, false),
            ),
        ] {
            let KeyRights::Described { privileges, more } = rights(Some(&descriptors)) else {
                panic!("{name}");
            };
            assert_eq!((privileges.len(), more), expected, "{name}");
        }
        assert_eq!(rights(None), KeyRights::NotTold);
        for none in [json!({}), Value::Null] {
            assert_eq!(rights(Some(&none)), KeyRights::OwnersAll);
        }
    }
}
