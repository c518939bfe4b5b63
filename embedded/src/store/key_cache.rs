//! Cache of recently used keys and of the documents that keys share.
//!
//! Only stored data is cached, never the result of a check: every request hashes and compares its
//! secret. A changed key is dropped before the response to the change.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use serde_json::Value;

use crate::{
    cache::GenerationCache,
    error::ApiError,
    identity::Subject,
    roles::{
        descriptor::{DescriptorKind, RoleDescriptor},
        permission::Roles,
    },
};

/// Keys per generation of the cache.
const KEYS_MAX: usize = 16_384;
/// Documents per generation of the cache.
const DOCUMENTS_MAX: usize = 512;

/// The fields of a key that authentication needs.
pub(crate) struct CachedKey {
    /// 16 bytes of salt, then SHA-256 over the salt and the secret.
    pub(crate) secret_hash: Vec<u8>,
    /// In milliseconds since 1970.
    pub(crate) expiration: Option<i64>,
    pub(crate) invalidated: bool,
    /// `rest` or `cross_cluster`.
    pub(crate) kind: String,
    pub(crate) subject: Arc<Subject>,
}

/// A JSON document that many keys share. It is immutable.
pub(crate) struct Document {
    pub(crate) json: Value,
    /// Length of its text.
    pub(crate) bytes: usize,
    roles: OnceLock<Roles>,
}

impl Document {
    pub(crate) fn new(json: Value, bytes: usize) -> Self {
        Self {
            json,
            bytes,
            roles: OnceLock::new(),
        }
    }

    /// The document parsed as roles by name.
    pub(crate) fn roles(&self) -> Result<Roles, ApiError> {
        if let Some(roles) = self.roles.get() {
            return Ok(roles.clone());
        }
        let mut roles = Vec::new();
        for (name, descriptor) in self.json.as_object().into_iter().flatten() {
            roles.push(RoleDescriptor::parse(
                name,
                descriptor.clone(),
                DescriptorKind::ApiKey,
            )?);
        }
        Ok(self.roles.get_or_init(|| Arc::new(roles)).clone())
    }
}

pub(crate) struct KeyCache {
    keys: RwLock<Keys>,
    documents: RwLock<GenerationCache<i64, Arc<Document>>>,
}

struct Keys {
    /// Number of changes so far.
    changes: u64,
    cache: GenerationCache<String, Arc<CachedKey>>,
}

/// The number of changes before a read. A key that was read before a change is not cached after
/// it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Epoch(u64);

impl Default for KeyCache {
    fn default() -> Self {
        Self {
            keys: RwLock::new(Keys {
                changes: 0,
                cache: GenerationCache::new(KEYS_MAX),
            }),
            documents: RwLock::new(GenerationCache::new(DOCUMENTS_MAX)),
        }
    }
}

impl KeyCache {
    pub(crate) fn epoch(&self) -> Epoch {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        Epoch(keys.changes)
    }

    pub(crate) fn key(&self, id: &str) -> Option<Arc<CachedKey>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.cache.get(id).cloned()
    }

    /// Caches a key that was read since `epoch`, unless any key changed in between.
    pub(crate) fn insert(&self, epoch: Epoch, id: String, key: Arc<CachedKey>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.changes == epoch.0 {
            keys.cache.insert(id, key);
        }
    }

    /// Drops changed keys. Called after the commit and before the response.
    pub(crate) fn invalidate<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.changes += 1;
        for id in ids {
            keys.cache.remove(id);
        }
    }

    pub(crate) fn document(&self, number: i64) -> Option<Arc<Document>> {
        let documents = self
            .documents
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        documents.get(&number).cloned()
    }

    pub(crate) fn insert_document(&self, number: i64, document: Arc<Document>) {
        self.documents
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, document);
    }
}
