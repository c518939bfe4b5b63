//! Changes that are asked of Elasticsearch: the intent is durable before the asking, the outcome after it. A crash
//! between the two leaves a row that says so, not a key that nobody remembers.

use super::{Error, Store};
use crate::{
    access::Grant,
    audit::{Action, Event, Outcome, Stamp, Target},
};
use serde_json::Value;
use sqlx::Row;

/// How far an operation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationState {
    /// Elasticsearch is being asked, or was when the process ended.
    Intended,
    /// It was done.
    Done,
    /// It was certainly not done.
    Rejected,
    /// Nobody knows whether it was done.
    Unknown,
}

impl OperationState {
    fn name(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Done => "done",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Intended, Self::Done, Self::Rejected, Self::Unknown]
            .into_iter()
            .find(|state| state.name() == name)
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Intended | Self::Unknown => Outcome::Unknown,
            Self::Done => Outcome::Success,
            Self::Rejected => Outcome::Failure,
        }
    }
}

/// Whether an operation may go on.
#[derive(Debug, PartialEq, Eq)]
pub enum Began {
    /// Nobody has begun it before.
    Now,
    /// The same person has begun it before, and this is how far it came.
    Before(OperationState),
}

/// How an operation ended.
#[derive(Debug)]
pub struct Ending {
    /// How far it came.
    pub state: OperationState,
    /// What it was done to, as far as it is known now.
    pub target: Target,
    /// Whatever else is known, without secrets.
    pub details: Value,
}

impl Store {
    /// Writes down that something is about to be tried, once per person and operation. One that certainly did
    /// nothing the last time may be tried again.
    #[tracing::instrument(name = "store.operation.begin", skip_all)]
    pub async fn begin_operation(
        &self,
        grant: &Grant,
        id: &str,
        action: Action,
        target: Target,
        details: Value,
        stamp: &Stamp,
    ) -> Result<Began, Error> {
        let identity = grant.identity();
        let mut write = self.write().await?;
        let inserted = sqlx::query(
            "INSERT INTO operations (username, realm, id, action, state, target_id, target_name, \
             began_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (username, realm, id) DO UPDATE SET state = excluded.state, \
             target_id = excluded.target_id, target_name = excluded.target_name, \
             began_at = excluded.began_at, ended_at = NULL \
             WHERE operations.state = $9 AND operations.action = excluded.action",
        )
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .bind(id)
        .bind(action.name())
        .bind(OperationState::Intended.name())
        .bind(target.id.as_deref())
        .bind(target.name.as_deref())
        .bind(stamp.at.0)
        .bind(OperationState::Rejected.name())
        .execute(&mut *write)
        .await?;
        if inserted.rows_affected() == 0 {
            let row = sqlx::query(
                "SELECT state FROM operations WHERE username = $1 AND realm = $2 AND id = $3",
            )
            .bind(identity.username.as_str())
            .bind(identity.realm.as_str())
            .bind(id)
            .fetch_one(&mut *write)
            .await?;
            let name: String = row.try_get(0)?;
            let state = OperationState::parse(&name).ok_or(Error::Row {
                table: "operations",
                column: "state",
            })?;
            return Ok(Began::Before(state));
        }
        let event = Event {
            actor: Some(identity),
            action,
            outcome: Outcome::Unknown,
            target,
            operation: Some(id),
            details,
        };
        super::audit::append(&mut write, &event, stamp).await?;
        write.commit().await?;
        Ok(Began::Now)
    }

    /// Writes down how it ended.
    #[tracing::instrument(name = "store.operation.end", skip_all)]
    pub async fn end_operation(
        &self,
        grant: &Grant,
        id: &str,
        action: Action,
        ending: Ending,
        stamp: &Stamp,
    ) -> Result<(), Error> {
        let identity = grant.identity();
        let mut write = self.write().await?;
        sqlx::query(
            "UPDATE operations SET state = $1, target_id = $2, target_name = $3, ended_at = $4 \
             WHERE username = $5 AND realm = $6 AND id = $7",
        )
        .bind(ending.state.name())
        .bind(ending.target.id.as_deref())
        .bind(ending.target.name.as_deref())
        .bind(stamp.at.0)
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .bind(id)
        .execute(&mut *write)
        .await?;
        let event = Event {
            actor: Some(identity),
            action,
            outcome: ending.state.outcome(),
            target: ending.target,
            operation: Some(id),
            details: ending.details,
        };
        super::audit::append(&mut write, &event, stamp).await?;
        write.commit().await?;
        Ok(())
    }
}
