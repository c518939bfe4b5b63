//! Writes API keys: inserts, updates, invalidates, and deletes them after their retention.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

use super::{Store, api_keys::Key, metadata_values::MetadataValues};
use crate::{date::DAY_MS, error::ApiError, identity::Realm};

/// Retention of invalidated and expired keys: seven days, in milliseconds.
pub(crate) const RETENTION_MS: i64 = 7 * DAY_MS;
/// Keys deleted in one transaction, so that other writes can run in between.
const BATCH: i64 = 1_000;

pub(crate) struct NewKey {
    pub(crate) id: String,
    /// 16 bytes of salt, then SHA-256 over the salt and the secret.
    pub(crate) secret_hash: Vec<u8>,
    pub(crate) name: String,
    /// In milliseconds since 1970, like `expiration`.
    pub(crate) creation: i64,
    pub(crate) expiration: Option<i64>,
    pub(crate) metadata: Map<String, Value>,
    /// Role descriptors by name, normalised.
    pub(crate) role_descriptors: Value,
    /// The owner's current roles by name.
    pub(crate) limited_by: Value,
    pub(crate) owner: Owner,
}

/// The owner of a key, as of its creation or last update.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Owner {
    pub(crate) username: String,
    pub(crate) realm: Realm,
    pub(crate) full_name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) metadata: Map<String, Value>,
}

impl Owner {
    pub(crate) fn details(&self) -> Value {
        json!({ "full_name": self.full_name, "email": self.email, "metadata": self.metadata })
    }
}

impl Store {
    /// Stores a new key, durably.
    pub(crate) async fn insert_key(&self, key: &NewKey) -> Result<(), ApiError> {
        let values = MetadataValues::of(&key.metadata);
        let mut write = self.write().await?;
        let creator = intern(&mut write, &key.owner.details()).await?;
        let role_descriptors = intern(&mut write, &key.role_descriptors).await?;
        let limited_by = intern(&mut write, &key.limited_by).await?;
        let number = sqlx::query(
            "INSERT INTO api_keys (id, secret_hash, name, type, creation, expiration, invalidated,
                 username, realm_name, realm_type, metadata, application, system, irregular,
                 creator, role_descriptors, limited_by)
             VALUES (?, ?, ?, 'rest', ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&key.id)
        .bind(&key.secret_hash)
        .bind(&key.name)
        .bind(key.creation)
        .bind(key.expiration)
        .bind(&key.owner.username)
        .bind(&key.owner.realm.name)
        .bind(&key.owner.realm.kind)
        .bind(serde_json::to_string(&key.metadata)?)
        .bind(&values.application)
        .bind(&values.system)
        .bind(values.multi_valued)
        .bind(creator)
        .bind(role_descriptors)
        .bind(limited_by)
        .execute(&mut *write)
        .await?
        .last_insert_rowid();
        values.store(&mut write, number).await?;
        write.commit().await?;
        Ok(())
    }
}

/// Returns the number of the stored document that equals `document`. Stores it if there is none.
async fn intern(connection: &mut SqliteConnection, document: &Value) -> Result<i64, ApiError> {
    let body = document.to_string();
    let digest = Sha256::digest(body.as_bytes()).to_vec();
    let known: Option<i64> = sqlx::query_scalar("SELECT number FROM documents WHERE digest = ?")
        .bind(&digest)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(number) = known {
        return Ok(number);
    }
    Ok(
        sqlx::query("INSERT INTO documents (digest, body) VALUES (?, ?)")
            .bind(&digest)
            .bind(body)
            .execute(connection)
            .await?
            .last_insert_rowid(),
    )
}

/// Changes to a key. Every update refreshes owner and snapshot.
pub(crate) struct KeyChange<'a> {
    /// `None` keeps the current value, here and below.
    pub(crate) role_descriptors: Option<Value>,
    pub(crate) metadata: Option<&'a Map<String, Value>>,
    pub(crate) expiration: Option<i64>,
    pub(crate) limited_by: Value,
    pub(crate) owner: Owner,
}

