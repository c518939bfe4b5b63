//! Stores a new key.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

use super::Leaves;
use crate::{authentication::Realm, error::ApiError, store::Store};

/// A key to store.
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
    /// What the owner holds now, by role name.
    pub(crate) limited_by: Value,
    pub(crate) owner: Owner,
}

/// Who a key belongs to, as it was when the key was made or last updated.
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
    /// Stores a new key. It is durable when this returns.
    pub(crate) async fn insert_key(&self, key: &NewKey) -> Result<(), ApiError> {
        let leaves = Leaves::of(&key.metadata);
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
        .bind(&leaves.application)
        .bind(&leaves.system)
        .bind(leaves.irregular)
        .bind(creator)
        .bind(role_descriptors)
        .bind(limited_by)
        .execute(&mut *write)
        .await?
        .last_insert_rowid();
        leaves.store(&mut write, number).await?;
        write.commit().await?;
        Ok(())
    }
}

/// The number of the stored document that is equal to `document`.
pub(super) async fn intern(
    connection: &mut SqliteConnection,
    document: &Value,
) -> Result<i64, ApiError> {
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
