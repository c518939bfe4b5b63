//! A new key's secret on its way to somebody: whether it left, whether a page has drawn it, and keys of which this
//! database knows nothing.

use super::{
    Error, OperationState, Store,
    operations::{state, target},
    write::Write,
};
use crate::{
    access::Grant,
    audit::{Action, Event, EventContext, Outcome, Target},
};
use app::model::{agent_key::KeyId, timestamp::Timestamp};
use serde_json::json;
use sqlx::{AssertSqlSafe, Row};

/// What a page's word that it drew the secret came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// It is written down, now or before.
    Delivered,
    /// The key is not made yet, or never was.
    NotCreated,
    /// This person has begun no such operation.
    Unknown,
}

/// What is remembered of a key's creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// The key.
    pub key_id: String,
    /// How far it came.
    pub state: OperationState,
    /// When it began.
    pub began_at: Timestamp,
}

impl Store {
    /// Writes down that a new key's secret was handed to the connection.
    #[tracing::instrument(name = "store.operation.send", skip_all)]
    pub async fn send_secret(
        &self,
        grant: &Grant,
        id: &str,
        stamp: &EventContext,
    ) -> Result<(), Error> {
        let mut write = self.write().await?;
        let action = Action::AgentKeySecretSent;
        advance(&mut write, grant, id, OperationState::Sent, action, stamp).await?;
        write.commit().await?;
        Ok(())
    }

    /// Writes down that the page has drawn a new key's secret.
    #[tracing::instrument(name = "store.operation.acknowledge", skip_all)]
    pub async fn acknowledge_secret(
        &self,
        grant: &Grant,
        id: &str,
        stamp: &EventContext,
    ) -> Result<Acknowledged, Error> {
        let identity = grant.identity();
        let mut write = self.write().await?;
        let to = OperationState::Delivered;
        let action = Action::AgentKeySecretAcknowledged;
        if advance(&mut write, grant, id, to, action, stamp).await? {
            write.commit().await?;
            return Ok(Acknowledged::Delivered);
        }
        let row = sqlx::query(
            "SELECT state FROM operations \
             WHERE username = $1 AND realm = $2 AND id = $3 AND action = $4",
        )
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .bind(id)
        .bind(Action::AgentKeyCreate.name())
        .fetch_optional(&mut *write)
        .await?;
        Ok(match row {
            None => Acknowledged::Unknown,
            Some(row) if state(&row)? == OperationState::Delivered => Acknowledged::Delivered,
            Some(_) => Acknowledged::NotCreated,
        })
    }

    /// What is remembered of the creations of these keys. Keys that are not remembered are not in the answer.
    #[tracing::instrument(name = "store.operation.find_creations", skip_all)]
    pub async fn creations(&self, keys: &[KeyId]) -> Result<Vec<Creation>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<_> = (2..keys.len() + 2)
            .map(|place| format!("${place}"))
            .collect();
        // Nothing but numbers of arguments is put into the text.
        let text = AssertSqlSafe(format!(
            "SELECT target_id, state, began_at FROM operations \
             WHERE action = $1 AND target_id IN ({})",
            places.join(", ")
        ));
        let mut query = sqlx::query(text).bind(Action::AgentKeyCreate.name());
        for key in keys {
            query = query.bind(key.as_str());
        }
        let rows = query.fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                Ok(Creation {
                    key_id: row.try_get("target_id")?,
                    state: state(row)?,
                    began_at: Timestamp(row.try_get("began_at")?),
                })
            })
            .collect()
    }

    /// Tells the audit log, once for each, of keys made before `before` whose secret no page has confirmed to have
    /// drawn. Returns how many there were.
    #[tracing::instrument(name = "store.operation.note_unseen", skip_all)]
    pub async fn note_unseen_secrets(
        &self,
        before: Timestamp,
        stamp: &EventContext,
    ) -> Result<usize, Error> {
        let mut write = self.write().await?;
        let rows = sqlx::query(
            "UPDATE operations SET unseen_at = $1 \
             WHERE unseen_at IS NULL AND state IN ($2, $3) AND began_at < $4 \
             RETURNING username, realm, id, target_id, target_name",
        )
        .bind(stamp.at.0)
        .bind(OperationState::Created.name())
        .bind(OperationState::Sent.name())
        .bind(before.0)
        .fetch_all(&mut *write)
        .await?;
        for row in &rows {
            let id: String = row.try_get("id")?;
            let owner: String = row.try_get("username")?;
            let realm: String = row.try_get("realm")?;
            let event = Event::new(Action::AgentKeyNeverDelivered)
                .outcome(Outcome::Failure)
                .on(target(row)?)
                .operation(&id)
                .details(json!({ "reason": "lost_after_us", "owner": owner, "realm": realm }));
            super::audit::append(&mut write, &event, stamp).await?;
        }
        write.commit().await?;
        Ok(rows.len())
    }

    /// Tells the audit log, once for each key and kind, that Elasticsearch and this database contradict each other.
    #[tracing::instrument(name = "store.drift.note", skip_all)]
    pub async fn note_drift(
        &self,
        grant: &Grant,
        keys: &[KeyId],
        kind: &str,
        stamp: &EventContext,
    ) -> Result<(), Error> {
        let mut write = self.write().await?;
        for key in keys {
            let inserted = sqlx::query(
                "INSERT INTO drift (key_id, kind, seen_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (key_id, kind) DO NOTHING",
            )
            .bind(key.as_str())
            .bind(kind)
            .bind(stamp.at.0)
            .execute(&mut *write)
            .await?;
            if inserted.rows_affected() == 0 {
                continue;
            }
            let event = Event::new(Action::AgentKeyDrift)
                .by(grant.identity())
                .on(Target {
                    id: Some(key.as_str().to_owned()),
                    name: None,
                })
                .details(json!({ "kind": kind }));
            super::audit::append(&mut write, &event, stamp).await?;
        }
        write.commit().await?;
        Ok(())
    }
}

/// Takes a person's own creation further, if its secret is on its way and not there yet. Says whether it was.
async fn advance(
    write: &mut Write,
    grant: &Grant,
    id: &str,
    to: OperationState,
    action: Action,
    stamp: &EventContext,
) -> Result<bool, Error> {
    let identity = grant.identity();
    let row = sqlx::query(
        "UPDATE operations SET state = $1 WHERE username = $2 AND realm = $3 AND id = $4 \
         AND action = $5 AND state IN ($6, $7) AND state <> $1 RETURNING target_id, target_name",
    )
    .bind(to.name())
    .bind(identity.username.as_str())
    .bind(identity.realm.as_str())
    .bind(id)
    .bind(Action::AgentKeyCreate.name())
    .bind(OperationState::Created.name())
    .bind(OperationState::Sent.name())
    .fetch_optional(&mut **write)
    .await?;
    let Some(row) = row else {
        return Ok(false);
    };
    let event = Event::new(action)
        .by(identity)
        .on(target(&row)?)
        .operation(id);
    super::audit::append(write, &event, stamp).await?;
    Ok(true)
}
