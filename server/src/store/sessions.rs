//! Live sessions: begin, find, renew, list.

use super::{
    Error, Store, Write,
    audit::pattern,
    session_ends::{ActiveWindow, RENEWED, end_row, keep_end},
};
use crate::{
    access::{Grant, Identity, ManageSecurity, VerifiedPassword},
    audit::{Action, Event, EventContext, Target},
};
use app::model::{
    audit::SearchText,
    session::{SessionEnd, SessionId},
    timestamp::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{Row, any::AnyRow};

/// Most sessions of one user. A further sign-in ends the one that was not used for the longest time.
const SESSIONS_MAX: usize = 5;

#[derive(Debug)]
pub struct NewSession<'a> {
    /// Digest of the token.
    pub id_hash: &'a str,
    /// Public id.
    pub id: &'a str,
    /// Identity and credential, sealed.
    pub sealed: &'a str,
    /// Description of the browser.
    pub browser: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct StoredSession {
    /// Public id.
    pub id: SessionId,
    /// Identity and credential, sealed.
    pub sealed: String,
    pub created_at: Timestamp,
    /// Last use, to the minute.
    pub touched_at: Timestamp,
    /// Time when the password was last entered.
    pub authenticated_at: Timestamp,
}

/// Session whose token is replaced.
#[derive(Clone, Copy, Debug)]
pub struct RenewedSession<'a> {
    /// Digest of the token before.
    pub before: &'a str,
    /// Digest of the new token.
    pub id_hash: &'a str,
    /// Identity and credential, sealed anew.
    pub sealed: &'a str,
}

/// Session as it is shown. Nothing in it opens anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSession {
    /// Public id.
    pub id: String,
    pub username: String,
    pub realm: String,
    /// Description of the browser.
    pub browser: Option<String>,
    /// Client address at sign-in.
    pub address: Option<String>,
    pub created_at: Timestamp,
    /// Last use, to the minute.
    pub touched_at: Timestamp,
}

impl Store {
    /// Begins a session, and ends the one that this browser had. In the same transaction it ends the user's sessions
    /// beyond [`SESSIONS_MAX`] and adds the audit events.
    #[tracing::instrument(name = "store.session.begin", skip_all)]
    pub async fn begin_session(
        &self,
        proof: &VerifiedPassword,
        new: NewSession<'_>,
        replaces: Option<&str>,
        event_context: &EventContext,
    ) -> Result<(), Error> {
        let identity = proof.identity();
        let mut write = self.write().await?;
        if let Some(old) = replaces {
            let replaced =
                sqlx::query("DELETE FROM sessions WHERE id_hash = $1 RETURNING username, realm")
                    .bind(old)
                    .fetch_optional(&mut *write)
                    .await?;
            if let Some(replaced) = replaced {
                keep_end(&mut write, old, RENEWED, event_context).await?;
                let event = Event::new(Action::SessionEnded)
                    .by(identity)
                    .on(Target {
                        id: None,
                        name: Some(replaced.try_get("username")?),
                    })
                    .details(json!({
                        "reason": "replaced",
                        "realm": replaced.try_get::<String, _>("realm")?,
                        "session": write.audit_writer.key().session_ref(old),
                    }));
                super::audit::append(&mut write, &event, event_context).await?;
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
        .bind(event_context.at.0)
        .bind(event_context.at.0)
        .bind(new.id)
        .bind(new.browser)
        .bind(
            event_context
                .origin
                .address
                .map(|address| address.to_string()),
        )
        .bind(event_context.at.0)
        .execute(&mut *write)
        .await?;
        end_oldest_sessions(&mut write, identity, new.id_hash, event_context).await?;
        let event = Event::new(Action::UserLogin).by(identity);
        super::audit::append(&mut write, &event, event_context).await?;
        write.commit().await?;
        Ok(())
    }

    /// Returns the session of this digest, however old.
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

    /// Records that a session is in use. A session that has ended meanwhile stays ended: an update creates no row.
    #[tracing::instrument(name = "store.session.touch", skip_all)]
    pub async fn touch_session(&self, id_hash: &str, now: Timestamp) -> Result<(), Error> {
        self.note_failure(
            sqlx::query(
                "UPDATE sessions SET touched_at = $1 WHERE id_hash = $2 AND touched_at < $3",
            )
            .bind(now.0)
            .bind(id_hash)
            .bind(now.0)
            .execute(&self.writer)
            .await,
        )?;
        Ok(())
    }

    /// Stores the session under another digest, with the time as that of the last password. Returns false if it has
    /// ended meanwhile: an update creates no row.
    #[tracing::instrument(name = "store.session.renew", skip_all)]
    pub async fn renew_session(
        &self,
        proof: &VerifiedPassword,
        renewed: RenewedSession<'_>,
        event_context: &EventContext,
    ) -> Result<bool, Error> {
        let identity = proof.identity();
        let mut write = self.write().await?;
        let is_live = sqlx::query(
            "UPDATE sessions SET id_hash = $1, sealed = $2, touched_at = $3, \
             authenticated_at = $4 WHERE id_hash = $5 AND username = $6 AND realm = $7",
        )
        .bind(renewed.id_hash)
        .bind(renewed.sealed)
        .bind(event_context.at.0)
        .bind(event_context.at.0)
        .bind(renewed.before)
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .execute(&mut *write)
        .await?
        .rows_affected()
            > 0;
        if is_live {
            keep_end(&mut write, renewed.before, RENEWED, event_context).await?;
            let renewed_as = write.audit_writer.key().session_ref(renewed.id_hash);
            let event = Event::new(Action::Reauth)
                .by(identity)
                .details(json!({ "renewed_as": renewed_as }));
            super::audit::append(&mut write, &event, event_context).await?;
        }
        write.commit().await?;
        Ok(is_live)
    }

    /// Returns a user's own sessions, the last used first.
    #[tracing::instrument(name = "store.session.own", skip_all)]
    pub async fn own_sessions(
        &self,
        identity: &Identity,
        window: ActiveWindow,
    ) -> Result<Vec<ListedSession>, Error> {
        let rows = sqlx::query(
            "SELECT handle, username, realm, browser, address, created_at, touched_at \
             FROM sessions WHERE username = $1 AND realm = $2 AND touched_at > $3 \
             AND created_at > $4 ORDER BY touched_at DESC, created_at DESC, handle",
        )
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .bind(window.touched_after.0)
        .bind(window.created_after.0)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(listed).collect()
    }

    /// Returns the sessions of other users, the last used first. Their user name contains `person`, as typed or in
    /// lower case.
    #[tracing::instrument(name = "store.session.others", skip_all)]
    pub async fn others_sessions(
        &self,
        grant: &Grant<ManageSecurity>,
        person: &SearchText,
        window: ActiveWindow,
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
        .bind(window.touched_after.0)
        .bind(window.created_after.0)
        .bind(pattern(person.as_str()))
        .bind(pattern(&person.as_str().to_lowercase()))
        .bind(i64::try_from(rows_max).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(listed).collect()
    }

    /// Counts the sessions touched and created after these times.
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

/// Ends the user's sessions beyond [`SESSIONS_MAX`], the new one included.
async fn end_oldest_sessions(
    write: &mut Write,
    identity: &Identity,
    new: &str,
    event_context: &EventContext,
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
        end_row(write, &id_hash, SessionEnd::TooMany, event_context).await?;
        let event = Event::new(Action::SessionEnded)
            .by(identity)
            .details(json!({ "reason": "concurrent_limit" }));
        super::audit::append(write, &event, event_context).await?;
    }
    Ok(())
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
