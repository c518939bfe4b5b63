//! The role `apm_agent_key_role`, judged by what it grants. The documented role is the least that is needed.

mod grants;
pub mod mappings;

use crate::{
    access::{self, APM, KIBANA, ManageSecurity},
    audit::{Action, Target},
    context::RequestContext,
    elasticsearch,
    error::Error,
    ledger,
};
use app::model::{
    agent_key::MissingPrivilege,
    user::{AGENT_KEY_ROLE, AgentKeyRole, DiffLine, DiffSide, FirstSteps, RoleState},
};
use grants::RoleGrants;
use serde_json::{Map, Value, json};
use similar::{Change, ChangeTag, TextDiff};

/// Returns the state of the role. A user who may not see roles gets `RoleState::Unknown` with the request.
#[tracing::instrument(name = "role.role.read", skip_all)]
pub async fn read(ctx: &RequestContext) -> Result<AgentKeyRole, Error> {
    let resource = ctx.state.kibana_feature.resource();
    let connection = ctx.elasticsearch()?;
    let mut unknown_fields = None;
    let state = match connection.get_role(AGENT_KEY_ROLE).await {
        Err(elasticsearch::Error::Forbidden { .. }) => RoleState::Unknown,
        Err(error) => return Err(error.into()),
        Ok(None) => RoleState::Missing,
        Ok(Some(stored)) => {
            let fields = unknown(&stored);
            unknown_fields = (!fields.is_empty()).then(|| format!("{:#}", Value::Object(fields)));
            let missing = missing(ctx, &stored).await?;
            let more = beyond(&stored, &required_role_descriptor(resource));
            if !missing.is_empty() {
                let mut repaired = stored.clone();
                grants::add(&mut repaired, &missing);
                let (stored, repaired) = (normalised(&stored), normalised(&repaired));
                let diff = diff_lines(&format!("{stored:#}"), &format!("{repaired:#}"));
                RoleState::NeedsRepair { missing, diff }
            } else if is_empty(&more) {
                RoleState::AsDocumented
            } else {
                let more = format!("{more:#}");
                RoleState::GrantsMore { more }
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

/// Creates the documented role, or adds to the stored one what it lacks. Nothing is taken away from it.
#[tracing::instrument(name = "role.role.put", skip_all)]
pub async fn put(ctx: &RequestContext) -> Result<(), Error> {
    let grant = ctx.grant::<ManageSecurity>().await?;
    ctx.require_recent_password()?;
    let descriptor = match ctx.elasticsearch()?.get_role(AGENT_KEY_ROLE).await? {
        None => required_role_descriptor(ctx.state.kibana_feature.resource()),
        Some(mut stored) => {
            let missing = missing(ctx, &stored).await?;
            grants::add(&mut stored, &missing);
            // Elasticsearch accepts every field that it returns but this one.
            if let Some(fields) = stored.as_object_mut() {
                fields.remove(ADDED);
            }
            stored
        }
    };
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

/// Returns the state of the steps before the first key. They are read with `manage_security`; a user without it who may
/// create keys shows by that that both are done.
#[tracing::instrument(name = "role.first_steps.read", skip_all)]
pub async fn first_steps(ctx: &RequestContext) -> Result<FirstSteps, Error> {
    let access = ctx.permissions().await?.access();
    if !access.manage_security.is_granted() {
        let done = access.create.is_granted().then_some(true);
        return Ok(FirstSteps {
            role: done,
            user: done,
        });
    }
    let (role, users) = tokio::join!(read(ctx), ctx.elasticsearch()?.get_users());
    let works = |role: AgentKeyRole| {
        matches!(
            role.state,
            RoleState::AsDocumented | RoleState::GrantsMore { .. }
        )
    };
    let mut users = users?.into_values();
    Ok(FirstSteps {
        role: Some(works(role?)),
        user: Some(users.any(|user| user.roles.iter().any(|role| role == AGENT_KEY_ROLE))),
    })
}

/// Returns the privileges that the stored role lacks.
async fn missing(ctx: &RequestContext, stored: &Value) -> Result<Vec<MissingPrivilege>, Error> {
    let connection = ctx.elasticsearch()?;
    let (apm, kibana) = tokio::join!(
        connection.registered_privileges(APM),
        connection.registered_privileges(KIBANA),
    );
    let registered = apm?.into_iter().chain(kibana?).collect();
    let role = RoleGrants::of(stored, registered);
    Ok(access::missing_in_role(
        &ctx.state.kibana_feature,
        |privilege| role.cluster(privilege),
        |application, resource, privilege| role.application(application, resource, privilege),
        |application| role.resources(application),
    ))
}

/// Returns the parts of a role that grant something beyond `wanted`, in the shape of a role.
fn beyond(stored: &Value, wanted: &Value) -> Value {
    let (mut stored, wanted) = (normalised(stored), normalised(wanted));
    let retain = |held: &mut Value, keep: &dyn Fn(&mut Value) -> bool| {
        if let Some(items) = held.as_array_mut() {
            items.retain_mut(keep);
        }
    };
    let lists =
        |list: &Value, item: &Value| list.as_array().is_some_and(|list| list.contains(item));
    retain(&mut stored["cluster"], &|name| {
        !lists(&wanted["cluster"], name)
    });
    retain(&mut stored["applications"], &|entry| {
        let same = wanted["applications"].as_array().into_iter().flatten();
        let mut same = same.filter(|wanted| {
            ["application", "resources"]
                .iter()
                .all(|field| wanted[field] == entry[field])
        });
        let Some(same) = same.next() else { return true };
        let names = &mut entry["privileges"];
        retain(names, &|name| !lists(&same["privileges"], name));
        !is_empty(names)
    });
    // Without the lists that became empty.
    normalised(&stored)
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

/// Only what grants something, in a fixed order, so that two roles with the same text are equal. Elasticsearch
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

/// Returns the lines of both texts, in order. The comma after an item that is no longer the last makes no difference.
fn diff_lines(old: &str, new: &str) -> Vec<DiffLine> {
    let without_comma = |line: &'_ str| line.trim_end_matches(',').to_owned();
    let [old_lines, new_lines] =
        [old, new].map(|text| text.lines().map(without_comma).collect::<Vec<_>>());
    let [compared_old, compared_new] =
        [&old_lines, &new_lines].map(|lines| lines.iter().map(String::as_str).collect::<Vec<_>>());
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let line = |change: Change<&str>| {
        let (side, line) = match change.tag() {
            ChangeTag::Equal => (DiffSide::Both, change.new_index().map(|at| new[at])),
            ChangeTag::Delete => (DiffSide::Removed, change.old_index().map(|at| old[at])),
            ChangeTag::Insert => (DiffSide::Added, change.new_index().map(|at| new[at])),
        };
        let text = line.unwrap_or(change.value()).to_owned();
        DiffLine { side, text }
    };
    let diff = TextDiff::from_slices(&compared_old, &compared_new);
    diff.iter_all_changes().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_that_grants_the_same_goes_beyond_nothing() {
        let wanted = required_role_descriptor("space:default");
        let mut stored = wanted.clone();
        stored["indices"] = json!([]);
        stored["run_as"] = json!([]);
        stored["metadata"] = json!({ "made_by": "platform" });
        stored["transient_metadata"] = json!({ "enabled": true });
        stored["applications"][0]["privileges"] = json!(["config_agent:read", "event:write"]);
        assert!(is_empty(&beyond(&stored, &wanted)));
    }

    #[test]
    fn role_goes_beyond_the_recipe_by_what_only_it_grants() {
        let wanted = required_role_descriptor("space:default");
        let mut stored = wanted.clone();
        stored["cluster"] = json!(["monitor", "manage_own_api_key"]);
        stored["applications"][0]["privileges"] =
            json!(["config_agent:read", "event:write", "sourcemap:write"]);
        stored["applications"][1]["resources"] = json!(["*"]);
        stored["run_as"] = json!(["ada"]);
        let expected = json!({
            "cluster": ["monitor"],
            "applications": [
                { "application": "apm", "privileges": ["sourcemap:write"], "resources": ["*"] },
                { "application": "kibana-.kibana", "privileges": ["feature_apm.all"], "resources": ["*"] },
            ],
            "run_as": ["ada"],
        });
        assert_eq!(beyond(&stored, &wanted), expected);
    }

    #[test]
    fn diff_marks_added_and_removed_lines() {
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
        // The list becomes longer; nothing is removed.
        let diff = diff_lines("[\n1\n]", "[\n1,\n2\n]");
        let removed = diff.iter().filter(|line| line.side == DiffSide::Removed);
        assert_eq!(removed.count(), 0);
        assert_eq!(
            (diff[1].text.as_str(), diff[2].side),
            ("1,", DiffSide::Added)
        );
    }
}
