//! Stored API keys, and how they are read.

use std::sync::Arc;

use serde_json::{Map, Value};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{
    Store,
    key_cache::{CachedKey, Document},
    metadata_values::MetadataValues,
    sql::Sql,
};
use crate::{
    error::ApiError,
    identity::{CredentialKind, Realm, Subject},
    roles::permission::Permission,
};

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
