//! Stored access and refresh tokens, as digests only.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Row, Sqlite, Transaction, sqlite::SqliteRow};
use zeroize::Zeroizing;

use super::Store;
use crate::{
    error::ApiError,
    identity::{Realm, Subject},
};

/// Lifetime of an access token.
pub(crate) const ACCESS_MS: i64 = 20 * 60 * 1_000;
/// Lifetime of a refresh token.
const REFRESH_MS: i64 = 24 * 3_600 * 1_000;
/// Time for which a used refresh token returns the same pair again, and the clock may go back.
const REUSE_MS: i64 = 30 * 1_000;
/// Most pairs of one user. Beyond it, the oldest end.
const PAIRS_MAX: i64 = 1_000;
const SALT_BYTES: usize = 32;

/// An access token and its refresh token.
pub(crate) struct TokenPair {
    pub(crate) access: SecretString,
    /// `None` if the token cannot be refreshed.
    pub(crate) refresh: Option<SecretString>,
}

/// Identity of a token's subject, as it was at sign-in.
#[derive(Clone, Debug)]
pub(crate) struct TokenSubject {
    pub(crate) username: String,
    pub(crate) realm: Realm,
    pub(crate) identity: FrozenIdentity,
}

/// The roles that a user had at sign-in, and the user's details.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FrozenIdentity {
    pub(crate) roles: Vec<String>,
    pub(crate) full_name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) metadata: Map<String, Value>,
}

impl TokenSubject {
    pub(crate) fn of(subject: &Subject) -> Self {
        Self {
            username: subject.username.clone(),
            realm: subject.realm.clone(),
            identity: FrozenIdentity {
                roles: subject.roles.clone(),
                full_name: subject.full_name.clone(),
                email: subject.email.clone(),
                metadata: subject.metadata.clone(),
            },
        }
    }
}

/// The client that a token is issued to: a user of a realm, or one API key.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenClient {
    username: String,
    realm: String,
    api_key: Option<String>,
}

impl TokenClient {
    pub(crate) fn of(subject: &Subject) -> Self {
        Self {
            username: subject.username.clone(),
            realm: subject.realm.name.clone(),
            api_key: subject.api_key_id().map(str::to_owned),
        }
    }
}

/// A stored access token.
pub(crate) enum AccessToken {
    Valid(TokenSubject),
    /// Expired or invalidated.
    Ended,
}

/// The reason why a refresh token is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RefreshRefusal {
    #[error("could not refresh the requested token")]
    Unknown,
    #[error("token document has expired")]
    Expired,
    #[error("token has been invalidated")]
    Invalidated,
    #[error("tokens must be refreshed by the creating client")]
    OtherClient,
    #[error("token has already been refreshed more than 30 seconds in the past")]
    UsedBefore,
    #[error("token has been refreshed more than 30 seconds in the future, clock skew too great")]
    UsedInFuture,
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

/// The pair that replaces `refresh`. It can be computed again from the refresh token and the salt,
/// so that nothing stored gives a token.
fn successors(refresh: &SecretString, salt: &[u8]) -> Result<TokenPair, ApiError> {
    let key = Hkdf::<Sha256>::new(Some(salt), refresh.expose_secret().as_bytes());
    let token = |purpose: &[u8]| {
        let mut bytes = Zeroizing::new([0; 32]);
        key.expand(purpose, bytes.as_mut_slice())
            .map_err(|error| ApiError::Internal(error.to_string()))?;
        Ok::<_, ApiError>(SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(*bytes)))
    };
    Ok(TokenPair {
        access: token(b"access token")?,
        refresh: Some(token(b"refresh token")?),
    })
}

fn token_subject(row: &SqliteRow) -> Result<TokenSubject, ApiError> {
    Ok(TokenSubject {
        username: row.try_get("username")?,
        realm: Realm {
            name: row.try_get("realm_name")?,
            kind: row.try_get("realm_type")?,
        },
        identity: serde_json::from_str(row.try_get("identity")?)?,
    })
}

