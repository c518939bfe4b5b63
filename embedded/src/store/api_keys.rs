//! Stored API keys: reads, inserts, updates and invalidates them, and deletes them after their retention.

use crate::{
    date::DAY_MS,
    error::ApiError,
    identity::{CredentialKind, Realm, Subject},
    roles::permission::Permission,
    store::{
        Sql, Store,
        key_cache::{CachedKey, Document},
        metadata_values::MetadataValues,
    },
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use std::sync::Arc;

/// Metadata and role descriptors of the keys of one response.
const CONTENT_BYTES_MAX: usize = 128 * 1_024 * 1_024;

pub(crate) struct Key {
    pub(crate) number: i64,
    pub(crate) id: String,
    secret_hash: Vec<u8>,
    pub(crate) name: String,
    pub(crate) kind: String,
    /// In milliseconds since 1970, like the two below.
    pub(crate) creation: i64,
    pub(crate) expiration: Option<i64>,
    pub(crate) invalidation: Option<i64>,
    pub(crate) username: String,
    pub(crate) realm: Realm,
    pub(crate) metadata: Map<String, Value>,
    /// Role descriptors by name.
    pub(crate) role_descriptors: Arc<Document>,
    /// Roles of the owner as of the creation or last update, by name.
    pub(crate) limited_by: Arc<Document>,
    creator: Arc<Document>,
}

impl Key {
    /// The key in responses.
    pub(crate) fn to_json(&self, with_limited_by: bool) -> Map<String, Value> {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| {
            json.insert(name.to_owned(), value);
        };
        put("id", self.id.clone().into());
        put("name", self.name.clone().into());
        put("type", self.kind.clone().into());
        put("creation", self.creation.into());
        if let Some(expiration) = self.expiration {
            put("expiration", expiration.into());
        }
        put("invalidated", self.invalidation.is_some().into());
        if let Some(invalidation) = self.invalidation {
            put("invalidation", invalidation.into());
        }
        put("username", self.username.clone().into());
        put("realm", self.realm.name.clone().into());
        put("realm_type", self.realm.kind.clone().into());
        put("metadata", Value::Object(self.metadata.clone()));
        put("role_descriptors", self.role_descriptors.json.clone());
        if with_limited_by {
            put(
                "limited_by",
                Value::Array(vec![self.limited_by.json.clone()]),
            );
        }
        json
    }

    /// Returns true if the key is valid at `now_ms`.
    pub(crate) fn is_active(&self, now_ms: i64) -> bool {
        self.invalidation.is_none() && self.expiration.is_none_or(|end| end > now_ms)
    }

    /// The smallest metadata value at `path`, compared as text.
    pub(crate) fn smallest_metadata_value(&self, path: &str) -> Option<String> {
        MetadataValues::at(&self.metadata, path).into_iter().min()
    }

    pub(super) fn creator(&self) -> &Value {
        &self.creator.json
    }

    fn cached(self) -> Result<CachedKey, ApiError> {
        let text = |field: &str| {
            self.creator
                .json
                .get(field)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let permission =
            Permission::of_key(self.role_descriptors.roles()?, self.limited_by.roles()?);
        let subject = Subject {
            username: self.username.clone(),
            realm: Realm::api_key(),
            roles: Vec::new(),
            missing_roles: Vec::new(),
            full_name: text("full_name"),
            email: text("email"),
            metadata: self
                .creator
                .json
                .get("metadata")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
            credential: CredentialKind::ApiKey {
                id: self.id,
                name: self.name,
            },
            permission,
        };
        Ok(CachedKey {
            secret_hash: self.secret_hash,
            expiration: self.expiration,
            invalidated: self.invalidation.is_some(),
            kind: self.kind,
            subject: Arc::new(subject),
        })
    }
}

impl Store {
    /// Returns the key for authentication, from the cache if it is there.
    pub(crate) async fn key_for_authentication(
        &self,
        id: &str,
    ) -> Result<Option<Arc<CachedKey>>, ApiError> {
        match self.keys.key(id) {
            Some(key) => Ok(Some(key)),
            // Boxed, because nearly every request hits the cache and should not carry this future.
            None => Box::pin(self.load_key(id)).await,
        }
    }

    async fn load_key(&self, id: &str) -> Result<Option<Arc<CachedKey>>, ApiError> {
        let epoch = self.keys.epoch();
        let mut filter = Sql::new("id = ");
        filter.text(id);
        let mut connection = self.reader().acquire().await?;
        let mut found = self
            .find_keys_with(&mut connection, &filter, &Sql::default(), 1, 0)
            .await?;
        let Some(key) = found.pop() else {
            return Ok(None);
        };
        let key = Arc::new(key.cached()?);
        self.keys.insert(epoch, id.to_owned(), key.clone());
        Ok(Some(key))
    }

    /// Returns the keys that `filter` selects, in the order of `order` (the terms of an `ORDER
    /// BY`, or empty), at most `limit`. A negative limit means all.
    pub(crate) async fn find_keys(
        &self,
        filter: &Sql,
        order: &Sql,
        limit: i64,
    ) -> Result<Vec<Key>, ApiError> {
        let mut connection = self.searcher().await?;
        self.find_keys_with(&mut connection, filter, order, limit, 0)
            .await
    }

    /// As [`Self::find_keys`], from `offset` on and over one connection, so that several reads see
    /// one state.
    pub(crate) async fn find_keys_with(
        &self,
        connection: &mut SqliteConnection,
        filter: &Sql,
        order: &Sql,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Key>, ApiError> {
        let mut select = Sql::new("SELECT * FROM api_keys WHERE ");
        select.append(filter);
        if *order != Sql::default() {
            select.push(" ORDER BY ").append(order);
        }
        select
            .push(" LIMIT ")
            .integer(limit)
            .push(" OFFSET ")
            .integer(offset);
        let rows = select.query().fetch_all(&mut *connection).await?;
        let mut keys = Vec::with_capacity(rows.len());
        let mut bytes = 0;
        for row in rows {
            let key = self.key_of(connection, &row).await?;
            let metadata: &str = row.try_get("metadata")?;
            bytes += metadata.len() + key.role_descriptors.bytes;
            if bytes > CONTENT_BYTES_MAX {
                return Err(ApiError::DataTooLarge);
            }
            keys.push(key);
        }
        Ok(keys)
    }

    async fn key_of(
        &self,
        connection: &mut SqliteConnection,
        row: &SqliteRow,
    ) -> Result<Key, ApiError> {
        let invalidated: bool = row.try_get("invalidated")?;
        let invalidation: Option<i64> = row.try_get("invalidation")?;
        Ok(Key {
            number: row.try_get("number")?,
            id: row.try_get("id")?,
            secret_hash: row.try_get("secret_hash")?,
            name: row.try_get("name")?,
            kind: row.try_get("type")?,
            creation: row.try_get("creation")?,
            expiration: row.try_get("expiration")?,
            invalidation: invalidated.then_some(invalidation.unwrap_or(0)),
            username: row.try_get("username")?,
            realm: Realm {
                name: row.try_get("realm_name")?,
                kind: row.try_get("realm_type")?,
            },
            metadata: serde_json::from_str(row.try_get("metadata")?)?,
            role_descriptors: self
                .document(connection, row.try_get("role_descriptors")?)
                .await?,
            limited_by: self
                .document(connection, row.try_get("limited_by")?)
                .await?,
            creator: self.document(connection, row.try_get("creator")?).await?,
        })
    }

    async fn document(
        &self,
        connection: &mut SqliteConnection,
        number: i64,
    ) -> Result<Arc<Document>, ApiError> {
        if let Some(document) = self.keys.document(number) {
            return Ok(document);
        }
        let body: String = sqlx::query_scalar("SELECT body FROM documents WHERE number = ?")
            .bind(number)
            .fetch_one(connection)
            .await?;
        let document = Arc::new(Document::new(serde_json::from_str(&body)?, body.len()));
        self.keys.insert_document(number, document.clone());
        Ok(document)
    }
}

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
