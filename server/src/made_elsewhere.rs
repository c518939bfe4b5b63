//! Cache of the keys made or changed elsewhere, as each user last found them.

use app::model::{agent_key::KeyId, session::KeyScope, timestamp::Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Most users in the cache.
const USERS_MAX: usize = 1_000;

/// The user who found the keys, and which keys they saw.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    pub(crate) realm: String,
    pub(crate) username: String,
    pub(crate) scope: KeyScope,
}

/// Keys that were found for one user.
#[derive(Clone, Debug)]
pub(crate) struct KeysMadeElsewhere {
    pub(crate) ids: Arc<[KeyId]>,
    /// Keys that were created here and have lost the mark since. The list shows them with the marked ones.
    pub(crate) changed: Arc<[KeyId]>,
    /// Expiration of each key that is not revoked.
    pub(crate) ends: Arc<[Option<Timestamp>]>,
    pub(crate) all_read: bool,
    /// False if Elasticsearch is before 8.5 and returns no role descriptors.
    pub(crate) told: bool,
    pub(crate) read_at: Timestamp,
}

#[derive(Debug, Default)]
pub struct MadeElsewhereCache(Mutex<HashMap<CacheKey, KeysMadeElsewhere>>);

impl MadeElsewhereCache {
    pub(crate) fn get(&self, key: &CacheKey) -> Option<KeysMadeElsewhere> {
        self.with(|known| known.get(key).cloned())
    }

    pub(crate) fn insert(&self, key: CacheKey, found: KeysMadeElsewhere) {
        self.with(|known| {
            if known.len() >= USERS_MAX {
                known.clear();
            }
            known.insert(key, found);
        });
    }

    /// Removes everything, because a key has changed.
    pub(crate) fn clear(&self) {
        self.with(HashMap::clear);
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashMap<CacheKey, KeysMadeElsewhere>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