impl KeyChange<'_> {
    /// Returns true if the change makes a difference. An expiration always does.
    fn changes(&self, key: &Key) -> bool {
        self.expiration.is_some()
            || self
                .role_descriptors
                .as_ref()
                .is_some_and(|new| *new != key.role_descriptors.json)
            || self.metadata.is_some_and(|new| *new != key.metadata)
            || self.limited_by != key.limited_by.json
            || self.owner.details() != *key.creator()
    }
}

impl Store {
    /// Updates a key. Returns true if it changed.
    pub(crate) async fn update_key(
        &self,
        key: &Key,
        change: &KeyChange<'_>,
    ) -> Result<bool, ApiError> {
        if !change.changes(key) {
            return Ok(false);
        }
        let metadata = change.metadata.unwrap_or(&key.metadata);
        let values = MetadataValues::of(metadata);
        let mut write = self.write().await?;
        let creator = intern(&mut write, &change.owner.details()).await?;
        let limited_by = intern(&mut write, &change.limited_by).await?;
        let descriptors = change
            .role_descriptors
            .as_ref()
            .unwrap_or(&key.role_descriptors.json);
        let role_descriptors = intern(&mut write, descriptors).await?;
        // A key that was invalidated in the meantime is not updated.
        let updated = sqlx::query(
            "UPDATE api_keys SET expiration = ?, metadata = ?, application = ?, system = ?,
                 irregular = ?, creator = ?, role_descriptors = ?, limited_by = ?
             WHERE number = ? AND invalidated = 0",
        )
        .bind(change.expiration.or(key.expiration))
        .bind(serde_json::to_string(metadata)?)
        .bind(&values.application)
        .bind(&values.system)
        .bind(values.multi_valued)
        .bind(creator)
        .bind(role_descriptors)
        .bind(limited_by)
        .bind(key.number)
        .execute(&mut *write)
        .await?
        .rows_affected();
        if updated > 0 {
            sqlx::query("DELETE FROM api_key_leaves WHERE api_key = ?")
                .bind(key.number)
                .execute(&mut *write)
                .await?;
            values.store(&mut write, key.number).await?;
        }
        write.commit().await?;
        self.keys.invalidate([key.id.as_str()].into_iter());
        if updated == 0 {
            return Err(ApiError::illegal(format!(
                "cannot update invalidated API key [{}]",
                key.id
            )));
        }
        Ok(true)
    }

    /// Invalidates keys. Returns the ids that this call invalidated, and the ids that were
    /// invalidated in the meantime.
    pub(crate) async fn invalidate_keys(
        &self,
        keys: &[Key],
        now_ms: i64,
    ) -> Result<(Vec<String>, Vec<String>), ApiError> {
        let mut invalidated = Vec::new();
        let mut previously = Vec::new();
        let mut write = self.write().await?;
        for key in keys {
            let changed = sqlx::query(
                "UPDATE api_keys SET invalidated = 1, invalidation = ?
                 WHERE number = ? AND invalidated = 0",
            )
            .bind(now_ms)
            .bind(key.number)
            .execute(&mut *write)
            .await?
            .rows_affected();
            if changed > 0 {
                invalidated.push(key.id.clone());
            } else {
                previously.push(key.id.clone());
            }
        }
        write.commit().await?;
        self.keys.invalidate(invalidated.iter().map(String::as_str));
        Ok((invalidated, previously))
    }
}

impl Store {
    /// Deletes keys past their retention. Returns their number.
    pub(crate) async fn sweep_keys(&self, now_ms: i64) -> Result<u64, ApiError> {
        let before = now_ms - RETENTION_MS;
        let mut deleted = 0;
        loop {
            let mut write = self.write().await?;
            let ids: Vec<String> = sqlx::query_scalar(
                "DELETE FROM api_keys WHERE number IN (
                     SELECT number FROM (
                         SELECT number FROM api_keys WHERE invalidated = 1 AND invalidation < ?1
                         UNION SELECT number FROM api_keys WHERE expiration < ?1
                     ) LIMIT ?2
                 ) RETURNING id",
            )
            .bind(before)
            .bind(BATCH)
            .fetch_all(&mut *write)
            .await?;
            write.commit().await?;
            self.keys.invalidate(ids.iter().map(String::as_str));
            deleted += u64::try_from(ids.len()).unwrap_or(u64::MAX);
            if ids.is_empty() {
                return Ok(deleted);
            }
        }
    }
}
