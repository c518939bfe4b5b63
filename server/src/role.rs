//! The role `apm_agent_key_role`, exactly as Elastic documents it.

mod diff;
pub mod put;
pub mod read;

use app::model::role::AGENT_KEY_ROLE;
use serde_json::{Value, json};

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

/// Only what grants something, in a fixed order, so that two roles that grant the same are equal. Elasticsearch
/// answers with every field, empty ones included, and in an order of its own.
fn normalised(descriptor: &Value) -> Value {
    const GRANTING: [&str; 7] = [
        "cluster",
        "indices",
        "applications",
        "run_as",
        "global",
        "remote_indices",
        "remote_cluster",
    ];
    let fields = GRANTING.into_iter().filter_map(|field| {
        let value = sorted(descriptor.get(field)?);
        let empty = match &value {
            Value::Array(items) => items.is_empty(),
            Value::Object(items) => items.is_empty(),
            Value::Null => true,
            Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        };
        (!empty).then(|| (field.to_owned(), value))
    });
    Value::Object(fields.collect())
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
