//! Ending sessions from elsewhere.

use super::{Alive, Error, Store};
use crate::{
    access::{Fresh, Grant, Identity},
    audit::{Action, Event, Outcome, Stamp, Target},
    store::write::Write,
};
use app::model::session::{SessionEnd, SessionId};
use serde_json::json;
use sqlx::{Row, any::AnyRow};

/// Which sessions are to end, and by what right.
#[derive(Clone, Copy, Debug)]
pub enum ToEnd<'a> {
    /// One of the person's own.
    OwnSession {
        /// Whose.
        identity: &'a Identity,
        /// Which.
        id: &'a SessionId,
    },
    /// All of the person's own but one.
    OtherOwnSessions {
        /// Whose.
        identity: &'a Identity,
        /// The one that stays.
        but: &'a SessionId,
    },
    /// Anybody's.
    AnybodysSession {
        /// Who may.
        grant: &'a Grant,
        /// That it is they who ask.
        fresh: &'a Fresh,
        /// Which.
        id: &'a SessionId,
    },
}

impl Store {
    /// Ends those of these sessions that live, each with an event of its own, and all of them or none. How many.
    #[tracing::instrument(name = "store.session.end_several", skip_all)]
    pub async fn end_sessions(
        &self,
        which: ToEnd<'_>,
        alive: Alive,
        stamp: &Stamp,
    ) -> Result<u64, Error> {
        let (actor, end, reason) = match which {
            ToEnd::OwnSession { identity, .. } | ToEnd::OtherOwnSessions { identity, .. } => {
                (identity, SessionEnd::Elsewhere, "user")
            }
            ToEnd::AnybodysSession { grant, .. } => {
                (grant.identity(), SessionEnd::Administrator, "admin")
            }
        };
        let mut write = self.write().await?;
        let found = chosen(&mut write, which, alive).await?;
        let mut ended = 0;
        for row in &found {
            let id_hash: String = row.try_get("id_hash")?;
            let username: String = row.try_get("username")?;
            let details = json!({
                "reason": reason,
                "realm": row.try_get::<String, _>("realm")?,
                "session": write.trail.key().session_ref(&id_hash),
            });
            super::end::end(&mut write, &id_hash, end, stamp).await?;
            let event = Event {
                actor: Some(actor),
                action: Action::SessionEnded,
                outcome: Outcome::Success,
                target: Target {
                    id: None,
                    name: Some(username),
                },
                operation: None,
                details,
            };
            crate::store::audit::append(&mut write, &event, stamp).await?;
            ended += 1;
        }
        write.commit().await?;
        Ok(ended)
    }
}

async fn chosen(write: &mut Write, which: ToEnd<'_>, alive: Alive) -> Result<Vec<AnyRow>, Error> {
    let (touched, created) = (alive.touched_after.0, alive.created_after.0);
    let query = match which {
        ToEnd::OwnSession { identity, id } => sqlx::query(
            "SELECT id_hash, username, realm FROM sessions WHERE touched_at > $1 \
             AND created_at > $2 AND username = $3 AND realm = $4 AND handle = $5",
        )
        .bind(touched)
        .bind(created)
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .bind(id.as_str()),
        ToEnd::OtherOwnSessions { identity, but } => sqlx::query(
            "SELECT id_hash, username, realm FROM sessions WHERE touched_at > $1 \
             AND created_at > $2 AND username = $3 AND realm = $4 AND handle <> $5 \
             ORDER BY handle",
        )
        .bind(touched)
        .bind(created)
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .bind(but.as_str()),
        ToEnd::AnybodysSession { id, .. } => sqlx::query(
            "SELECT id_hash, username, realm FROM sessions WHERE touched_at > $1 \
             AND created_at > $2 AND handle = $3",
        )
        .bind(touched)
        .bind(created)
        .bind(id.as_str()),
    };
    Ok(query.fetch_all(&mut **write).await?)
}

/// Removes a session, and keeps why, for whoever comes with its token.
pub(super) async fn end(
    write: &mut Write,
    id_hash: &str,
    end: SessionEnd,
    stamp: &Stamp,
) -> Result<(), Error> {
    sqlx::query("DELETE FROM sessions WHERE id_hash = $1")
        .bind(id_hash)
        .execute(&mut **write)
        .await?;
    remember(write, id_hash, end.name(), stamp).await
}

/// Keeps why nothing is found under this digest any more.
pub(super) async fn remember(
    write: &mut Write,
    id_hash: &str,
    reason: &str,
    stamp: &Stamp,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO ended_sessions (id_hash, reason, ended_at) VALUES ($1, $2, $3)")
        .bind(id_hash)
        .bind(reason)
        .bind(stamp.at.0)
        .execute(&mut **write)
        .await?;
    Ok(())
}
