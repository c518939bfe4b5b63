//! The role `apm_agent_key_role`, exactly as Elastic documents it.

mod diff;
pub mod put;
pub mod read;

use app::model::role::AGENT_KEY_ROLE;
use serde_json::{Map, Value, json};

/// What the role grants, for people who use the Kibana space of this resource: `space:default`, or `*` for any.
fn recipe(resource: &str) -> Value {
    json!({
        "cluster": ["manage_own_api_key"],
        "applications": [
            {
                "application": "apm",
                "privileges": ["event:write", "config_agent:read"],
                "resources": ["*"],
            },
            {
                "application": "kibana-.kibana",
                "privileges": ["feature_apm.all"],
                "resources": [resource],
            },
        ],
    })
}

/// The whole request, for whoever may send it.
pub(crate) fn request(resource: &str) -> String {
    let body = recipe(resource);
    format!("PUT /_security/role/{AGENT_KEY_ROLE}\n{body:#}")
}

/// Fields of a role that grant something.
const GRANTING: [&str; 7] = [
    "cluster",
    "indices",
    "applications",
    "run_as",
    "global",
    "remote_indices",
    "remote_cluster",
];
/// Fields that people write about a role.
const ABOUT: [&str; 2] = ["metadata", "description"];
/// A field that Elasticsearch adds to its answer.
const ADDED: &str = "transient_metadata";

/// Only what grants something, in a fixed order, so that two roles that grant the same are equal. Elasticsearch
/// answers with every field, empty ones included, and in an order of its own.
fn normalised(descriptor: &Value) -> Value {
    let fields = GRANTING.into_iter().filter_map(|field| {
        let value = sorted(descriptor.get(field)?);
        (!is_empty(&value)).then(|| (field.to_owned(), value))
    });
    Value::Object(fields.collect())
}

/// The fields of a later version of Elasticsearch. What they grant is not known.
fn unknown(descriptor: &Value) -> Map<String, Value> {
    let fields = descriptor.as_object().into_iter().flatten();
    let is_known = |name: &str| GRANTING.contains(&name) || ABOUT.contains(&name) || name == ADDED;
    fields
        .filter(|(name, value)| !is_known(name) && !is_empty(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Every list in it is a set.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<_> = items.iter().map(sorted).collect();
            items.sort_by_cached_key(Value::to_string);
            items.dedup();
            Value::Array(items)
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), sorted(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_grants_the_same_is_the_same() {
        let mut stored = recipe("space:default");
        stored["indices"] = json!([]);
        stored["run_as"] = json!([]);
        stored["metadata"] = json!({ "made_by": "somebody" });
        stored["transient_metadata"] = json!({ "enabled": true });
        stored["applications"][0]["privileges"] = json!(["config_agent:read", "event:write"]);
        assert_eq!(normalised(&stored), normalised(&recipe("space:default")));
        assert_ne!(normalised(&stored), normalised(&recipe("space:other")));
        stored["cluster"] = json!(["manage_own_api_key", "monitor"]);
        assert_ne!(normalised(&stored), normalised(&recipe("space:default")));
    }
}
