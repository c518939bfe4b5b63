//! The rules a well-formed descriptor can still break.

use serde_json::Value;

use super::{Place, RoleDescriptor};
use crate::{
    privilege::{application, cluster, index},
    version::Version,
};

/// The workflows a key can be restricted to.
const WORKFLOWS: [&str; 1] = ["search_application_query"];

/// The longest description of a role, in UTF-16 units, because that is what Elasticsearch counts.
const DESCRIPTION_UNITS_MAX: usize = 1000;

impl RoleDescriptor {
    /// Every rule of `version` that the descriptor breaks.
    pub(crate) fn problems(&self, version: Version) -> Vec<String> {
        let mut problems = Vec::new();
        let cluster = self.cluster.iter();
        problems.extend(cluster.filter_map(|name| cluster::problem(name, version)));
        for name in self.indices.iter().flat_map(|entry| &entry.privileges) {
            if !index::is_valid(name) {
                problems.push(format!(
                    "unknown index privilege [{name}]. a privilege must be either one of the predefined fixed indices privileges or a pattern over one of the available index actions"
                ));
            }
        }
        for entry in &self.applications {
            problems.extend(application::application_name_problem(
                &entry.application,
                true,
            ));
            problems.extend(
                entry
                    .privileges
                    .iter()
                    .filter_map(|name| application::privilege_or_action_problem(name)),
            );
        }
        if self.metadata.keys().any(|key| key.starts_with('_')) {
            problems.push("role descriptor metadata keys may not start with [_]".to_owned());
        }
        if let Some(workflows) = self
            .restriction
            .as_ref()
            .and_then(|restriction| restriction.get("workflows").and_then(Value::as_array))
        {
            for workflow in workflows.iter().filter_map(Value::as_str) {
                if !WORKFLOWS.contains(&workflow) {
                    problems.push(format!(
                        "unknown workflow [{workflow}]. a workflow must be one of the predefined workflow names [{}]",
                        WORKFLOWS.join(",")
                    ));
                }
            }
        }
        if let Some(description) = &self.description
            && description.encode_utf16().count() > DESCRIPTION_UNITS_MAX
        {
            problems.push(format!(
                "Role description must be less than {DESCRIPTION_UNITS_MAX} characters."
            ));
        }
        problems
    }
}

/// What is wrong with a role's name, if anything.
pub(crate) fn role_name_problem(name: &str, place: Place) -> Option<String> {
    let longest = match place {
        Place::Role => 507,
        Place::ApiKey => 1024,
    };
    let printable = name.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if name.is_empty() || name.chars().count() > longest || !printable || name.trim() != name {
        return Some(format!(
            "Role names must be at least 1 and no more than {longest} characters. They can contain alphanumeric characters (a-z, A-Z, 0-9), spaces, punctuation, and printable symbols in the Basic Latin (ASCII) block. Leading or trailing whitespace is not allowed."
        ));
    }
    None
}
