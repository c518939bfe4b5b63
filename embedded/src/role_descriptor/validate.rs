//! The rules a well-formed descriptor can still break.

use serde_json::Value;

use super::{Place, RoleDescriptor};
use crate::privilege::{application, cluster, index};

/// The workflows a key can be restricted to.
const WORKFLOWS: [&str; 1] = ["search_application_query"];

/// The longest description of a role, in characters.
const DESCRIPTION_CHARACTERS_MAX: usize = 1000;

impl RoleDescriptor {
    /// Every rule that the descriptor breaks.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for name in &self.cluster {
            if !cluster::is_valid(name) {
                problems.push(format!(
                    "unknown cluster privilege [{name}]. a privilege must be either one of the predefined cluster privilege names or a pattern over one of the available cluster actions"
                ));
            }
        }
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
            && description.chars().count() > DESCRIPTION_CHARACTERS_MAX
        {
            problems.push(format!(
                "role description must be less than {DESCRIPTION_CHARACTERS_MAX} characters long"
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
