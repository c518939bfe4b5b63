//! Role mappings as they are stored.

use serde_json::Value;

use super::Store;
use crate::error::ApiError;

impl Store {
    /// All role mappings, by name.
    pub(crate) async fn role_mappings(&self) -> Result<Vec<(String, Value)>, ApiError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT name, body FROM role_mappings ORDER BY name")
                .fetch_all(self.reader())
                .await?;
        rows.into_iter()
            .map(|(name, body)| Ok((name, serde_json::from_str(&body)?)))
            .collect()
    }

    /// Creates or replaces a role mapping. Answers whether it is new.
    pub(crate) async fn put_role_mapping(
        &self,
        name: &str,
        body: &Value,
    ) -> Result<bool, ApiError> {
        let mut write = self.write().await?;
        let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM role_mappings WHERE name = ?")
            .bind(name)
            .fetch_optional(&mut *write)
            .await?;
        sqlx::query(
            "INSERT INTO role_mappings (name, body) VALUES (?, ?)
             ON CONFLICT (name) DO UPDATE SET body = excluded.body",
        )
        .bind(name)
        .bind(body.to_string())
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(known.is_none())
    }

    /// Removes a role mapping. Answers whether there was one.
    pub(crate) async fn delete_role_mapping(&self, name: &str) -> Result<bool, ApiError> {
        let mut write = self.write().await?;
        let removed = sqlx::query("DELETE FROM role_mappings WHERE name = ?")
            .bind(name)
            .execute(&mut *write)
            .await?
            .rows_affected();
        write.commit().await?;
        Ok(removed > 0)
    }
}
