//! Application privileges of several roles, merged as Elasticsearch merges them.

use std::collections::{BTreeMap, BTreeSet};

use super::{built_in::SUPERUSER, descriptor::RoleDescriptor};
use crate::{
    pattern::{any_covers, covers, matches},
    privileges::application::{Registered, is_privilege_name},
};

/// The merged application privileges of some roles.
pub(crate) struct ApplicationPermission<'a> {
    registered: &'a Registered,
    entries: Vec<Entry<'a>>,
}

/// Privileges on a set of resources.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry<'a> {
    /// A name, or a pattern with a trailing star.
    pub(crate) application: &'a str,
    /// Names of privileges, and patterns of actions.
    pub(crate) privileges: BTreeSet<&'a str>,
    pub(crate) resources: BTreeSet<&'a str>,
}

impl<'a> ApplicationPermission<'a> {
    /// The permission from the roles of a user.
    pub(crate) fn of_roles(roles: &'a [RoleDescriptor], registered: &'a Registered) -> Self {
        let entries = merge(roles);
        // Elasticsearch resolves the superuser without looking at registered privileges.
        if roles.iter().any(|role| role.name == SUPERUSER) {
            return Self {
                registered,
                entries,
            };
        }
        Self::expanded(entries, registered)
    }

    /// The permission from the descriptors of an API key, which may have any name.
    pub(crate) fn of_descriptors(roles: &'a [RoleDescriptor], registered: &'a Registered) -> Self {
        Self::expanded(merge(roles), registered)
    }

    /// Replaces a wildcard application by the applications that it matches and that registered a
    /// privilege named in any entry. Without such an application the wildcard stays.
    fn expanded(entries: Vec<Entry<'a>>, registered: &'a Registered) -> Self {
        let named: BTreeSet<&str> = entries
            .iter()
            .flat_map(|entry| entry.privileges.iter().copied())
            .collect();
        let known: Vec<&str> = registered
            .iter()
            .filter(|(_, privileges)| privileges.keys().any(|name| named.contains(name.as_str())))
            .map(|(application, _)| application.as_str())
            .collect();
        let expanded = entries.into_iter().flat_map(|entry| {
            let matched: Vec<&str> = if entry.application.contains('*') {
                let matched = |name: &&str| matches(entry.application, name);
                known.iter().copied().filter(matched).collect()
            } else {
                Vec::new()
            };
            if matched.is_empty() {
                return vec![entry];
            }
            let of_application = |application| Entry {
                application,
                ..entry.clone()
            };
            matched.into_iter().map(of_application).collect()
        });
        Self {
            registered,
            entries: expanded.collect(),
        }
    }

    /// The entries in responses: those with the same privileges have all their resources.
    pub(crate) fn entries(&self) -> Vec<Entry<'a>> {
        let mut united: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
        for entry in &self.entries {
            united
                .entry((entry.application, entry.privileges.clone()))
                .or_default()
                .extend(&entry.resources);
        }
        united
            .into_iter()
            .map(|((application, privileges), resources)| Entry {
                application,
                privileges,
                resources,
            })
            .collect()
    }

    /// Returns true if an entry allows the privilege or action on the resource.
    pub(crate) fn allows(&self, application: &str, resource: &str, requested: &str) -> bool {
        self.entries.iter().any(|entry| {
            covers(entry.application, application)
                && any_covers(entry.resources.iter().copied(), resource)
                && self.entry_allows(entry, application, requested)
        })
    }

    fn entry_allows(&self, entry: &Entry<'_>, application: &str, requested: &str) -> bool {
        let is_all = |held: &&str| !held.is_empty() && held.bytes().all(|byte| byte == b'*');
        if entry.privileges.iter().any(is_all) {
            return true;
        }
        let registered = |application: &str, name: &str| {
            let privileges = self.registered.get(application)?;
            Some(&privileges.get(name)?.actions)
        };
        let allowed = |action: &str| {
            entry.privileges.iter().any(|held| {
                if is_privilege_name(held) {
                    registered(entry.application, held)
                        .is_some_and(|own| any_covers(own.iter().map(String::as_str), action))
                } else {
                    covers(held, action)
                }
            })
        };
        if !is_privilege_name(requested) {
            return allowed(requested);
        }
        match registered(application, requested) {
            Some(actions) => actions.iter().all(|action| allowed(action)),
            // A name without actions equals only itself, alone, of the same application.
            None => {
                entry.application == application
                    && entry.privileges.len() == 1
                    && entry.privileges.contains(requested)
            }
        }
    }
}

/// Unites the privileges of entries with the same application and the same set of resources.
fn merge(roles: &[RoleDescriptor]) -> Vec<Entry<'_>> {
    let mut merged: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for entry in roles.iter().flat_map(|role| &role.applications) {
        let resources: BTreeSet<&str> = entry.resources.iter().map(String::as_str).collect();
        merged
            .entry((entry.application.as_str(), resources))
            .or_default()
            .extend(entry.privileges.iter().map(String::as_str));
    }
    merged
        .into_iter()
        .map(|((application, resources), privileges)| Entry {
            application,
            privileges,
            resources,
        })
        .collect()
}
