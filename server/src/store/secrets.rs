//! Delivery of a new key's secret: sent, acknowledged, never displayed; and keys that this database does not know.

use super::{
    Error, OperationState, Store, Write,
    operations::{state, target},
};
use crate::{
    access::{CreateAgentKey, Grant, Identity, ListAgentKeys},
    audit::{Action, Event, EventContext, Outcome, Target},
};
use app::model::{agent_key::KeyId, timestamp::Timestamp};
use serde_json::json;
use sqlx::{AssertSqlSafe, Row};

/// Result of acknowledging a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// It is recorded, now or before.
    Delivered,
    /// The key is not made yet, or never was.
    NotCreated,
    /// The user began no such operation.
    Unknown,
}

/// Creation of a key, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// The key.
    pub key_id: String,
    pub state: OperationState,
    /// When it began.
    pub began_at: Timestamp,
}

impl Store {
    /// Records that the response with a new key's secret was sent.
    #[tracing::instrument(name = "store.operation.send", skip_all)]
    pub async fn send_secret(
        &self,
        grant: &Grant<CreateAgentKey>,
        id: &str,
        event_context: &EventContext,
    ) -> Result<(), Error> {
        let mut write = self.write().await?;
        let action = Action::AgentKeySecretSent;
        advance(
            &mut write,
            grant,
            id,
            OperationState::Sent,
            action,
            event_context,
        )
        .await?;
        write.commit().await?;
        Ok(())
    }

    /// Records that the browser displayed a new key's secret.
    #[tracing::instrument(name = "store.operation.acknowledge", skip_all)]
    pub async fn acknowledge_secret(
        &self,
        grant: &Grant<CreateAgentKey>,
        id: &str,
        event_context: &EventContext,
    ) -> Result<Acknowledged, Error> {
        let identity = grant.identity();
        let mut write = self.write().await?;
        let to = OperationState::Delivered;
        let action = Action::AgentKeySecretAcknowledged;
        if advance(&mut write, grant, id, to, action, event_context).await? {
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

    /// Returns the recorded creations of these keys.
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

    /// Records, once for each, the keys created before `before` whose secret no browser has confirmed to have displayed.
    /// Returns their number.
    #[tracing::instrument(name = "store.operation.note_unseen", skip_all)]
    pub async fn note_unseen_secrets(
        &self,
        before: Timestamp,
        event_context: &EventContext,
    ) -> Result<usize, Error> {
        let mut write = self.write().await?;
        let rows = sqlx::query(
            "UPDATE operations SET unseen_at = $1 \
             WHERE unseen_at IS NULL AND state IN ($2, $3) AND began_at < $4 \
             RETURNING username, realm, id, target_id, target_name",
        )
        .bind(event_context.at.0)
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
            super::audit::append(&mut write, &event, event_context).await?;
        }
        write.commit().await?;
        Ok(rows.len())
    }

    /// Returns the keys that were created here and not revoked here, newest first: the owner's, or everybody's.
    #[tracing::instrument(name = "store.operation.created_keys", skip_all)]
    pub async fn created_keys(
        &self,
        owner: Option<&Identity>,
        keys_max: usize,
    ) -> Result<Vec<KeyId>, Error> {
        let rows = sqlx::query(
            "SELECT target_id FROM operations AS creation \
             WHERE action = $1 AND target_id IS NOT NULL AND ($2 = '' OR (username = $2 AND realm = $3)) \
             AND NOT EXISTS (SELECT 1 FROM operations AS revocation \
                             WHERE revocation.target_id = creation.target_id AND revocation.state IN ($4, $5)) \
             ORDER BY began_at DESC LIMIT $6",
        )
        .bind(Action::AgentKeyCreate.name())
        .bind(owner.map_or("", |owner| owner.username.as_str()))
        .bind(owner.map_or("", |owner| owner.realm.as_str()))
        .bind(OperationState::Revoked.name())
        .bind(OperationState::RevokedInCache.name())
        .bind(i64::try_from(keys_max).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?;
        let ids = rows.iter().map(|row| row.try_get("target_id"));
        let ids: Vec<String> = ids.collect::<Result<_, _>>()?;
        Ok(ids.iter().filter_map(|id| KeyId::parse(id)).collect())
    }

    /// Records, once for each key and kind, that Elasticsearch and this database contradict each other.
    #[tracing::instrument(name = "store.drift.note", skip_all)]
    pub async fn note_drift(
        &self,
        grant: &Grant<ListAgentKeys>,
        keys: &[KeyId],
        kind: &str,
        event_context: &EventContext,
    ) -> Result<(), Error> {
        let mut write = self.write().await?;
        for key in keys {
            let inserted = sqlx::query(
                "INSERT INTO drift (key_id, kind, seen_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (key_id, kind) DO NOTHING",
            )
            .bind(key.as_str())
            .bind(kind)
            .bind(event_context.at.0)
            .execute(&mut *write)
            .await?;
            if inserted.rows_affected() == 0 {
                continue;
            }
            // The user who lists the keys did not cause it.
            let event = Event::new(Action::AgentKeyDrift)
                .on(Target {
                    id: Some(key.as_str().to_owned()),
                    name: None,
                })
                .details(json!({ "kind": kind, "seen_by": grant.identity().username }));
            super::audit::append(&mut write, &event, event_context).await?;
        }
        write.commit().await?;
        Ok(())
    }
}

/// Advances a user's own creation whose secret is not acknowledged yet. Returns false if there is none.
async fn advance(
    write: &mut Write,
    grant: &Grant<CreateAgentKey>,
    id: &str,
    to: OperationState,
    action: Action,
    event_context: &EventContext,
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
    super::audit::append(write, &event, event_context).await?;
    Ok(true)
}
