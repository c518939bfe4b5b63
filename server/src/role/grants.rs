//! Privileges that a role grants by itself.
//!
//! Elasticsearch answers for users, not for roles: `_has_privileges` has no role to ask about. So the question that is
//! asked for a user is answered here, by Elasticsearch's rules and with the application privileges that are registered
//! there. An entry with a Lucene expression (`/…/`) counts for nothing: a repair then adds what may be granted already.

use crate::elasticsearch::users::RegisteredPrivileges;
use app::model::agent_key::MissingPrivilege;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Cluster privileges that include the key, by the key.
const INCLUDED_IN: [(&str, &[&str]); 4] = [
    (
        "manage_own_api_key",
        &["manage_api_key", "manage_security", "all"],
    ),
    ("manage_api_key", &["manage_security", "all"]),
    ("read_security", &["manage_security", "all"]),
    ("manage_security", &["all"]),
];

/// Privileges of a role: those of the cluster, and those of applications, merged as Elasticsearch merges them.
pub(super) struct RoleGrants {
    cluster: BTreeSet<String>,
    /// Names by application and resources.
    applications: BTreeMap<(String, BTreeSet<String>), BTreeSet<String>>,
    registered: RegisteredPrivileges,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    application: String,
    privileges: Vec<String>,
    resources: Vec<String>,
}

impl RoleGrants {
    /// Reads a descriptor. Ignores what is not as Elasticsearch writes it.
    pub(super) fn of(descriptor: &Value, registered: RegisteredPrivileges) -> Self {
        let list = |field: &str| descriptor[field].as_array().into_iter().flatten();
        let cluster = list("cluster").filter_map(Value::as_str);
        let mut applications: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for entry in list("applications") {
            if let Ok(entry) = Entry::deserialize(entry) {
                let resources = entry.resources.into_iter().collect();
                let names = applications.entry((entry.application, resources));
                names.or_default().extend(entry.privileges);
            }
        }
        Self {
            cluster: cluster.map(str::to_lowercase).collect(),
            applications,
            registered,
        }
    }

    /// Returns true if the role grants this cluster privilege.
    pub(super) fn cluster(&self, privilege: &str) -> bool {
        let mut wider = INCLUDED_IN.iter().filter(|(name, _)| *name == privilege);
        self.cluster.contains(privilege)
            || wider.any(|(_, names)| names.iter().any(|name| self.cluster.contains(*name)))
    }

    /// Returns true if the role grants this privilege or action of the application on the resource.
    pub(super) fn application(&self, application: &str, resource: &str, wanted: &str) -> bool {
        let registered = self.registered.get(application);
        let actions = |name: &str| registered.and_then(|privileges| privileges.get(name));
        let mut entries = self.entries_for(application).filter(|(resources, _)| {
            let mut held = resources.iter();
            held.any(|held| covers(held, resource))
        });
        entries.any(|(_, names)| {
            // Unregistered names are compared as a whole set.
            if names.contains("*") || (names.len() == 1 && names.contains(wanted)) {
                return true;
            }
            let granted = |action: &str| {
                names.iter().any(|name| match actions(name) {
                    Some(held) => held.iter().any(|held| covers(held, action)),
                    None => !is_privilege_name(name) && covers(name, action),
                })
            };
            match actions(wanted) {
                Some(needed) => needed.iter().all(|action| granted(action)),
                None => !is_privilege_name(wanted) && granted(wanted),
            }
        })
    }

    /// Returns the resources of entries for this application.
    pub(super) fn resources(&self, application: &str) -> Vec<String> {
        let entries = self.entries_for(application);
        entries
            .flat_map(|(resources, _)| resources.iter().cloned())
            .collect()
    }

    fn entries_for(
        &self,
        application: &str,
    ) -> impl Iterator<Item = (&BTreeSet<String>, &BTreeSet<String>)> {
        let entries = self.applications.iter();
        entries
            .filter(move |((held, _), _)| covers(held, application))
            .map(|((_, resources), names)| (resources, names))
    }
}

/// Adds the missing privileges to a descriptor. Removes nothing.
pub(super) fn add(descriptor: &mut Value, missing: &[MissingPrivilege]) {
    for missing in missing {
        match missing {
            MissingPrivilege::Cluster(name) => push(&mut descriptor["cluster"], json!(name)),
            MissingPrivilege::Application {
                application,
                privilege,
                resource,
            } => {
                let same = |entry: &&mut Value| {
                    entry["application"] == json!(application)
                        && entry["resources"] == json!([resource])
                };
                let entries = descriptor["applications"].as_array_mut();
                match entries.and_then(|entries| entries.iter_mut().find(same)) {
                    Some(entry) => push(&mut entry["privileges"], json!(privilege)),
                    None => push(
                        &mut descriptor["applications"],
                        json!({
                            "application": application,
                            "privileges": [privilege],
                            "resources": [resource],
                        }),
                    ),
                }
            }
        }
    }
}

fn push(list: &mut Value, item: Value) {
    match list.as_array_mut() {
        Some(items) => items.push(item),
        None => *list = json!([item]),
    }
}

