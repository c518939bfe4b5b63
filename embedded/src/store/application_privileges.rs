//! Privileges that applications registered. All of them are kept in memory.

use std::sync::Arc;

use super::{Store, read, replace};
use crate::{
    error::ApiError,
    privilege::application::{ApplicationPrivilege, Registered},
};

impl Store {
    /// The registered privileges.
    pub(crate) fn application_privileges(&self) -> Arc<Registered> {
        read(&self.application_privileges)
    }

    /// Creates or replaces privileges, all or none. Answers for each whether it is new.
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

    /// Removes privileges of an application. Answers for each whether there was one.
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

    /// Reads the privileges again, in the writer's turn.
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
