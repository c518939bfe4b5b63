//! From Elasticsearch's key to ours.

use crate::{
    access::{APM, Identity},
    elasticsearch::{Error, api_key::query::StoredKey},
};
use app::model::{
    access::{Access, Reach},
    agent_key::{AgentKey, Delivery, KeyId, KeySource, KeyStatus},
    labels::Labels,
    timestamp::Timestamp,
};
use serde_json::Value;

/// The key, as the person who looks may see it.
pub(super) fn agent_key(
    stored: StoredKey,
    viewer: &Identity,
    access: &Access,
    now: Timestamp,
) -> Result<AgentKey, Error> {
    let id = KeyId::parse(&stored.id).ok_or(Error::BadAnswer("key id"))?;
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
    let own = owner == viewer.username && realm == viewer.realm;
    let within_reach = own || access.revoke_reach == Reach::Everybody;
    Ok(AgentKey {
        id,
        name: stored.name.unwrap_or_default(),
        owner,
        realm,
        created: Timestamp(stored.creation),
        status,
        privileges: privileges(&stored.role_descriptors),
        labels: labels(&stored.metadata),
        source: if ours {
            KeySource::AgentKeys
        } else {
            KeySource::Elsewhere
        },
        // What the ledger remembers comes later.
        delivery: if ours {
            Delivery::NotRecorded
        } else {
            Delivery::MadeElsewhere
        },
        revocable: !stored.invalidated && access.revoke.is_granted() && within_reach,
    })
}

/// What the key may do in the application `apm`, by all its descriptors together.
fn privileges(descriptors: &Value) -> Vec<String> {
    let mut names: Vec<String> = descriptors
        .as_object()
        .into_iter()
        .flat_map(|descriptors| descriptors.values())
        .filter_map(|descriptor| descriptor.get("applications")?.as_array())
        .flatten()
        .filter(|entry| matches!(text(entry, "application"), Some(APM | "*")))
        .filter_map(|entry| entry.get("privileges")?.as_array())
        .flatten()
        .filter_map(|name| name.as_str().map(ToOwned::to_owned))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Our labels. Metadata may be written by anybody, so whatever does not fit is passed over.
fn labels(metadata: &Value) -> Labels {
    let label = |name| {
        let label = text(metadata.get("agent_keys")?, name)?;
        app::model::labels::parse_label(label).ok().flatten()
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
