//! Ended sessions, and the reasons that are kept for them.

use super::{Error, Store, Write};
use crate::{
    access::{Grant, Identity, ManageSecurity},
    audit::{Action, Event, EventContext, Target},
    sessions::RecentPassword,
};
use app::model::{
    session::{SessionEnd, SessionId},
    timestamp::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{Row, any::AnyRow};
use std::time::Duration;

/// Times after which a live session was last used and begun.
#[derive(Clone, Copy, Debug)]
pub struct ActiveWindow {
    pub touched_after: Timestamp,
    pub created_after: Timestamp,
}

/// Stored in place of a reason for a token that was replaced by another.
pub(super) const RENEWED: &str = "renewed";
/// Most sessions that expire in one transaction. The next round takes the rest.
const EXPIRED_MAX: i64 = 1_000;

/// Reason why a token opens nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoredEnd {
    Ended(SessionEnd),
    /// Its browser has another token.
    Renewed,
}

/// Sessions to end, and the right to end them.
#[derive(Clone, Copy, Debug)]
pub enum SessionFilter<'a> {
    /// One of the user's own.
    Own {
        identity: &'a Identity,
        id: &'a SessionId,
    },
    /// All of the user's own but one.
    OwnExcept {
        identity: &'a Identity,
        except: &'a SessionId,
    },
    /// One of any user.
    Any {
        grant: &'a Grant<ManageSecurity>,
        fresh: &'a RecentPassword,
        id: &'a SessionId,
    },
}

impl Store {
    /// Returns the reason why the session of this digest ended, if it is kept.
    #[tracing::instrument(name = "store.session.find_ended", skip_all)]
    pub async fn find_ended_session(&self, id_hash: &str) -> Result<Option<StoredEnd>, Error> {
        let row = sqlx::query("SELECT reason FROM ended_sessions WHERE id_hash = $1")
            .bind(id_hash)
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let reason: String = row.try_get("reason")?;
        Ok(match reason.parse::<SessionEnd>() {
            Ok(end) => Some(StoredEnd::Ended(end)),
            Err(_) if reason == RENEWED => Some(StoredEnd::Renewed),
            Err(_) => None,
        })
    }

    /// Ends a session with its audit event. Returns false if there was none.
    #[tracing::instrument(name = "store.session.end", skip_all)]
    pub async fn end_session(
        &self,
        id_hash: &str,
        event: &Event<'_>,
        event_context: &EventContext,
    ) -> Result<bool, Error> {
        let mut write = self.write().await?;
        let ended = sqlx::query("DELETE FROM sessions WHERE id_hash = $1")
            .bind(id_hash)
            .execute(&mut *write)
            .await?
            .rows_affected()
            > 0;
        if ended {
            super::audit::append(&mut write, event, event_context).await?;
        }
        write.commit().await?;
        Ok(ended)
    }

    /// Ends the chosen sessions that are live, each with its audit event, all or none. Returns their number.
    #[tracing::instrument(name = "store.session.end_several", skip_all)]
    pub async fn end_sessions(
        &self,
        filter: SessionFilter<'_>,
        window: ActiveWindow,
        event_context: &EventContext,
    ) -> Result<u64, Error> {
        let (actor, end, reason) = match filter {
            SessionFilter::Own { identity, .. } | SessionFilter::OwnExcept { identity, .. } => {
                (identity, SessionEnd::Elsewhere, "user")
            }
            SessionFilter::Any { grant, .. } => {
                (grant.identity(), SessionEnd::Administrator, "admin")
            }
        };
        let mut write = self.write().await?;
        let found = select(&mut write, filter, window).await?;
        let mut ended = 0;
        for row in &found {
            let id_hash: String = row.try_get("id_hash")?;
            let username: String = row.try_get("username")?;
            let details = json!({
                "reason": reason,
                "realm": row.try_get::<String, _>("realm")?,
                "session": write.audit_writer.key().session_ref(&id_hash),
            });
            end_row(&mut write, &id_hash, end, event_context).await?;
            let event = Event::new(Action::SessionEnded)
                .by(actor)
                .on(Target {
                    id: None,
                    name: Some(username),
                })
                .details(details);
            super::audit::append(&mut write, &event, event_context).await?;
            ended += 1;
        }
        write.commit().await?;
        Ok(ended)
    }

    /// Moves the times of sessions and of failed sign-ins that are in the future, because the clock went back: a session
    /// keeps its age, and a pause its length. Clocks of processes may differ by `difference`.
    #[tracing::instrument(name = "store.clock.follow", skip_all)]
    pub async fn follow_clock_back(
        &self,
        now: Timestamp,
        difference: Duration,
    ) -> Result<u64, Error> {
        const SESSIONS: &str = "UPDATE sessions SET created_at = created_at - touched_at + $1, \
             authenticated_at = authenticated_at - touched_at + $1, touched_at = $1 \
             WHERE touched_at > $2";
        const ATTEMPTS: &str = "UPDATE sign_in_attempts SET next_at = next_at - tried_at + $1, \
             tried_at = $1 WHERE tried_at > $2";
        let mut moved = 0;
        for statement in [SESSIONS, ATTEMPTS] {
            let result = sqlx::query(statement)
                .bind(now.0)
                .bind(now.plus(difference).0)
                .execute(&self.writer)
                .await;
            moved += self.note_failure(result)?.rows_affected();
        }
        Ok(moved)
    }

