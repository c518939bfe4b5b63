//! Rotations of keys: the pair, and the state of the old key's end. The new key is the target of the operation that
//! creates it, so a pair is recorded in one transaction.
//!
//! ```text
//! waiting ─┬→ expires ───────────────┬→ undone
//!          ├→ scheduled ─┬───────────┘
//!          │             └→ ending ──→ ended or failed
//!          └→ open, ended or failed
//! ```

use super::{Error, OperationOwner, OperationState, Store};
use crate::{
    access::{Grant, Identity, Permission},
    audit::{Action, Event, EventContext, Target},
};
use app::model::{
    agent_key::{KeyId, RotationState},
    timestamp::Timestamp,
};
use serde_json::json;
use sqlx::{Row, any::AnyRow};

/// A rotation, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRotation {
    /// User who rotated.
    pub owner: OperationOwner,
    /// Creation of the new key.
    pub operation: String,
    pub began_at: Timestamp,
    pub predecessor: Target,
    pub successor: Target,
    /// Expiration of the old key before; `None` if it never expired.
    pub former_end: Option<Timestamp>,
    /// Chosen end of the old key; `None` if the user revokes it.
    pub ends_at: Option<Timestamp>,
    pub state: RotationState,
}

const COLUMNS: &str = "SELECT rotations.username, rotations.realm, rotations.operation, began_at, predecessor_id, \
     predecessor_name, target_id, target_name, former_end, ends_at, rotations.state AS state FROM rotations \
     JOIN operations ON operations.username = rotations.username AND operations.realm = rotations.realm \
     AND operations.id = rotations.operation";

impl Store {
    /// Returns the rotations in which this key is the old or the new one, newest first, at most `rows_max`. Those whose
    /// new key was not created are left out.
    #[tracing::instrument(name = "store.rotation.of_key", skip_all)]
    pub async fn rotations_of(
        &self,
        key: &KeyId,
        rows_max: i64,
    ) -> Result<Vec<StoredRotation>, Error> {
        let text = format!(
            "{COLUMNS} WHERE (predecessor_id = $1 OR target_id = $1) AND operations.state IN ($2, $3, $4) \
             ORDER BY began_at DESC, rotations.operation DESC LIMIT $5"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(key.as_str())
            .bind(OperationState::Created.name())
            .bind(OperationState::Sent.name())
            .bind(OperationState::Delivered.name())
            .bind(rows_max)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(rotation).collect()
    }

    /// Returns the user's rotations whose new secret was displayed, and whose old key has no new end yet, oldest first.
    #[tracing::instrument(name = "store.rotation.displayed", skip_all)]
    pub async fn displayed_rotations(
        &self,
        owner: &Identity,
        rows_max: i64,
    ) -> Result<Vec<StoredRotation>, Error> {
        let text = format!(
            "{COLUMNS} WHERE rotations.state = $1 AND rotations.username = $2 AND rotations.realm = $3 \
             AND operations.state = $4 ORDER BY began_at LIMIT $5"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(name(RotationState::Waiting))
            .bind(owner.username.as_str())
            .bind(owner.realm.as_str())
            .bind(OperationState::Delivered.name())
            .bind(rows_max)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(rotation).collect()
    }

    /// Returns rotations whose old key the application must revoke by now, oldest first. With `owner`, only theirs.
    #[tracing::instrument(name = "store.rotation.due", skip_all)]
    pub async fn due_rotations(
        &self,
        owner: Option<&Identity>,
        now: Timestamp,
        rows_max: i64,
    ) -> Result<Vec<StoredRotation>, Error> {
        let text = format!(
            "{COLUMNS} WHERE rotations.state IN ($1, $2) AND ends_at <= $3 \
             AND ($4 = '' OR (rotations.username = $4 AND rotations.realm = $5)) \
             ORDER BY ends_at LIMIT $6"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(name(RotationState::Scheduled))
            .bind(name(RotationState::Ending))
            .bind(now.0)
            .bind(owner.map_or("", |owner| owner.username.as_str()))
            .bind(owner.map_or("", |owner| owner.realm.as_str()))
            .bind(rows_max)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(rotation).collect()
    }

    /// Changes the state of a rotation, and records it. Returns false if the rotation is in another state meanwhile.
    #[tracing::instrument(name = "store.rotation.change", skip_all)]
    pub async fn change_rotation<P: Permission>(
        &self,
        grant: &Grant<P>,
        rotation: &StoredRotation,
        to: RotationState,
        event_context: &EventContext,
    ) -> Result<bool, Error> {
        if !P::ACTIONS.contains(&Action::AgentKeyRotate) {
            return Err(Error::NotGranted(Action::AgentKeyRotate));
        }
        let mut write = self.write().await?;
        let changed = sqlx::query(
            "UPDATE rotations SET state = $1 \
             WHERE username = $2 AND realm = $3 AND operation = $4 AND state = $5",
        )
        .bind(name(to))
        .bind(rotation.owner.username.as_str())
        .bind(rotation.owner.realm.as_str())
        .bind(rotation.operation.as_str())
        .bind(name(rotation.state))
        .execute(&mut *write)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        let event = Event::new(Action::AgentKeyRotate)
            .by(grant.identity())
            .on(rotation.predecessor.clone())
            .operation(&rotation.operation)
            .details(json!({
                "state": name(to),
                "successor": rotation.successor.id,
                "ends_at": rotation.ends_at.map(Timestamp::iso_ms),
                "former_end": rotation.former_end.map(Timestamp::iso_ms),
            }));
        super::audit::append(&mut write, &event, event_context).await?;
        write.commit().await?;
        Ok(true)
    }
}

fn name(state: RotationState) -> &'static str {
    state.into()
}

fn rotation(row: &AnyRow) -> Result<StoredRotation, Error> {
    let state: String = row.try_get("state")?;
    let moment = |column| -> Result<Option<Timestamp>, Error> {
        let ms: Option<i64> = row.try_get(column)?;
        Ok(ms.map(Timestamp))
    };
    Ok(StoredRotation {
        owner: OperationOwner {
            username: row.try_get("username")?,
            realm: row.try_get("realm")?,
        },
        operation: row.try_get("operation")?,
        began_at: Timestamp(row.try_get("began_at")?),
        predecessor: Target {
            id: row.try_get("predecessor_id")?,
            name: row.try_get("predecessor_name")?,
        },
        successor: Target {
            id: row.try_get("target_id")?,
            name: row.try_get("target_name")?,
        },
        former_end: moment("former_end")?,
        ends_at: moment("ends_at")?,
        state: state.parse().map_err(|_| Error::Row {
            table: "rotations",
            column: "state",
        })?,
    })
}
