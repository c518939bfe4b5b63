//! Permissions that follow from roles.

use std::sync::Arc;

use super::{application_permission::ApplicationPermission, descriptor::RoleDescriptor};
use crate::{
    pattern::{covers, matches},
    privileges::{application::Registered, cluster, index},
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
