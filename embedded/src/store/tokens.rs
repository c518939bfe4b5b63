//! Stored access and refresh tokens, as digests only.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;

use super::Store;
use crate::error::ApiError;

/// A new token. Times are in milliseconds since 1970.
pub(crate) struct NewToken<'a> {
    pub(crate) access: &'a SecretString,
    pub(crate) refresh: Option<&'a SecretString>,
    pub(crate) username: &'a str,
    pub(crate) realm_name: &'a str,
    pub(crate) created: i64,
    pub(crate) access_expires: i64,
    pub(crate) refresh_expires: i64,
}

/// Selects the tokens to invalidate.
pub(crate) enum TokenSelection {
    Access(SecretString),
    Refresh(SecretString),
    Of {
        username: Option<String>,
        realm_name: Option<String>,
    },
}

fn digest(token: &SecretString) -> Vec<u8> {
    // 256 random bits need no salt.
    Sha256::digest(token.expose_secret().as_bytes()).to_vec()
}

impl Store {
    /// Stores a token, and deletes tokens that expired long ago.
    pub(crate) async fn insert_token(&self, token: &NewToken<'_>) -> Result<(), ApiError> {
        let mut write = self.write().await?;
        sqlx::query("DELETE FROM tokens WHERE created < ?")
            .bind(token.created - 2 * (token.refresh_expires - token.created))
            .execute(&mut *write)
            .await?;
        sqlx::query(
            "INSERT INTO tokens (access_digest, refresh_digest, username, realm_name, created,
                 access_expires, refresh_expires, access_invalidated, refresh_invalidated)
             VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)",
        )
        .bind(digest(token.access))
        .bind(token.refresh.map(digest))
        .bind(token.username)
        .bind(token.realm_name)
        .bind(token.created)
        .bind(token.access_expires)
        .bind(token.refresh.map(|_| token.refresh_expires))
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(())
    }

    /// Returns the user of a valid access token.
    pub(crate) async fn token_owner(
        &self,
        access: &SecretString,
        now_ms: i64,
    ) -> Result<Option<String>, ApiError> {
        Ok(sqlx::query_scalar(
            "SELECT username FROM tokens
             WHERE access_digest = ? AND access_invalidated = 0 AND access_expires > ?",
        )
        .bind(digest(access))
        .bind(now_ms)
        .fetch_optional(self.reader())
        .await?)
    }

    /// Consumes a refresh token. Returns its user; `None` for an unknown, expired or used token.
    pub(crate) async fn use_refresh_token(
        &self,
        refresh: &SecretString,
        now_ms: i64,
    ) -> Result<Option<String>, ApiError> {
        let mut write = self.write().await?;
        let username = sqlx::query_scalar(
            "UPDATE tokens SET refresh_invalidated = 1
             WHERE refresh_digest = ? AND refresh_invalidated = 0 AND refresh_expires > ?
             RETURNING username",
        )
        .bind(digest(refresh))
        .bind(now_ms)
        .fetch_optional(&mut *write)
        .await?;
        write.commit().await?;
        Ok(username)
    }

    /// Invalidates tokens. Returns the number of newly and of previously invalidated ones.
    ///
    /// A selection by user or realm is for tokens that can still be used or refreshed at `now_ms`.
    /// An access token and its refresh token count as two.
    pub(crate) async fn invalidate_tokens(
        &self,
        selection: &TokenSelection,
        now_ms: i64,
    ) -> Result<(i64, i64), ApiError> {
        let mut write = self.write().await?;
        let counts = match selection {
            TokenSelection::Access(token) => {
                let known: Option<bool> = sqlx::query_scalar(
                    "SELECT access_invalidated FROM tokens WHERE access_digest = ?",
                )
                .bind(digest(token))
                .fetch_optional(&mut *write)
                .await?;
                sqlx::query("UPDATE tokens SET access_invalidated = 1 WHERE access_digest = ?")
                    .bind(digest(token))
                    .execute(&mut *write)
                    .await?;
                counted(known)
            }
            TokenSelection::Refresh(token) => {
                let known: Option<bool> = sqlx::query_scalar(
                    "SELECT refresh_invalidated FROM tokens WHERE refresh_digest = ?",
                )
                .bind(digest(token))
                .fetch_optional(&mut *write)
                .await?;
                sqlx::query("UPDATE tokens SET refresh_invalidated = 1 WHERE refresh_digest = ?")
                    .bind(digest(token))
                    .execute(&mut *write)
                    .await?;
                counted(known)
            }
            TokenSelection::Of {
                username,
                realm_name,
            } => {
                const SELECTED: &str = "WHERE (?1 IS NULL OR username = ?1)
                    AND (?2 IS NULL OR realm_name = ?2)
                    AND ((access_invalidated = 0 AND access_expires > ?3)
                        OR (refresh_invalidated = 0 AND refresh_expires > ?3))";
                let counts: (i64, i64) = sqlx::query_as(AssertSqlSafe(format!(
                    "SELECT ifnull(sum((access_invalidated = 0)
                         + (refresh_digest IS NOT NULL AND refresh_invalidated = 0)), 0),
                         ifnull(sum((access_invalidated = 1)
                         + (refresh_digest IS NOT NULL AND refresh_invalidated = 1)), 0)
                     FROM tokens {SELECTED}"
                )))
                .bind(username)
                .bind(realm_name)
                .bind(now_ms)
                .fetch_one(&mut *write)
                .await?;
                sqlx::query(AssertSqlSafe(format!(
                    "UPDATE tokens SET access_invalidated = 1, refresh_invalidated = 1 {SELECTED}"
                )))
                .bind(username)
                .bind(realm_name)
                .bind(now_ms)
                .execute(&mut *write)
                .await?;
                counts
            }
        };
        write.commit().await?;
        Ok(counts)
    }
}

fn counted(known: Option<bool>) -> (i64, i64) {
    match known {
        None => (0, 0),
        Some(false) => (1, 0),
        Some(true) => (0, 1),
    }
}
