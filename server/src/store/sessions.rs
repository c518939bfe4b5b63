//! Who is signed in.

mod end;
mod expire;
mod list;
mod renew;

use super::{Error, Store, write::Write};
use crate::{
    access::{Identity, SignedIn},
    audit::{Action, Event, Outcome, Stamp, Target},
    session::Found,
};
use app::model::{
    session::{SessionEnd, SessionId},
    timestamp::Timestamp,
};
use serde_json::json;
use sqlx::Row;

pub use end::ToEnd;
pub use list::{Alive, ListedSession};
pub use renew::RenewedSession;

/// How many sessions one person has at most. The one that was not used for the longest time makes room.
const SESSIONS_MAX: usize = 5;

/// A session to begin.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// The digest under which it will be found.
    pub id_hash: &'a str,
    /// Its name outside.
    pub id: &'a str,
    /// Identity and credential, sealed.
    pub sealed: &'a str,
    /// The browser in a few words.
    pub browser: Option<String>,
}

/// A session that is there.
#[derive(Debug)]
pub struct StoredSession {
    /// Its name outside.
    pub id: SessionId,
    /// Identity and credential, sealed.
    pub sealed: String,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub touched_at: Timestamp,
    /// When the password was last entered.
    pub authenticated_at: Timestamp,
}

/// Stands for a token in whose place its browser has another, where others have the word for their end.
const RENEWED: &str = "renewed";

impl Store {
    /// Begins a session for the person whom Elasticsearch has just accepted, and ends the one that this browser had.
    #[tracing::instrument(name = "store.session.begin", skip_all)]
    pub async fn begin_session(
        &self,
        proof: &SignedIn,
        new: NewSession<'_>,
        replaces: Option<&str>,
        stamp: &Stamp,
    ) -> Result<(), Error> {
        let identity = proof.identity();
        let mut write = self.write().await?;
        if let Some(old) = replaces {
            let replaced = sqlx::query("DELETE FROM sessions WHERE id_hash = $1")
                .bind(old)
                .execute(&mut *write)
                .await?;
            if replaced.rows_affected() > 0 {
                end::remember(&mut write, old, RENEWED, stamp).await?;
            }
        }
        sqlx::query(
            "INSERT INTO sessions (id_hash, username, realm, sealed, created_at, touched_at, \
             handle, browser, address, authenticated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(new.id_hash)
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .bind(new.sealed)
        .bind(stamp.at.0)
        .bind(stamp.at.0)
        .bind(new.id)
        .bind(new.browser)
        .bind(stamp.origin.address.map(|address| address.to_string()))
        .bind(stamp.at.0)
        .execute(&mut *write)
        .await?;
        end_oldest_sessions(&mut write, identity, new.id_hash, stamp).await?;
        let event = Event {
            actor: Some(identity),
            action: Action::UserLogin,
            outcome: Outcome::Success,
            target: Target::default(),
            operation: None,
            details: json!({}),
        };
        super::audit::append(&mut write, &event, stamp).await?;
        write.commit().await?;
        Ok(())
    }

    /// The session of this digest, however old.
    #[tracing::instrument(name = "store.session.find", skip_all)]
    pub async fn find_session(&self, id_hash: &str) -> Result<Option<StoredSession>, Error> {
        let row = sqlx::query(
            "SELECT handle, sealed, created_at, touched_at, authenticated_at FROM sessions \
             WHERE id_hash = $1",
        )
        .bind(id_hash)
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let handle: String = row.try_get("handle")?;
        Ok(Some(StoredSession {
            id: SessionId::parse(&handle).unwrap_or_default(),
            sealed: row.try_get("sealed")?,
            created_at: Timestamp(row.try_get("created_at")?),
            touched_at: Timestamp(row.try_get("touched_at")?),
            authenticated_at: Timestamp(row.try_get("authenticated_at")?),
        }))
    }

    /// Why the session of this digest is no more, where that is to be said.
    #[tracing::instrument(name = "store.session.find_ended", skip_all)]
    pub async fn find_ended_session(&self, id_hash: &str) -> Result<Found, Error> {
        let row = sqlx::query("SELECT reason FROM ended_sessions WHERE id_hash = $1")
            .bind(id_hash)
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else {
            return Ok(Found::Nothing);
        };
        let reason: String = row.try_get("reason")?;
        Ok(match SessionEnd::parse(&reason) {
            Some(end) => Found::Ended(end),
            None if reason == RENEWED => Found::Renewed,
            None => Found::Nothing,
        })
    }

    /// Notes that a session is in use. A session that has ended meanwhile stays ended: an update makes no row.
    #[tracing::instrument(name = "store.session.touch", skip_all)]
    pub async fn touch_session(&self, id_hash: &str, now: Timestamp) -> Result<(), Error> {
        sqlx::query("UPDATE sessions SET touched_at = $1 WHERE id_hash = $2 AND touched_at < $3")
            .bind(now.0)
            .bind(id_hash)
            .bind(now.0)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Ends a session and writes down why. Whether there was one.
    #[tracing::instrument(name = "store.session.end", skip_all)]
    pub async fn end_session(
        &self,
        id_hash: &str,
        event: &Event<'_>,
        stamp: &Stamp,
    ) -> Result<bool, Error> {
        let mut write = self.write().await?;
        let ended = sqlx::query("DELETE FROM sessions WHERE id_hash = $1")
            .bind(id_hash)
            .execute(&mut *write)
            .await?
            .rows_affected()
            > 0;
        if ended {
            super::audit::append(&mut write, event, stamp).await?;
        }
        write.commit().await?;
        Ok(ended)
    }

    /// How many sessions were touched and created after these moments.
    #[tracing::instrument(name = "store.session.count", skip_all)]
    pub async fn count_sessions(
        &self,
        touched_after: Timestamp,
        created_after: Timestamp,
    ) -> Result<i64, Error> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS count FROM sessions WHERE touched_at > $1 AND created_at > $2",
        )
        .bind(touched_after.0)
        .bind(created_after.0)
        .fetch_one(&self.readers)
        .await?;
        Ok(row.try_get("count")?)
    }
}

/// Ends what is more than [`SESSIONS_MAX`], the new session included.
async fn end_oldest_sessions(
    write: &mut Write,
    identity: &Identity,
    new: &str,
    stamp: &Stamp,
) -> Result<(), Error> {
    let others = sqlx::query(
        "SELECT id_hash FROM sessions WHERE username = $1 AND realm = $2 AND id_hash <> $3 \
         ORDER BY touched_at DESC, created_at DESC, id_hash",
    )
    .bind(identity.username.as_str())
    .bind(identity.realm.as_str())
    .bind(new)
    .fetch_all(&mut **write)
    .await?;
    for row in others.iter().skip(SESSIONS_MAX - 1) {
        let id_hash: String = row.try_get("id_hash")?;
        end::end(write, &id_hash, SessionEnd::TooMany, stamp).await?;
        let event = Event {
            actor: Some(identity),
            action: Action::SessionEnded,
            outcome: Outcome::Success,
            target: Target::default(),
            operation: None,
            details: json!({ "reason": "concurrent_limit" }),
        };
        super::audit::append(write, &event, stamp).await?;
    }
    Ok(())
}
