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

/// Characters that no file name may contain.
const NO_FILE_NAME: [char; 9] = ['\\', '/', '*', '?', '"', '<', '>', '|', ','];

/// Returns the rule that an application's name breaks. With `wildcards`, a star may end it.
pub(crate) fn application_name_problem(name: &str, wildcards: bool) -> Option<String> {
    if name.is_empty() {
        return Some("Application names cannot be blank".to_owned());
    }
    if let Some(star) = name.find('*') {
        if !wildcards {
            return Some(format!(
                "Application names may not contain '*' (found '{name}')"
            ));
        }
        if star + 1 != name.len() {
            return Some(format!(
                "Application name patterns only support trailing wildcards (found '{name}')"
            ));
        }
    }
    if name == "*" {
        return None;
    }
    if name.contains(char::is_whitespace) {
        return Some(format!(
            "Application names may not contain whitespace (found '{name}')"
        ));
    }
    let (prefix, suffix) = name.split_once(['-', '_']).unwrap_or((name, ""));
    let prefix = prefix.strip_suffix('*').unwrap_or(prefix);
    let well_formed = prefix.starts_with(|c: char| c.is_ascii_lowercase())
        && prefix.chars().all(|c| c.is_ascii_alphanumeric());
    if !well_formed {
        return Some(format!(
            "An application name prefix must match the pattern ^[a-z][A-Za-z0-9]*$ (found '{prefix}')"
        ));
    }
    if prefix.len() < 3 && !name.contains('*') {
        return Some(format!(
            "An application name prefix must be at least 3 characters long (found '{prefix}')"
        ));
    }
    let suffix = suffix.strip_suffix('*').unwrap_or(suffix);
    if suffix.contains(NO_FILE_NAME) {
        return Some(format!(
            "An application name suffix may not contain any of the characters '{}' (found '{suffix}')",
            NO_FILE_NAME.iter().collect::<String>()
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