impl Store {
    /// Stores a new pair for the subject.
    pub(crate) async fn insert_token(
        &self,
        pair: &TokenPair,
        subject: &TokenSubject,
        client: &TokenClient,
        now_ms: i64,
    ) -> Result<(), ApiError> {
        let mut write = self.write().await?;
        let client = serde_json::to_string(client)?;
        insert(&mut write, pair, subject, &client, now_ms).await?;
        write.commit().await?;
        Ok(())
    }

    /// Returns the access token; `None` if it is unknown.
    pub(crate) async fn access_token(
        &self,
        access: &SecretString,
        now_ms: i64,
    ) -> Result<Option<AccessToken>, ApiError> {
        let row = sqlx::query("SELECT * FROM tokens WHERE access_digest = ?")
            .bind(digest(access))
            .fetch_optional(self.reader())
            .await?;
        let Some(row) = row else { return Ok(None) };
        if row.try_get("access_invalidated")? || row.try_get::<i64, _>("access_expires")? <= now_ms
        {
            return Ok(Some(AccessToken::Ended));
        }
        token_subject(&row).map(AccessToken::Valid).map(Some)
    }

    /// Returns the realm of an access token, also of one that has ended.
    pub(crate) async fn realm_of_token(
        &self,
        access: &SecretString,
    ) -> Result<Option<Realm>, ApiError> {
        let row: Option<(String, String)> =
            sqlx::query_as("SELECT realm_name, realm_type FROM tokens WHERE access_digest = ?")
                .bind(digest(access))
                .fetch_optional(self.reader())
                .await?;
        Ok(row.map(|(name, kind)| Realm { name, kind }))
    }

    /// Uses a refresh token. Returns its new pair; used again within [`REUSE_MS`], the same pair.
    pub(crate) async fn refresh_token(
        &self,
        refresh: &SecretString,
        client: &TokenClient,
        salt: [u8; SALT_BYTES],
        now_ms: i64,
    ) -> Result<Result<(TokenPair, TokenSubject), RefreshRefusal>, ApiError> {
        let mut write = self.write().await?;
        let row = sqlx::query("SELECT * FROM tokens WHERE refresh_digest = ?")
            .bind(digest(refresh))
            .fetch_optional(&mut *write)
            .await?;
        let Some(row) = row else {
            return Ok(Err(RefreshRefusal::Unknown));
        };
        let subject = token_subject(&row)?;
        let creator: String = row.try_get("client")?;
        if row.try_get::<i64, _>("refresh_expires")? <= now_ms {
            return Ok(Err(RefreshRefusal::Expired));
        }
        if row.try_get("refresh_invalidated")? {
            return Ok(Err(RefreshRefusal::Invalidated));
        }
        if serde_json::from_str::<TokenClient>(&creator)? != *client {
            return Ok(Err(RefreshRefusal::OtherClient));
        }
        if let Some(used) = row.try_get::<Option<i64>, _>("refreshed")? {
            if used < now_ms - REUSE_MS {
                return Ok(Err(RefreshRefusal::UsedBefore));
            }
            if used > now_ms + REUSE_MS {
                return Ok(Err(RefreshRefusal::UsedInFuture));
            }
            let salt: Vec<u8> = row.try_get("refresh_salt")?;
            return Ok(Ok((successors(refresh, &salt)?, subject)));
        }
        sqlx::query("UPDATE tokens SET refreshed = ?, refresh_salt = ? WHERE refresh_digest = ?")
            .bind(now_ms)
            .bind(salt.as_slice())
            .bind(digest(refresh))
            .execute(&mut *write)
            .await?;
        let pair = successors(refresh, &salt)?;
        insert(&mut write, &pair, &subject, &creator, now_ms).await?;
        write.commit().await?;
        Ok(Ok((pair, subject)))
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

    /// Deletes the tokens of which neither half is valid any more. Returns their number.
    pub(crate) async fn sweep_tokens(&self, now_ms: i64) -> Result<u64, ApiError> {
        let mut write = self.write().await?;
        let deleted = sqlx::query("DELETE FROM tokens WHERE created < ?")
            .bind(now_ms - REFRESH_MS - ACCESS_MS)
            .execute(&mut *write)
            .await?
            .rows_affected();
        write.commit().await?;
        Ok(deleted)
    }
}

/// Stores a pair, and deletes the user's oldest beyond [`PAIRS_MAX`].
async fn insert(
    write: &mut Transaction<'static, Sqlite>,
    pair: &TokenPair,
    subject: &TokenSubject,
    client: &str,
    now_ms: i64,
) -> Result<(), ApiError> {
    sqlx::query(
        "INSERT INTO tokens (access_digest, refresh_digest, username, realm_name, realm_type,
             identity, client, created, access_expires, refresh_expires,
             access_invalidated, refresh_invalidated)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)",
    )
    .bind(digest(&pair.access))
    .bind(pair.refresh.as_ref().map(digest))
    .bind(&subject.username)
    .bind(&subject.realm.name)
    .bind(&subject.realm.kind)
    .bind(serde_json::to_string(&subject.identity)?)
    .bind(client)
    .bind(now_ms)
    .bind(now_ms + ACCESS_MS)
    .bind(pair.refresh.as_ref().map(|_| now_ms + REFRESH_MS))
    .execute(&mut **write)
    .await?;
    sqlx::query(
        "DELETE FROM tokens WHERE access_digest IN (
             SELECT access_digest FROM tokens WHERE username = ? AND realm_name = ?
             ORDER BY created DESC LIMIT -1 OFFSET ?
         )",
    )
    .bind(&subject.username)
    .bind(&subject.realm.name)
    .bind(PAIRS_MAX)
    .execute(&mut **write)
    .await?;
    Ok(())
}