/// Returns true if `name` names a privilege; otherwise it is an action or a pattern of actions.
fn is_privilege_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// Returns true if everything that matches `narrow` matches `wide`. In both, `*` stands for any text; in `wide`, `?` for
/// any character but a wildcard.
fn covers(wide: &str, narrow: &str) -> bool {
    if wide.starts_with('/') && wide.ends_with('/') {
        return false;
    }
    let (wide, narrow): (Vec<char>, Vec<char>) = (wide.chars().collect(), narrow.chars().collect());
    // Row by row: for each start of `narrow`, true if the start of `wide` covers it.
    let mut covered = vec![false; narrow.len() + 1];
    covered[0] = true;
    for symbol in wide {
        let before = covered.clone();
        for at in 0..=narrow.len() {
            covered[at] = match symbol {
                '*' => before[..=at].contains(&true),
                _ if at == 0 => false,
                '?' => before[at - 1] && narrow[at - 1] != '*',
                _ => before[at - 1] && narrow[at - 1] == symbol,
            };
        }
    }
    covered[narrow.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(applications: Value, registered: Value) -> RoleGrants {
        let descriptor = json!({ "cluster": ["Manage_API_Key"], "applications": applications });
        RoleGrants::of(&descriptor, serde_json::from_value(registered).unwrap())
    }

    fn of_apm(privileges: &[&str], resources: &[&str], registered: Value) -> RoleGrants {
        let entry =
            json!({ "application": "apm", "privileges": privileges, "resources": resources });
        grants(json!([entry]), registered)
    }

    #[test]
    fn wider_cluster_privilege_includes_the_narrower() {
        let role = grants(json!([]), json!({}));
        assert!(role.cluster("manage_own_api_key") && role.cluster("manage_api_key"));
        assert!(!role.cluster("manage_security") && !role.cluster("read_security"));
    }

    #[test]
    fn patterns_cover_as_in_elasticsearch() {
        for (wide, narrow, expected) in [
            ("*", "*", true),
            ("*", "space:default", true),
            ("space:*", "space:default", true),
            ("space:*", "*", false),
            ("space:default", "*", false),
            ("?", "*", false),
            ("event:w?ite", "event:write", true),
            ("event:*e", "event:write", true),
            ("event:*d", "event:write", false),
            ("a*b*c", "a*b*c", true),
            ("/.*/", "event:write", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(covers(wide, narrow), expected, "{wide} over {narrow}");
        }
    }

    #[test]
    fn action_is_granted_by_its_name_or_by_a_pattern() {
        for (privileges, resources, expected) in [
            (vec!["event:write", "config_agent:read"], vec!["*"], true),
            (vec!["event:*"], vec!["*"], true),
            (vec!["*"], vec!["a", "*"], true),
            (vec!["event:write"], vec!["-"], false),
            (vec!["config_agent:read"], vec!["*"], false),
            (vec!["all"], vec!["*"], false),
        ] {
            let role = of_apm(&privileges, &resources, json!({}));
            let granted = role.application("apm", "*", "event:write");
            assert_eq!(granted, expected, "{privileges:?} on {resources:?}");
        }
    }

    #[test]
    fn registered_privilege_grants_its_actions() {
        let registered = json!({ "apm": { "all": ["event:*"], "writer": ["event:write"] } });
        let role = of_apm(&["all"], &["*"], registered.clone());
        assert!(role.application("apm", "*", "event:write"));
        assert!(role.application("apm", "*", "writer"));
        assert!(!role.application("apm", "*", "config_agent:read"));
        let narrow = of_apm(&["writer"], &["*"], registered);
        assert!(!narrow.application("apm", "*", "all"));
    }

    #[test]
    fn unregistered_names_are_compared_as_a_set() {
        let alone = of_apm(&["reader"], &["*"], json!({}));
        assert!(alone.application("apm", "*", "reader"));
        let two = of_apm(&["reader", "other"], &["*"], json!({}));
        assert!(!two.application("apm", "*", "reader"));
        let any = grants(
            json!([{ "application": "*", "privileges": ["*"], "resources": ["*"] }]),
            json!({}),
        );
        assert!(any.application("apm", "*", "reader"));
    }

    #[test]
    fn entries_of_one_application_and_resource_are_merged() {
        let entry = |privilege: &str| json!({ "application": "apm", "privileges": [privilege], "resources": ["*"] });
        let registered =
            json!({ "apm": { "both": ["a:1", "b:1"], "one": ["a:1"], "two": ["b:1"] } });
        let role = grants(json!([entry("one"), entry("two")]), registered);
        assert!(role.application("apm", "*", "both"));
    }

    #[test]
    fn addition_removes_nothing() {
        let mut descriptor = json!({
            "cluster": ["monitor"],
            "applications": [
                { "application": "apm", "privileges": ["sourcemap:write"], "resources": ["*"] },
            ],
            "indices": [{ "names": ["logs"], "privileges": ["read"] }],
        });
        let missing = |privilege: &str, resource: &str| MissingPrivilege::Application {
            application: "apm".to_owned(),
            privilege: privilege.to_owned(),
            resource: resource.to_owned(),
        };
        add(
            &mut descriptor,
            &[
                MissingPrivilege::Cluster("manage_own_api_key".to_owned()),
                missing("event:write", "*"),
                missing("event:write", "-"),
            ],
        );
        let expected = json!({
            "cluster": ["monitor", "manage_own_api_key"],
            "applications": [
                { "application": "apm", "privileges": ["sourcemap:write", "event:write"], "resources": ["*"] },
                { "application": "apm", "privileges": ["event:write"], "resources": ["-"] },
            ],
            "indices": [{ "names": ["logs"], "privileges": ["read"] }],
        });
        assert_eq!(descriptor, expected);
        let mut empty = json!({});
        add(
            &mut empty,
            &[MissingPrivilege::Cluster("manage_own_api_key".to_owned())],
        );
        assert_eq!(empty, json!({ "cluster": ["manage_own_api_key"] }));
    }
}
