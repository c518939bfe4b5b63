//! What people's lists showed when Elasticsearch was last asked. Each is its person's alone, and is forgotten with what
//! they may see and with their last session.

use super::{Error, OperationState, Store};
use crate::access::{Grant, Identity};
use app::model::{access::Reach, timestamp::Timestamp};
use sqlx::Row;

/// What is known of a list without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListMark {
    /// Whose keys are in it.
    pub reach: Reach,
    /// When Elasticsearch told it.
    pub read_at: Timestamp,
    /// Its figures: other figures are another list.
    pub figures: String,
}

/// A list, as JSON that the caller understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedList {
    /// When Elasticsearch told it.
    pub read_at: Timestamp,
    /// The keys.
    pub content: String,
}

impl Store {
    /// Remembers what this person's list shows, in place of what it showed before. One that was read later stays.
    #[tracing::instrument(name = "store.remembered_list.write", skip_all)]
    pub async fn remember_list(
        &self,
        grant: &Grant,
        mark: &ListMark,
        content: &str,
    ) -> Result<(), Error> {
        let identity = grant.identity();
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO remembered_lists (username, realm, reach, read_at, figures, content) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (username, realm) DO UPDATE SET \
             reach = excluded.reach, read_at = excluded.read_at, figures = excluded.figures, \
             content = excluded.content WHERE remembered_lists.read_at <= excluded.read_at",
        )
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .bind(word(mark.reach))
        .bind(mark.read_at.0)
        .bind(mark.figures.as_str())
        .bind(content)
        .execute(&mut *write)
        .await?;
        write.commit().await
    }

    /// What is known of this person's list, if it is remembered.
    #[tracing::instrument(name = "store.remembered_list.mark", skip_all)]
    pub async fn list_mark(&self, identity: &Identity) -> Result<Option<ListMark>, Error> {
        let row = sqlx::query(
            "SELECT reach, read_at, figures FROM remembered_lists \
             WHERE username = $1 AND realm = $2",
        )
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let reach: String = row.try_get("reach")?;
        let reach = [Reach::Everybody, Reach::Own]
            .into_iter()
            .find(|known| word(*known) == reach)
            .ok_or(Error::Row {
                table: "remembered_lists",
                column: "reach",
            })?;
        Ok(Some(ListMark {
            reach,
            read_at: Timestamp(row.try_get("read_at")?),
            figures: row.try_get("figures")?,
        }))
    }

    /// This person's list, if it is remembered.
    #[tracing::instrument(name = "store.remembered_list.read", skip_all)]
    pub async fn remembered_list(
        &self,
        identity: &Identity,
    ) -> Result<Option<RememberedList>, Error> {
        let row = sqlx::query(
            "SELECT read_at, content FROM remembered_lists WHERE username = $1 AND realm = $2",
        )
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .fetch_optional(&self.readers)
        .await?;
        let read = |row: sqlx::any::AnyRow| {
            Ok(RememberedList {
                read_at: Timestamp(row.try_get("read_at")?),
                content: row.try_get("content")?,
            })
        };
        row.map(read).transpose()
    }

    /// Forgets this person's list.
    #[tracing::instrument(name = "store.remembered_list.forget", skip_all)]
    pub async fn forget_list(&self, identity: &Identity) -> Result<(), Error> {
        let mut write = self.write().await?;
        sqlx::query("DELETE FROM remembered_lists WHERE username = $1 AND realm = $2")
            .bind(identity.username.as_str())
            .bind(identity.realm.as_str())
            .execute(&mut *write)
            .await?;
        write.commit().await
    }

    /// Forgets the lists of people who have no session any more. How many.
    #[tracing::instrument(name = "store.remembered_list.forget_unused", skip_all)]
    pub async fn forget_unused_lists(&self) -> Result<u64, Error> {
        let mut write = self.write().await?;
        let forgotten = sqlx::query(
            "DELETE FROM remembered_lists WHERE NOT EXISTS (SELECT 1 FROM sessions \
             WHERE sessions.username = remembered_lists.username \
             AND sessions.realm = remembered_lists.realm)",
        )
        .execute(&mut *write)
        .await?
        .rows_affected();
        write.commit().await?;
        Ok(forgotten)
    }

    /// Keys that were revoked here since `since`, and when: at most `rows_max`, the last ones first.
    #[tracing::instrument(name = "store.operation.find_revoked", skip_all)]
    pub async fn revoked_since(
        &self,
        since: Timestamp,
        rows_max: i64,
    ) -> Result<Vec<(String, Timestamp)>, Error> {
        let rows = sqlx::query(
            "SELECT target_id, ended_at FROM operations WHERE state IN ($1, $2) AND began_at >= $3 \
             AND target_id IS NOT NULL AND ended_at IS NOT NULL ORDER BY began_at DESC LIMIT $4",
        )
        .bind(OperationState::Revoked.name())
        .bind(OperationState::RevokedInCache.name())
        .bind(since.0)
        .bind(rows_max)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok((
                    row.try_get("target_id")?,
                    Timestamp(row.try_get("ended_at")?),
                ))
            })
            .collect()
    }
}

/// As it is stored.
fn word(reach: Reach) -> &'static str {
    match reach {
        Reach::Everybody => "everybody",
        Reach::Own => "own",
    }
}