    /// Deletes expired sessions, each with its audit event, and the reasons that no cookie can ask for any more. Returns
    /// the number of sessions.
    #[tracing::instrument(name = "store.session.expire", skip_all)]
    pub async fn expire_sessions(
        &self,
        touched_before: Timestamp,
        created_before: Timestamp,
        event_context: &EventContext,
    ) -> Result<u64, Error> {
        self.note_failure(
            sqlx::query("DELETE FROM ended_sessions WHERE ended_at <= $1")
                .bind(created_before.0)
                .execute(&self.writer)
                .await,
        )?;
        let over = sqlx::query(
            "SELECT id_hash, username, realm, created_at FROM sessions \
             WHERE touched_at <= $1 OR created_at <= $2 ORDER BY touched_at LIMIT $3",
        )
        .bind(touched_before.0)
        .bind(created_before.0)
        .bind(EXPIRED_MAX)
        .fetch_all(&self.readers)
        .await?;
        if over.is_empty() {
            return Ok(0);
        }
        let mut write = self.write().await?;
        let mut expired = 0;
        for row in &over {
            let id_hash: String = row.try_get("id_hash")?;
            // Another process may have deleted it, or the user may have used it since.
            let removed = sqlx::query(
                "DELETE FROM sessions WHERE id_hash = $1 AND (touched_at <= $2 OR created_at <= $3)",
            )
            .bind(id_hash.as_str())
            .bind(touched_before.0)
            .bind(created_before.0)
            .execute(&mut *write)
            .await?;
            if removed.rows_affected() == 0 {
                continue;
            }
            let lived_long = row.try_get::<i64, _>("created_at")? <= created_before.0;
            let event = Event::new(Action::SessionEnded)
                .on(Target {
                    id: None,
                    name: Some(row.try_get("username")?),
                })
                .details(json!({
                    "reason": if lived_long { "lifespan" } else { "idle" },
                    "realm": row.try_get::<String, _>("realm")?,
                    "session": write.audit_writer.key().session_ref(&id_hash),
                }));
            super::audit::append(&mut write, &event, event_context).await?;
            expired += 1;
        }
        write.commit().await?;
        Ok(expired)
    }
}

async fn select(
    write: &mut Write,
    filter: SessionFilter<'_>,
    window: ActiveWindow,
) -> Result<Vec<AnyRow>, Error> {
    let (touched, created) = (window.touched_after.0, window.created_after.0);
    let query = match filter {
        SessionFilter::Own { identity, id } => sqlx::query(
            "SELECT id_hash, username, realm FROM sessions WHERE touched_at > $1 \
             AND created_at > $2 AND username = $3 AND realm = $4 AND handle = $5",
        )
        .bind(touched)
        .bind(created)
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .bind(id.as_str()),
        SessionFilter::OwnExcept { identity, except } => sqlx::query(
            "SELECT id_hash, username, realm FROM sessions WHERE touched_at > $1 \
             AND created_at > $2 AND username = $3 AND realm = $4 AND handle <> $5 \
             ORDER BY handle",
        )
        .bind(touched)
        .bind(created)
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .bind(except.as_str()),
        SessionFilter::Any { id, .. } => sqlx::query(
            "SELECT id_hash, username, realm FROM sessions WHERE touched_at > $1 \
             AND created_at > $2 AND handle = $3",
        )
        .bind(touched)
        .bind(created)
        .bind(id.as_str()),
    };
    Ok(query.fetch_all(&mut **write).await?)
}

/// Deletes a session, and keeps the reason for the browser that has its token.
pub(super) async fn end_row(
    write: &mut Write,
    id_hash: &str,
    end: SessionEnd,
    event_context: &EventContext,
) -> Result<(), Error> {
    sqlx::query("DELETE FROM sessions WHERE id_hash = $1")
        .bind(id_hash)
        .execute(&mut **write)
        .await?;
    keep_end(write, id_hash, end.name(), event_context).await
}

/// Keeps the reason why this digest finds nothing any more.
pub(super) async fn keep_end(
    write: &mut Write,
    id_hash: &str,
    reason: &str,
    event_context: &EventContext,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO ended_sessions (id_hash, reason, ended_at) VALUES ($1, $2, $3)")
        .bind(id_hash)
        .bind(reason)
        .bind(event_context.at.0)
        .execute(&mut **write)
        .await?;
    Ok(())
}
