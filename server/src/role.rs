//! The role `apm_agent_key_role`, exactly as Elastic documents it.

use crate::{
    access::Permission,
    audit::{Action, Target},
    context::RequestContext,
    elasticsearch,
    error::Error,
    ledger,
};
use app::model::role::{AGENT_KEY_ROLE, AgentKeyRole, DiffLine, DiffSide, RoleState};
use serde_json::{Map, Value, json};
use similar::{Change, ChangeTag, TextDiff};

/// Returns the state of the role. A user who may not see roles gets `RoleState::Unknown` with the request.
#[tracing::instrument(name = "role.role.read", skip_all)]
pub async fn read(ctx: &RequestContext) -> Result<AgentKeyRole, Error> {
    let resource = ctx.state.gate.resource();
    let mut unknown_fields = None;
    let state = match ctx.elasticsearch()?.get_role(AGENT_KEY_ROLE).await {
        Err(elasticsearch::Error::Forbidden { .. }) => RoleState::Unknown,
        Err(error) => return Err(error.into()),
        Ok(None) => RoleState::Missing,
        Ok(Some(stored)) => {
            let fields = unknown(&stored);
            unknown_fields = (!fields.is_empty()).then(|| format!("{:#}", Value::Object(fields)));
            let (stored, wanted) = (
                normalised(&stored),
                normalised(&required_role_descriptor(resource)),
            );
            if stored == wanted {
                RoleState::AsDocumented
            } else {
                let diff = diff_lines(&format!("{stored:#}"), &format!("{wanted:#}"));
                RoleState::Differs { diff }
            }
        }
    };
    Ok(AgentKeyRole {
        state,
        unknown_fields,
        request: request(resource),
        kibana_space: resource.trim_start_matches("space:").to_owned(),
    })
}

/// Makes the role grant exactly what is documented. What people wrote about it stays, and so do the fields of a later
/// version of Elasticsearch.
#[tracing::instrument(name = "role.role.put", skip_all)]
pub async fn put(ctx: &RequestContext) -> Result<(), Error> {
    let grant = ctx.grant(Permission::ManageSecurity).await?;
    let mut descriptor = required_role_descriptor(ctx.state.gate.resource());
    let stored = ctx.elasticsearch()?.get_role(AGENT_KEY_ROLE).await?;
    if let Some(stored) = stored {
        for field in ABOUT {
            if let Some(value) = stored.get(field) {
                descriptor[field] = value.clone();
            }
        }
        for (field, value) in unknown(&stored) {
            descriptor[field] = value;
        }
    }
    let target = Target {
        id: None,
        name: Some(AGENT_KEY_ROLE.to_owned()),
    };
    let connection = ctx.elasticsearch()?.clone();
    let put = async move || {
        connection
            .put_role(AGENT_KEY_ROLE, &descriptor)
            .await
            .map_err(Error::of_write)?;
        Ok(descriptor)
    };
    ledger::run_one(ctx, grant, Action::RoleUpdate, target, put).await
}

/// Descriptor of the role for the Kibana space of this resource: `space:default`, or `*` for any.
fn required_role_descriptor(resource: &str) -> Value {
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

/// The request that creates the role, for an administrator.
pub(crate) fn request(resource: &str) -> String {
    let body = required_role_descriptor(resource);
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

/// Returns the lines of both texts, in order.
fn diff_lines(old: &str, new: &str) -> Vec<DiffLine> {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let line = |change: Change<&str>| DiffLine {
        side: match change.tag() {
            ChangeTag::Equal => DiffSide::Both,
            ChangeTag::Delete => DiffSide::Removed,
            ChangeTag::Insert => DiffSide::Added,
        },
        text: change.value().to_owned(),
    };
    let diff = TextDiff::from_slices(&old, &new);
    diff.iter_all_changes().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_grants_the_same_is_the_same() {
        let mut stored = required_role_descriptor("space:default");
        stored["indices"] = json!([]);
        stored["run_as"] = json!([]);
        stored["metadata"] = json!({ "made_by": "somebody" });
        stored["transient_metadata"] = json!({ "enabled": true });
        stored["applications"][0]["privileges"] = json!(["config_agent:read", "event:write"]);
        assert_eq!(
            normalised(&stored),
            normalised(&required_role_descriptor("space:default"))
        );
        assert_ne!(
            normalised(&stored),
            normalised(&required_role_descriptor("space:other"))
        );
        stored["cluster"] = json!(["manage_own_api_key", "monitor"]);
        assert_ne!(
            normalised(&stored),
            normalised(&required_role_descriptor("space:default"))
        );
    }

    #[test]
    fn lines_in_both_stay_and_the_others_are_marked() {
        let marked: String = diff_lines("a\nb\nc", "a\nx\nc\nd")
            .iter()
            .map(|line| {
                let mark = match line.side {
                    DiffSide::Both => ' ',
                    DiffSide::Removed => '-',
                    DiffSide::Added => '+',
                };
                format!("{mark}{} ", line.text)
            })
            .collect();
        assert_eq!(marked, " a -b +x  c +d ");
        assert!(diff_lines("", "").is_empty());
    }
}
