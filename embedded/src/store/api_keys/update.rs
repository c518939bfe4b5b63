//! Changes stored keys.

use serde_json::{Map, Value};

use super::{Key, Leaves, Owner, insert::intern};
use crate::{error::ApiError, store::Store};

/// What an update changes. Owner and snapshot are refreshed by every update.
pub(crate) struct KeyChange<'a> {
    /// `None` keeps what is there, here and below.
    pub(crate) role_descriptors: Option<Value>,
    pub(crate) metadata: Option<&'a Map<String, Value>>,
    pub(crate) expiration: Option<i64>,
    pub(crate) limited_by: Value,
    pub(crate) owner: Owner,
}

impl KeyChange<'_> {
    /// Whether the key would be a different one afterwards. A given expiration always counts.
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
    /// Updates a key. Answers whether anything changed.
    pub(crate) async fn update_key(
        &self,
        key: &Key,
        change: &KeyChange<'_>,
    ) -> Result<bool, ApiError> {
        if !change.changes(key) {
            return Ok(false);
        }
        let metadata = change.metadata.unwrap_or(&key.metadata);
        let leaves = Leaves::of(metadata);
        let mut write = self.write().await?;
        let creator = intern(&mut write, &change.owner.details()).await?;
        let limited_by = intern(&mut write, &change.limited_by).await?;
        let descriptors = change
            .role_descriptors
            .as_ref()
            .unwrap_or(&key.role_descriptors.json);
        let role_descriptors = intern(&mut write, descriptors).await?;
        // A key that was invalidated since it was read stays as it is.
        let updated = sqlx::query(
            "UPDATE api_keys SET expiration = ?, metadata = ?, application = ?, system = ?,
                 irregular = ?, creator = ?, role_descriptors = ?, limited_by = ?
             WHERE number = ? AND invalidated = 0",
        )
        .bind(change.expiration.or(key.expiration))
        .bind(serde_json::to_string(metadata)?)
        .bind(&leaves.application)
        .bind(&leaves.system)
        .bind(leaves.irregular)
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
            leaves.store(&mut write, key.number).await?;
        }
        write.commit().await?;
        self.keys.forget([key.id.as_str()].into_iter());
        if updated == 0 {
            return Err(ApiError::illegal(format!(
                "cannot update invalidated API key [{}]",
                key.id
            )));
        }
        Ok(true)
    }

    /// Invalidates keys. Answers the ids that this call invalidated, and the ids that
    /// another call invalidated since they were read.
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
        self.keys.forget(invalidated.iter().map(String::as_str));
        Ok((invalidated, previously))
    }
}
