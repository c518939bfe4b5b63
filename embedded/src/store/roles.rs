//! Roles that people made. All of them are kept in memory: every request needs them.

use std::{collections::BTreeMap, sync::Arc};

use super::{Store, read, replace};
use crate::{
    error::ApiError,
    privilege::{built_in_roles::BUILT_IN_ROLES, permission::Roles},
    role_descriptor::{Place, RoleDescriptor},
};

/// Roles by name.
pub(crate) type RoleMap = BTreeMap<String, RoleDescriptor>;

impl Store {
    /// The roles that people made.
    pub(crate) fn roles(&self) -> Arc<RoleMap> {
        read(&self.roles)
    }

    /// The role with this name, built-in or made.
    pub(crate) fn role(&self, name: &str) -> Option<RoleDescriptor> {
        BUILT_IN_ROLES
            .get(name)
            .cloned()
            .or_else(|| self.roles().get(name).cloned())
    }

    /// The roles with these names, and the names that no role has.
    pub(crate) fn resolve(&self, names: &[String]) -> (Roles, Vec<String>) {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for name in names {
            match self.role(name) {
                Some(role) => found.push(role),
                None => missing.push(name.clone()),
            }
        }
        (Arc::new(found), missing)
    }

    /// Creates or replaces a role. Answers whether it is new.
    pub(crate) async fn put_role(
        &self,
        name: &str,
        role: &RoleDescriptor,
    ) -> Result<bool, ApiError> {
        let mut write = self.write().await?;
        let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM roles WHERE name = ?")
            .bind(name)
            .fetch_optional(&mut *write)
            .await?;
        sqlx::query(
            "INSERT INTO roles (name, descriptor) VALUES (?, ?)
             ON CONFLICT (name) DO UPDATE SET descriptor = excluded.descriptor",
        )
        .bind(name)
        .bind(role.to_json().to_string())
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        self.reload_roles().await?;
        Ok(known.is_none())
    }

    /// Removes a role. Answers whether there was one.
    pub(crate) async fn delete_role(&self, name: &str) -> Result<bool, ApiError> {
        let mut write = self.write().await?;
        let removed = sqlx::query("DELETE FROM roles WHERE name = ?")
            .bind(name)
            .execute(&mut *write)
            .await?
            .rows_affected();
        write.commit().await?;
        self.reload_roles().await?;
        Ok(removed > 0)
    }

    /// Reads the roles again. The writer's connection is used as a queue: the last one to
    /// read has seen every change before it.
    pub(crate) async fn reload_roles(&self) -> Result<(), ApiError> {
        let mut connection = self.writer.acquire().await?;
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT name, descriptor FROM roles")
            .fetch_all(&mut *connection)
            .await?;
        let mut roles = RoleMap::new();
        for (name, descriptor) in rows {
            let role =
                RoleDescriptor::parse(&name, serde_json::from_str(&descriptor)?, Place::Role)?;
            roles.insert(name, role);
        }
        replace(&self.roles, Arc::new(roles));
        drop(connection);
        Ok(())
    }
}
