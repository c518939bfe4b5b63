//! Permissions that follow from several roles, merged as Elasticsearch merges them.

use crate::{
    pattern::{any_covers, covers, matches},
    privileges::{
        application::{Registered, is_privilege_name},
        cluster, index,
    },
    roles::{built_in::SUPERUSER, descriptor::RoleDescriptor},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The resolved roles of a caller.
pub(crate) type Roles = Arc<Vec<RoleDescriptor>>;

/// The permission of a caller.
///
/// A user has one set of roles. An API key has its own roles and a snapshot of its owner's; both
/// must allow an action.
#[derive(Clone, Debug)]
pub(crate) struct Permission {
    /// `None` for users, and for keys without roles of their own.
    assigned: Option<Roles>,
    limited_by: Roles,
}

impl Permission {
    pub(crate) fn of_user(roles: Roles) -> Self {
        Self {
            assigned: None,
            limited_by: roles,
        }
    }

    /// The permission of a key. Without descriptors the key has the permission of its owner.
    pub(crate) fn of_key(descriptors: Roles, limited_by: Roles) -> Self {
        Self {
            assigned: (!descriptors.is_empty()).then_some(descriptors),
            limited_by,
        }
    }

    /// Length of all names and patterns, which bounds the work of a check.
    pub(crate) fn characters(&self) -> usize {
        let roles = self.assigned.iter().chain([&self.limited_by]);
        let texts = roles
            .flat_map(|roles| roles.iter())
            .flat_map(RoleDescriptor::texts);
        texts.map(str::len).sum()
    }

    /// Returns true for a key with roles of its own.
    pub(crate) fn has_assigned(&self) -> bool {
        self.assigned.is_some()
    }

    /// The roles that limit keys created by this caller.
    pub(crate) fn roles(&self) -> &Roles {
        self.assigned.as_ref().unwrap_or(&self.limited_by)
    }

    /// Addresses of the roles. Equal addresses mean the same objects.
    pub(crate) fn address(
        &self,
    ) -> (
        Option<*const Vec<RoleDescriptor>>,
        *const Vec<RoleDescriptor>,
    ) {
        (
            self.assigned.as_ref().map(Arc::as_ptr),
            Arc::as_ptr(&self.limited_by),
        )
    }

    fn both(&self, allowed: impl Fn(&[RoleDescriptor]) -> bool) -> bool {
        self.assigned.as_ref().is_none_or(|roles| allowed(roles)) && allowed(&self.limited_by)
    }

    /// Returns true if the cluster action is allowed.
    pub(crate) fn allows_action(&self, action: &str) -> bool {
        self.both(|roles| cluster::grants_action(cluster_names(roles), action))
    }

    /// Returns true if a cluster privilege other than `without` allows the action.
    pub(crate) fn allows_action_without(&self, action: &str, without: &str) -> bool {
        self.both(|roles| {
            cluster::grants_action(
                cluster_names(roles).filter(|name| !name.eq_ignore_ascii_case(without)),
                action,
            )
        })
    }

    /// Returns true if the caller has the cluster privilege or action pattern.
    pub(crate) fn has_cluster_privilege(&self, requested: &str) -> bool {
        self.both(|roles| cluster::grants_privilege(cluster_names(roles), requested))
    }

    /// Returns true if the caller has the privilege on every index that matches `name`.
    pub(crate) fn has_index_privilege(
        &self,
        name: &str,
        requested: &str,
        restricted_too: bool,
    ) -> bool {
        self.both(|roles| {
            let entries = roles
                .iter()
                .flat_map(|role| &role.indices)
                .filter(|entry| entry.names.iter().any(|held| covers(held, name)))
                .filter(|entry| {
                    entry.allow_restricted_indices
                        || !(index::is_restricted(name)
                            || (restricted_too && name.contains(['*', '?'])))
                });
            let privileges: Vec<&str> = entries
                .flat_map(|entry| entry.privileges.iter().map(String::as_str))
                .collect();
            index::grants(privileges.into_iter(), requested)
        })
    }

    /// The application privileges of the caller. All of them must allow a privilege.
    pub(crate) fn applications<'a>(
        &'a self,
        registered: &'a Registered,
    ) -> Vec<ApplicationPermission<'a>> {
        let assigned = self.assigned.iter();
        assigned
            .map(|roles| ApplicationPermission::of_descriptors(roles, registered))
            .chain([ApplicationPermission::of_roles(
                &self.limited_by,
                registered,
            )])
            .collect()
    }

    /// Returns true if the caller may run as `username`.
    pub(crate) fn may_run_as(&self, username: &str) -> bool {
        self.both(|roles| {
            roles
                .iter()
                .flat_map(|role| &role.run_as)
                .any(|pattern| matches(pattern, username))
        })
    }

    /// Returns true if `global.application.manage` covers the application.
    pub(crate) fn manages_application(&self, application: &str) -> bool {
        self.both(|roles| {
            roles.iter().any(|role| {
                role.managed_applications()
                    .any(|pattern| covers(pattern, application))
            })
        })
    }
}

fn cluster_names(roles: &[RoleDescriptor]) -> impl Iterator<Item = &str> {
    roles
        .iter()
        .flat_map(|role| role.cluster.iter().map(String::as_str))
}

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
