//! The keys that were used lately, and the documents that keys share.
//!
//! Only what is stored is kept here, never the outcome of a check: every secret is hashed
//! and compared every time, and a changed key is forgotten before the change is answered.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use serde_json::Value;

use crate::{
    authentication::Subject,
    error::ApiError,
    privilege::permission::Roles,
    role_descriptor::{Place, RoleDescriptor},
};

/// Keys kept per generation; twice as many at most.
const KEYS_MAX: usize = 16_384;
/// Documents kept per generation; twice as many at most.
const DOCUMENTS_MAX: usize = 512;

/// A key as authentication needs it.
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

/// A JSON text that many keys share. It never changes once it is stored.
pub(crate) struct Document {
    pub(crate) json: Value,
    roles: OnceLock<Roles>,
}

impl Document {
    pub(crate) fn new(json: Value) -> Self {
        Self {
            json,
            roles: OnceLock::new(),
        }
    }

    /// The document read as roles by name.
    pub(crate) fn roles(&self) -> Result<Roles, ApiError> {
        if let Some(roles) = self.roles.get() {
            return Ok(roles.clone());
        }
        let mut roles = Vec::new();
        for (name, descriptor) in self.json.as_object().into_iter().flatten() {
            roles.push(RoleDescriptor::parse(
                name,
                descriptor.clone(),
                Place::ApiKey,
            )?);
        }
        Ok(self.roles.get_or_init(|| Arc::new(roles)).clone())
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct KeyCache {
    keys: RwLock<Generations<String, Arc<CachedKey>>>,
    documents: RwLock<Generations<i64, Arc<Document>>>,
}

/// A moment before a read. What was read after a change, but started before it, is not kept.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Epoch(u64);

impl KeyCache {
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(
            self.keys
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .changes,
        )
    }

    pub(crate) fn key(&self, id: &str) -> Option<Arc<CachedKey>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.young.get(id).or_else(|| keys.old.get(id)).cloned()
    }

    /// Keeps a key that was read since `epoch`, unless any key changed in between.
    pub(crate) fn keep(&self, epoch: Epoch, id: String, key: Arc<CachedKey>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.changes == epoch.0 {
            keys.insert(id, key, KEYS_MAX);
        }
    }

    /// Forgets keys that were changed. Called after the commit and before the answer.
    pub(crate) fn forget<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.changes += 1;
        for id in ids {
            keys.young.remove(id);
            keys.old.remove(id);
        }
    }

    pub(crate) fn document(&self, number: i64) -> Option<Arc<Document>> {
        let documents = self
            .documents
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        documents
            .young
            .get(&number)
            .or_else(|| documents.old.get(&number))
            .cloned()
    }

    pub(crate) fn keep_document(&self, number: i64, document: Arc<Document>) {
        self.documents
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, document, DOCUMENTS_MAX);
    }
}

/// Two maps: when the young one is full it becomes the old one, and the old one is dropped.
struct Generations<K, V> {
    changes: u64,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Generations<K, V> {
    fn default() -> Self {
        Self {
            changes: 0,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn insert(&mut self, key: K, value: V, most: usize) {
        if self.young.len() >= most {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}
