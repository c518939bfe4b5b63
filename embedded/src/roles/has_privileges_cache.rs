//! Cache of results of `_has_privileges`.
//!
//! APM Server sends the same check for every key of every agent, and most keys have the same
//! roles. A result depends on the check, the roles and the registered privileges alone. Roles and
//! privileges are immutable: a change replaces the object. So an entry holds all three, and is
//! found only by the same objects. The key itself is authenticated for every request, before the
//! lookup.

use std::{
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{Arc, PoisonError, RwLock},
};

use super::permission::Permission;
use crate::{cache::GenerationCache, privileges::application::Registered};

/// Entries per generation of the cache.
const ENTRIES_MAX: usize = 128;
/// Longer checks and results are not cached.
const BYTES_MAX: usize = 8 * 1024;

pub(crate) struct HasPrivilegesCache {
    hashing: RandomState,
    entries: RwLock<GenerationCache<u64, Entry>>,
}

/// A result and what it depends on. The entry owns the roles and privileges, so that no other
/// object can take their addresses.
struct Entry {
    body: Box<[u8]>,
    permission: Permission,
    registered: Arc<Registered>,
    result: Arc<[u8]>,
}

/// Everything that a result depends on.
#[derive(Clone, Copy)]
pub(crate) struct CacheKey<'a> {
    /// The body of the request, byte for byte.
    pub(crate) body: &'a [u8],
    pub(crate) permission: &'a Permission,
    pub(crate) registered: &'a Arc<Registered>,
}

impl Default for HasPrivilegesCache {
    fn default() -> Self {
        Self {
            hashing: RandomState::default(),
            entries: RwLock::new(GenerationCache::new(ENTRIES_MAX)),
        }
    }
}

impl HasPrivilegesCache {
    pub(crate) fn get(&self, key: CacheKey<'_>) -> Option<Arc<[u8]>> {
        let hash = self.hash(key);
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(&hash)?;
        entry.has(key).then(|| entry.result.clone())
    }

    pub(crate) fn insert(&self, key: CacheKey<'_>, result: &[u8]) {
        if key.body.len() > BYTES_MAX || result.len() > BYTES_MAX {
            return;
        }
        let hash = self.hash(key);
        let entry = Entry {
            body: key.body.into(),
            permission: key.permission.clone(),
            registered: key.registered.clone(),
            result: result.into(),
        };
        self.entries
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(hash, entry);
    }

    fn hash(&self, key: CacheKey<'_>) -> u64 {
        let mut hasher = self.hashing.build_hasher();
        key.permission.address().hash(&mut hasher);
        Arc::as_ptr(key.registered).hash(&mut hasher);
        hasher.write(key.body);
        hasher.finish()
    }
}

impl Entry {
    fn has(&self, key: CacheKey<'_>) -> bool {
        self.permission.address() == key.permission.address()
            && Arc::ptr_eq(&self.registered, key.registered)
            && *self.body == *key.body
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{BYTES_MAX, CacheKey, HasPrivilegesCache, Registered};
    use crate::roles::{descriptor::RoleDescriptor, permission::Permission};

    fn permission() -> Permission {
        Permission::of_user(Arc::new(vec![RoleDescriptor::default()]))
    }

    #[test]
    fn result_is_found_only_by_the_same_body_roles_and_privileges() {
        let cache = HasPrivilegesCache::default();
        let (permission, other_permission) = (permission(), permission());
        let (registered, other_registered) = (Arc::default(), Arc::default());
        let key = CacheKey {
            body: b"check",
            permission: &permission,
            registered: &registered,
        };
        assert_eq!(cache.get(key), None);
        cache.insert(key, b"yes");
        assert_eq!(cache.get(key).as_deref(), Some(&b"yes"[..]));
        // The others are equal by value, but not the same objects.
        let changes = [
            CacheKey {
                body: b"check ",
                ..key
            },
            CacheKey {
                permission: &other_permission,
                ..key
            },
            CacheKey {
                registered: &other_registered,
                ..key
            },
        ];
        for changed in changes {
            assert_eq!(cache.get(changed), None);
        }
    }

    #[test]
    fn long_checks_and_results_are_not_cached() {
        let cache = HasPrivilegesCache::default();
        let (permission, registered) = (permission(), Arc::<Registered>::default());
        let long = vec![b' '; BYTES_MAX + 1];
        for (body, result) in [(&long[..], &b"yes"[..]), (b"check", &long)] {
            let key = CacheKey {
                body,
                permission: &permission,
                registered: &registered,
            };
            cache.insert(key, result);
            assert_eq!(cache.get(key), None);
        }
    }
}