fn counted(known: Option<bool>) -> (i64, i64) {
    match known {
        None => (0, 0),
        Some(false) => (1, 0),
        Some(true) => (0, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::Random;

    async fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("engine.db"), Random).await;
        (directory, store.unwrap())
    }

    async fn issue(store: &Store, now_ms: i64) -> TokenPair {
        let pair = TokenPair {
            access: Random.secret().unwrap(),
            refresh: Some(Random.secret().unwrap()),
        };
        let elastic = store.user("elastic").await.unwrap().unwrap();
        let subject = store.subject(elastic, crate::identity::CredentialKind::Password);
        let (identity, client) = (TokenSubject::of(&subject), TokenClient::of(&subject));
        store
            .insert_token(&pair, &identity, &client, now_ms)
            .await
            .unwrap();
        pair
    }

    #[tokio::test]
    async fn tokens_are_deleted_when_neither_half_is_valid() {
        let (_directory, store) = store().await;
        issue(&store, 0).await;
        assert_eq!(store.sweep_tokens(REFRESH_MS + ACCESS_MS).await.unwrap(), 0);
        let later = REFRESH_MS + ACCESS_MS + 1;
        assert_eq!(store.sweep_tokens(later).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn oldest_pair_of_a_user_ends_beyond_the_limit() {
        let (_directory, store) = store().await;
        let first = issue(&store, 0).await;
        let second = issue(&store, 1).await;
        for at in 2..PAIRS_MAX {
            issue(&store, at).await;
        }
        assert!(
            store
                .access_token(&first.access, 2)
                .await
                .unwrap()
                .is_some()
        );
        issue(&store, PAIRS_MAX).await;
        assert!(
            store
                .access_token(&first.access, 2)
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            store
                .access_token(&second.access, 2)
                .await
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn successors_depend_on_token_and_salt() {
        let pair = |refresh: &str, salt: u8| {
            let pair = successors(&SecretString::from(refresh), &[salt; SALT_BYTES]).unwrap();
            [pair.access, pair.refresh.unwrap()].map(|token| token.expose_secret().to_owned())
        };
        let first = pair("a", 1);
        assert_eq!(first, pair("a", 1));
        assert_ne!(first[0], first[1]);
        for other in [pair("b", 1), pair("a", 2)] {
            assert!(other.iter().all(|token| !first.contains(token)));
        }
    }
}
