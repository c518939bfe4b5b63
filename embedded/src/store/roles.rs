//! Roles, role mappings and application privileges.
//!
//! Roles and application privileges are kept in memory, because nearly every request needs them.

use std::sync::Arc;

use serde_json::Value;

use super::{Store, read_lock, replace};
use crate::{
    error::ApiError,
    privileges::application::{ApplicationPrivilege, Registered},
    roles::{
        built_in::BUILT_IN_ROLES,
        descriptor::{DescriptorKind, RoleDescriptor, RoleMap},
        permission::Roles,
    },
};

impl Store {
    /// The roles created through the API.
    pub(crate) fn roles(&self) -> Arc<RoleMap> {
        read_lock(&self.roles)
    }

    /// The role with this name, built-in or created.
    pub(crate) fn role(&self, name: &str) -> Option<RoleDescriptor> {
        BUILT_IN_ROLES
            .get(name)
            .cloned()
            .or_else(|| self.roles().get(name).cloned())
    }

    /// The roles with these names, and the names without a role.
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

    /// Creates or replaces a role. Returns true if it is new.
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

    /// Deletes a role. Returns true if it existed.
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

    /// Reloads the roles. Acquiring the writer's connection orders reloads: the last one sees all
    /// changes.
    pub(crate) async fn reload_roles(&self) -> Result<(), ApiError> {
        let mut connection = self.writer.acquire().await?;
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT name, descriptor FROM roles")
            .fetch_all(&mut *connection)
            .await?;
        let mut roles = RoleMap::new();
        for (name, descriptor) in rows {
            let role = RoleDescriptor::parse(
                &name,
                serde_json::from_str(&descriptor)?,
                DescriptorKind::Role,
            )?;
            roles.insert(name, role);
        }
        replace(&self.roles, Arc::new(roles));
        drop(connection);
        Ok(())
    }
}

impl Store {
    /// All role mappings, sorted by name.
    pub(crate) async fn role_mappings(&self) -> Result<Vec<(String, Value)>, ApiError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT name, body FROM role_mappings ORDER BY name")
                .fetch_all(self.reader())
                .await?;
        rows.into_iter()
            .map(|(name, body)| Ok((name, serde_json::from_str(&body)?)))
            .collect()
    }

    /// Creates or replaces a role mapping. Returns true if it is new.
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

    /// Deletes a role mapping. Returns true if it existed.
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

impl Store {
    pub(crate) fn application_privileges(&self) -> Arc<Registered> {
        read_lock(&self.application_privileges)
    }

    /// Creates or replaces privileges, all or none. Returns for each whether it is new.
    pub(crate) async fn put_application_privileges(
        &self,
        privileges: &[(String, String, ApplicationPrivilege)],
    ) -> Result<Vec<bool>, ApiError> {
        let mut write = self.write().await?;
        let mut created = Vec::with_capacity(privileges.len());
        for (application, name, privilege) in privileges {
            let known: Option<i64> = sqlx::query_scalar(
                "SELECT 1 FROM application_privileges WHERE application = ? AND name = ?",
            )
            .bind(application)
            .bind(name)
            .fetch_optional(&mut *write)
            .await?;
            sqlx::query(
                "INSERT INTO application_privileges (application, name, actions, metadata)
                 VALUES (?, ?, ?, ?)
                 ON CONFLICT (application, name) DO UPDATE SET
                     actions = excluded.actions, metadata = excluded.metadata",
            )
            .bind(application)
            .bind(name)
            .bind(serde_json::to_string(&privilege.actions)?)
            .bind(serde_json::to_string(&privilege.metadata)?)
            .execute(&mut *write)
            .await?;
            created.push(known.is_none());
        }
        write.commit().await?;
        self.reload_application_privileges().await?;
        Ok(created)
    }

    /// Deletes privileges of an application. Returns for each whether it existed.
    pub(crate) async fn delete_application_privileges(
        &self,
        application: &str,
        names: &[String],
    ) -> Result<Vec<bool>, ApiError> {
        let mut write = self.write().await?;
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            let removed = sqlx::query(
                "DELETE FROM application_privileges WHERE application = ? AND name = ?",
            )
            .bind(application)
            .bind(name)
            .execute(&mut *write)
            .await?
            .rows_affected();
            found.push(removed > 0);
        }
        write.commit().await?;
        self.reload_application_privileges().await?;
        Ok(found)
    }

    /// Reloads the privileges over the writer's connection, as [`Self::reload_roles`] does.
    pub(crate) async fn reload_application_privileges(&self) -> Result<(), ApiError> {
        let mut connection = self.writer.acquire().await?;
        let rows: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT application, name, actions, metadata FROM application_privileges",
        )
        .fetch_all(&mut *connection)
        .await?;
        let mut registered = Registered::new();
        for (application, name, actions, metadata) in rows {
            registered.entry(application).or_default().insert(
                name,
                ApplicationPrivilege {
                    actions: serde_json::from_str(&actions)?,
                    metadata: serde_json::from_str(&metadata)?,
                },
            );
        }
        replace(&self.application_privileges, Arc::new(registered));
        drop(connection);
        Ok(())
    }
}
