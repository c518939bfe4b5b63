//! Application privileges: registered names, and the rules for them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Registered privileges: application, then name.
pub(crate) type Registered = BTreeMap<String, BTreeMap<String, ApplicationPrivilege>>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApplicationPrivilege {
    pub(crate) actions: Vec<String>,
    pub(crate) metadata: Map<String, Value>,
}

impl ApplicationPrivilege {
    /// The privilege in responses.
    pub(crate) fn to_json(&self, application: &str, name: &str) -> Value {
        json!({
            "application": application,
            "name": name,
            "actions": self.actions,
            "metadata": self.metadata,
        })
    }
}

/// Returns true if `name` is a privilege name rather than a pattern of actions.
pub(crate) fn is_privilege_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|first| first.is_ascii_lowercase())
        && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// Returns the rule that an application's name breaks.
pub(crate) fn application_name_problem(name: &str, wildcards: bool) -> Option<String> {
    if wildcards && name == "*" {
        return None;
    }
    if name.contains('*') && !wildcards {
        return Some(format!(
            "Application names may not contain '*' (found '{name}')"
        ));
    }
    let (prefix, suffix) = match name.find(['-', '_']) {
        Some(at) => name.split_at(at),
        None => (name, ""),
    };
    // With wildcards, "kib*" is a prefix that ends with a star.
    let starred = wildcards && prefix.ends_with('*');
    let prefix = if starred {
        &prefix[..prefix.len() - 1]
    } else {
        prefix
    };
    let well_formed = prefix.starts_with(|c: char| c.is_ascii_lowercase())
        && prefix.chars().all(|c| c.is_ascii_alphanumeric());
    if !well_formed || (prefix.len() < 3 && !starred) {
        return Some(format!(
            "An application name prefix must match the pattern ^[a-z][A-Za-z0-9]*$ and have at least 3 characters (found '{name}')"
        ));
    }
    let refused = |c: char| {
        matches!(c, '\\' | '/' | '?' | '"' | '<' | '>' | '|' | ',')
            || c.is_whitespace()
            || (c == '*' && !wildcards)
    };
    if suffix.contains(refused) {
        return Some(format!(
            "An application name may not contain any of the characters '\\ / * ? \" < > | ,' or whitespace (found '{name}')"
        ));
    }
    None
}

/// Returns the rule that a privilege or action in a role breaks.
pub(crate) fn privilege_or_action_problem(name: &str) -> Option<String> {
    let is_graph = name.chars().all(|c| c.is_ascii_graphic());
    (!is_graph).then(|| {
        format!(
            "Application privilege names and actions must match the pattern ^\\p{{Graph}}*$ (found '{name}')"
        )
    })
}

/// Returns the rule that an action breaks.
pub(crate) fn action_problem(action: &str) -> Option<String> {
    if !action.contains(['/', '*', ':']) {
        return Some(format!(
            "action [{action}] must contain one of [/, *, :] or be the name of a privilege"
        ));
    }
    if action.chars().any(|c| !c.is_ascii_graphic()) {
        return Some(format!(
            "action [{action}] may only contain printable characters without whitespace"
        ));
    }
    None
}
