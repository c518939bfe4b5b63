//! Which sessions live, and whose they are.

use super::{Error, Store};
use crate::{
    access::{Grant, Identity},
    store::audit::pattern,
};
use app::model::{audit::SearchText, timestamp::Timestamp};
use sqlx::{Row, any::AnyRow};

/// When a session must have been used and begun to live.
#[derive(Clone, Copy, Debug)]
pub struct Alive {
    /// It was used after this.
    pub touched_after: Timestamp,
    /// It began after this.
    pub created_after: Timestamp,
}

/// A session as it is shown. Nothing of it opens anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSession {
    /// Its name outside.
    pub id: String,
    /// Whose it is.
    pub username: String,
    /// The realm that checked the password.
    pub realm: String,
    /// The browser in a few words.
    pub browser: Option<String>,
    /// Where the person signed in from.
    pub address: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub touched_at: Timestamp,
}

impl Store {
    /// One person's sessions, the one used last first.
    #[tracing::instrument(name = "store.session.own", skip_all)]
    pub async fn own_sessions(
        &self,
        identity: &Identity,
        alive: Alive,
    ) -> Result<Vec<ListedSession>, Error> {
        let rows = sqlx::query(
            "SELECT handle, username, realm, browser, address, created_at, touched_at \
             FROM sessions WHERE username = $1 AND realm = $2 AND touched_at > $3 \
             AND created_at > $4 ORDER BY touched_at DESC, created_at DESC, handle",
        )
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .bind(alive.touched_after.0)
        .bind(alive.created_after.0)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(listed).collect()
    }

    /// Everybody else's, the one used last first: of those whose user name holds `person`, as typed or in lower case.
    #[tracing::instrument(name = "store.session.others", skip_all)]
    pub async fn others_sessions(
        &self,
        grant: &Grant,
        person: &SearchText,
        alive: Alive,
        rows_max: usize,
    ) -> Result<Vec<ListedSession>, Error> {
        let rows = sqlx::query(
            "SELECT handle, username, realm, browser, address, created_at, touched_at \
             FROM sessions WHERE NOT (username = $1 AND realm = $2) AND touched_at > $3 \
             AND created_at > $4 \
             AND ($5 = '' OR username LIKE $5 ESCAPE '\\' OR LOWER(username) LIKE $6 ESCAPE '\\') \
             ORDER BY touched_at DESC, created_at DESC, handle LIMIT $7",
        )
        .bind(grant.identity().username.as_str())
        .bind(grant.identity().realm.as_str())
        .bind(alive.touched_after.0)
        .bind(alive.created_after.0)
        .bind(pattern(person.as_str()))
        .bind(pattern(&person.as_str().to_lowercase()))
        .bind(i64::try_from(rows_max).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(listed).collect()
    }
}

fn listed(row: &AnyRow) -> Result<ListedSession, Error> {
    Ok(ListedSession {
        id: row.try_get("handle")?,
        username: row.try_get("username")?,
        realm: row.try_get("realm")?,
        browser: row.try_get("browser")?,
        address: row.try_get("address")?,
        created_at: Timestamp(row.try_get("created_at")?),
        touched_at: Timestamp(row.try_get("touched_at")?),
    })
}
