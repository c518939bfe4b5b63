//! Stored users.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::Store;
use crate::{
    error::ApiError,
    identity::{CredentialKind, Realm, Subject},
    roles::permission::Permission,
};

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) username: String,
    /// A PHC string; `None` until the user gets a password.
    pub(crate) password_hash: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) full_name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) enabled: bool,
    /// True for users of Elasticsearch itself. Only their password and `enabled` can change.
    pub(crate) reserved: bool,
}

impl User {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "username": self.username,
            "roles": self.roles,
            "full_name": self.full_name,
            "email": self.email,
            "metadata": self.metadata,
            "enabled": self.enabled,
        })
    }
}

fn user(row: &SqliteRow) -> Result<User, ApiError> {
    Ok(User {
        username: row.try_get("username")?,
        password_hash: row.try_get("password_hash")?,
        roles: serde_json::from_str(row.try_get("roles")?)?,
        full_name: row.try_get("full_name")?,
        email: row.try_get("email")?,
        metadata: serde_json::from_str(row.try_get("metadata")?)?,
        enabled: row.try_get("enabled")?,
        reserved: row.try_get("reserved")?,
    })
}

impl Store {
    pub(crate) async fn user(&self, username: &str) -> Result<Option<User>, ApiError> {
        sqlx::query("SELECT * FROM users WHERE username = ?")
            .bind(username)
            .fetch_optional(self.reader())
            .await?
            .map(|row| user(&row))
            .transpose()
    }

    /// The subject of a user who authenticated with `credential`, with the current roles.
    pub(crate) fn subject(&self, user: User, credential: CredentialKind) -> Arc<Subject> {
        let (roles, missing_roles) = self.resolve(&user.roles);
        Arc::new(Subject {
            realm: if user.reserved {
                Realm::reserved()
            } else {
                Realm::native()
            },
            username: user.username,
            roles: user.roles,
            missing_roles,
            full_name: user.full_name,
            email: user.email,
            metadata: user.metadata,
            credential,
            permission: Permission::of_user(roles),
        })
    }

    /// All users, sorted by name.
    pub(crate) async fn users(&self) -> Result<Vec<User>, ApiError> {
        sqlx::query("SELECT * FROM users ORDER BY username")
            .fetch_all(self.reader())
            .await?
            .iter()
            .map(user)
            .collect()
    }

    /// Creates or replaces a user. `password_hash: None` keeps the stored one. Returns true if the
    /// user is new; `None` if the user is new and has no password, which stores nothing.
    pub(crate) async fn put_user(&self, user: &User) -> Result<Option<bool>, ApiError> {
        let mut write = self.write().await?;
        let known: Option<Option<String>> =
            sqlx::query_scalar("SELECT password_hash FROM users WHERE username = ?")
                .bind(&user.username)
                .fetch_optional(&mut *write)
                .await?;
        let created = known.is_none();
        let password_hash = match (&user.password_hash, known) {
            (Some(hash), _) => Some(hash.clone()),
            (None, Some(stored)) => stored,
            (None, None) => return Ok(None),
        };
        sqlx::query(
            "INSERT INTO users (username, password_hash, roles, full_name, email, metadata, enabled, reserved)
             VALUES (?, ?, ?, ?, ?, ?, ?, 0)
             ON CONFLICT (username) DO UPDATE SET
                 password_hash = excluded.password_hash, roles = excluded.roles,
                 full_name = excluded.full_name, email = excluded.email,
                 metadata = excluded.metadata, enabled = excluded.enabled",
        )
        .bind(&user.username)
        .bind(password_hash)
        .bind(serde_json::to_string(&user.roles)?)
        .bind(&user.full_name)
        .bind(&user.email)
        .bind(serde_json::to_string(&user.metadata)?)
        .bind(user.enabled)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(Some(created))
    }

    /// Deletes a user. Returns true if the user existed.
    pub(crate) async fn delete_user(&self, username: &str) -> Result<bool, ApiError> {
        let mut write = self.write().await?;
        let removed = sqlx::query("DELETE FROM users WHERE username = ? AND reserved = 0")
            .bind(username)
            .execute(&mut *write)
            .await?
            .rows_affected();
        write.commit().await?;
        Ok(removed > 0)
    }

    /// Enables or disables a user. Returns true if the user exists.
    pub(crate) async fn set_user_enabled(
        &self,
        username: &str,
        enabled: bool,
    ) -> Result<bool, ApiError> {
        let mut write = self.write().await?;
        let changed = sqlx::query("UPDATE users SET enabled = ? WHERE username = ?")
            .bind(enabled)
            .bind(username)
            .execute(&mut *write)
            .await?
            .rows_affected();
        write.commit().await?;
        Ok(changed > 0)
    }

    /// Sets the password of a user. Returns true if the user exists.
    pub(crate) async fn set_user_password(
        &self,
        username: &str,
        password_hash: &str,
    ) -> Result<bool, ApiError> {
        let mut write = self.write().await?;
        let changed = set_password(&mut write, username, password_hash).await?;
        write.commit().await?;
        Ok(changed)
    }

    /// Replaces a hash by a new hash of the same password, unless the password changed in the
    /// meantime.
    pub(crate) async fn replace_password_hash(
        &self,
        username: &str,
        outdated: &str,
        renewed: &str,
    ) -> Result<(), ApiError> {
        let mut write = self.write().await?;
        sqlx::query("UPDATE users SET password_hash = ? WHERE username = ? AND password_hash = ?")
            .bind(renewed)
            .bind(username)
            .bind(outdated)
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        Ok(())
    }

    /// Sets the first password of a reserved user. Returns false if there is one already.
    pub(crate) async fn set_first_password(
        &self,
        username: &str,
        password_hash: &str,
    ) -> Result<bool, ApiError> {
        let mut write = self.write().await?;
        let changed = sqlx::query(
            "UPDATE users SET password_hash = ? WHERE username = ? AND password_hash IS NULL",
        )
        .bind(password_hash)
        .bind(username)
        .execute(&mut *write)
        .await?
        .rows_affected();
        write.commit().await?;
        Ok(changed > 0)
    }
}

/// Sets the password of a user over any connection. Returns true if the user exists.
pub(crate) async fn set_password(
    connection: &mut SqliteConnection,
    username: &str,
    password_hash: &str,
) -> Result<bool, sqlx::Error> {
    let changed = sqlx::query("UPDATE users SET password_hash = ? WHERE username = ?")
        .bind(password_hash)
        .bind(username)
        .execute(connection)
        .await?
        .rows_affected();
    Ok(changed > 0)
}
