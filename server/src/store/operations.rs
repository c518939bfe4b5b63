//! Operations: changes of Elasticsearch with a durable intent before the call and a durable outcome after it. A crash in
//! between leaves an open row.
//!
//! ```text
//! a new key     intended → created → sent → delivered
//!                    │         └──────┴────→ (not acknowledged: unseen_at is set)
//!                    ├→ rejected      certainly not applied
//!                    └→ unknown → never_delivered, or rejected when no key was found for a day
//! a revocation  revoking → revoked, revoked_in_cache, rejected, unknown or unknown_in_cache
//! anything else intended → done, rejected or unknown
//! ```

use super::{Database, Error, OperationState, Store, Write};
use crate::{
    access::{Grant, Identity, ListAgentKeys, Permission},
    audit::{Action, Event, EventContext, Outcome, Target},
};
use app::model::{
    agent_key::{KeyId, RotationState},
    new_agent_key::ReplacedKey,
    timestamp::Timestamp,
};
use serde_json::{Value, json};
use sqlx::{Row, any::AnyRow};
use std::time::Duration;

/// Age at which no process carries out an operation any more.
const SHARED_OPERATION_MAX: Duration = Duration::from_mins(10);

/// Result of recording intents.
#[derive(Debug, PartialEq, Eq)]
pub enum BeginResult {
    Started,
    /// The same user began the same operation before, and it is in this state.
    Duplicate(OperationState),
    /// The same user began the same operation before, with another request.
    Conflict,
}

/// A change that is about to be sent.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Identifies the operation: a user never runs the same one twice.
    pub operation: String,
    pub action: Action,
    pub target: Target,
    /// Digest of the request, where the same operation could come with another one.
    pub fingerprint: Option<String>,
    /// Details for the audit event; no secrets.
    pub details: Value,
    /// The key that the new one replaces, for a creation that is a rotation.
    pub replaces: Option<ReplacedKey>,
}

/// The user who began an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationOwner {
    pub username: String,
    pub realm: String,
}

impl From<&Identity> for OperationOwner {
    fn from(identity: &Identity) -> Self {
        Self {
            username: identity.username.clone(),
            realm: identity.realm.clone(),
        }
    }
}

/// Outcome of an operation.
#[derive(Debug)]
pub struct OperationOutcome {
    pub owner: OperationOwner,
    pub operation: String,
    /// Action of the event. For a key that was found afterwards it is not the operation's own.
    pub action: Action,
    pub state: OperationState,
    /// The target, as far as it is known now.
    pub target: Target,
    /// Details for the audit event; no secrets.
    pub details: Value,
}

/// An operation without a known outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOperation {
    pub owner: OperationOwner,
    /// Identifies it, among the owner's.
    pub id: String,
    /// A creation or a revocation.
    pub action: Action,
    /// The target, as far as it was known.
    pub target: Target,
    pub began_at: Timestamp,
    /// True if Elasticsearch answered that it could not clear the caches of revoked keys.
    pub in_cache: bool,
}

impl Store {
    /// Records intents in one transaction: all of them, or none if one was begun before. An operation whose last
    /// attempt was rejected may begin again.
    #[tracing::instrument(name = "store.operation.begin", skip_all)]
    pub async fn begin_operations<P: Permission>(
        &self,
        grant: &Grant<P>,
        intents: &[Intent],
        event_context: &EventContext,
    ) -> Result<BeginResult, Error> {
        let mut write = self.write().await?;
        for intent in intents {
            if !P::ACTIONS.contains(&intent.action) {
                return Err(Error::NotGranted(intent.action));
            }
            let begun = insert_intent(&mut write, grant.identity(), intent, event_context).await?;
            if begun != BeginResult::Started {
                return Ok(begun);
            }
        }
        write.commit().await?;
        Ok(BeginResult::Started)
    }

    /// Records the outcomes of operations that the holder of the grant began, in one transaction. For each, returns
    /// false if the operation had ended before: that outcome counts.
    #[tracing::instrument(name = "store.operation.end", skip_all)]
    pub async fn finish_operations<P: Permission>(
        &self,
        grant: &Grant<P>,
        outcomes: Vec<OperationOutcome>,
        event_context: &EventContext,
    ) -> Result<Vec<bool>, Error> {
        for outcome in &outcomes {
            if !P::ACTIONS.contains(&outcome.action) {
                return Err(Error::NotGranted(outcome.action));
            }
        }
        self.record_outcomes(grant.identity(), outcomes, event_context)
            .await
    }

    /// Records the outcome of an operation of any user, found by someone who sees the key. Returns false if the
    /// operation had ended before.
    #[tracing::instrument(name = "store.operation.settle", skip_all)]
    pub async fn settle_operation(
        &self,
        grant: &Grant<ListAgentKeys>,
        outcome: OperationOutcome,
        event_context: &EventContext,
    ) -> Result<bool, Error> {
        let recorded = self.record_outcomes(grant.identity(), vec![outcome], event_context);
        Ok(recorded.await? == [true])
    }

    async fn record_outcomes(
        &self,
        identity: &Identity,
        outcomes: Vec<OperationOutcome>,
        event_context: &EventContext,
    ) -> Result<Vec<bool>, Error> {
        let mut write = self.write().await?;
        // All rows before all events: every transaction locks them in this order, and the head of the log last.
        let mut recorded = Vec::with_capacity(outcomes.len());
        for outcome in &outcomes {
            recorded.push(close_row(&mut write, outcome, event_context).await?);
        }
        for (outcome, recorded) in outcomes.into_iter().zip(&recorded) {
            if *recorded {
                append_event(&mut write, identity, outcome, event_context).await?;
            }
        }
        write.commit().await?;
        Ok(recorded)
    }

    /// Marks operations that an earlier process left in flight as unknown, and returns their number. Those of keys are
    /// settled later; changes of users and roles get their last event here. With PostgreSQL, operations that another
    /// process may still finish are left alone.
    #[tracing::instrument(name = "store.operation.abandon", skip_all)]
    pub async fn abandon_operations(&self, event_context: &EventContext) -> Result<usize, Error> {
        let before = match self.database {
            Database::Sqlite => Timestamp(i64::MAX),
            Database::Postgres => event_context.at.minus(SHARED_OPERATION_MAX),
        };
        let mut write = self.write().await?;
        let open = sqlx::query(
            "UPDATE operations SET state = $1 WHERE state IN ($2, $3) AND began_at < $4 \
             RETURNING username, realm, id, action, target_id, target_name",
        )
        .bind(OperationState::Unknown.name())
        .bind(OperationState::Intended.name())
        .bind(OperationState::Revoking.name())
        .bind(before.0)
        .fetch_all(&mut *write)
        .await?;
        for row in &open {
            let (operation, action): (String, String) =
                (row.try_get("id")?, row.try_get("action")?);
            let Some(action) = action
                .parse()
                .ok()
                .filter(|action| !is_settled_later(*action))
            else {
                continue;
            };
            let owner = Identity {
                username: row.try_get("username")?,
                realm: row.try_get("realm")?,
                realm_kind: String::new(),
                full_name: None,
            };
            let event = Event::new(action)
                .outcome(Outcome::Unknown)
                .by(&owner)
                .on(target(row)?)
                .operation(&operation)
                .details(json!({ "reason": "the process ended before the answer" }));
            super::audit::append(&mut write, &event, event_context).await?;
        }
        if !open.is_empty() {
            let details = json!({ "open_operations": open.len() });
            let event = Event::new(Action::AppRecovered).details(details);
            super::audit::append(&mut write, &event, event_context).await?;
        }
        write.commit().await?;
        Ok(open.len())
    }

    /// Returns true if this key, which is revoked, was revoked here after `since`, and Elasticsearch could not remove
    /// it from the cache of every node.
    #[tracing::instrument(name = "store.operation.is_in_cache", skip_all)]
    pub async fn is_revoked_in_cache(&self, key: &KeyId, since: Timestamp) -> Result<bool, Error> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS count FROM operations \
             WHERE target_id = $1 AND state IN ($2, $3) AND ended_at > $4",
        )
        .bind(key.as_str())
        .bind(OperationState::RevokedInCache.name())
        .bind(OperationState::UnknownInCache.name())
        .bind(since.0)
        .fetch_one(&self.readers)
        .await?;
        Ok(row.try_get::<i64, _>("count")? > 0)
    }

    /// Returns the number of operations in each state, without states that have none.
    #[tracing::instrument(name = "store.operation.count", skip_all)]
    pub async fn count_operations(&self) -> Result<Vec<(OperationState, i64)>, Error> {
        let rows = sqlx::query("SELECT state, COUNT(*) AS count FROM operations GROUP BY state")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| Ok((state(row)?, row.try_get("count")?)))
            .collect()
    }

    /// Returns creations and revocations without a known outcome, oldest first, at most `rows_max`: unknown ones, and
    /// those that began before `before`. With `owner`, only theirs.
    #[tracing::instrument(name = "store.operation.find_open", skip_all)]
    pub async fn open_operations(
        &self,
        owner: Option<&Identity>,
        before: Timestamp,
        rows_max: i64,
    ) -> Result<Vec<OpenOperation>, Error> {
        let rows = sqlx::query(
            "SELECT username, realm, id, action, state, target_id, target_name, began_at \
             FROM operations \
             WHERE (state IN ($3, $10) OR (state IN ($1, $2) AND began_at < $4)) \
             AND action IN ($5, $6) \
             AND ($7 = '' OR (username = $7 AND realm = $8)) ORDER BY began_at LIMIT $9",
        )
        .bind(OperationState::Intended.name())
        .bind(OperationState::Revoking.name())
        .bind(OperationState::Unknown.name())
        .bind(before.0)
        .bind(Action::AgentKeyCreate.name())
        .bind(Action::AgentKeyInvalidate.name())
        .bind(owner.map_or("", |owner| owner.username.as_str()))
        .bind(owner.map_or("", |owner| owner.realm.as_str()))
        .bind(rows_max)
        .bind(OperationState::UnknownInCache.name())
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(open_operation).collect()
    }

    /// Returns creations since `since` whose secret was lost, and whose key's revocation failed or never began.
    /// With `owner`, only theirs.
    #[tracing::instrument(name = "store.operation.find_unrevoked", skip_all)]
    pub async fn unrevoked_creations(
        &self,
        owner: Option<&Identity>,
        since: Timestamp,
        rows_max: i64,
    ) -> Result<Vec<OpenOperation>, Error> {
        let rows = sqlx::query(
            "SELECT username, realm, id, action, state, target_id, target_name, began_at \
             FROM operations AS lost \
             WHERE state = $1 AND began_at > $2 AND target_id IS NOT NULL \
             AND ($3 = '' OR (username = $3 AND realm = $4)) \
             AND NOT EXISTS (SELECT 1 FROM operations AS revocation \
             WHERE revocation.target_id = lost.target_id AND revocation.action = $5 \
             AND revocation.state <> $6) ORDER BY began_at LIMIT $7",
        )
        .bind(OperationState::NeverDelivered.name())
        .bind(since.0)
        .bind(owner.map_or("", |owner| owner.username.as_str()))
        .bind(owner.map_or("", |owner| owner.realm.as_str()))
        .bind(Action::AgentKeyInvalidate.name())
        .bind(OperationState::Rejected.name())
        .bind(rows_max)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(open_operation).collect()
    }
}

/// Adds an operation and its event in a transaction that may do more.
async fn insert_intent(
    write: &mut Write,
    identity: &Identity,
    intent: &Intent,
    event_context: &EventContext,
) -> Result<BeginResult, Error> {
    let inserted = sqlx::query(
        "INSERT INTO operations (username, realm, id, action, state, target_id, target_name, \
         began_at, fingerprint) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (username, realm, id) DO UPDATE SET state = excluded.state, \
         target_id = excluded.target_id, target_name = excluded.target_name, \
         began_at = excluded.began_at, fingerprint = excluded.fingerprint, ended_at = NULL \
         WHERE operations.state = $10 AND operations.action = excluded.action",
    )
    .bind(identity.username.as_str())
    .bind(identity.realm.as_str())
    .bind(intent.operation.as_str())
    .bind(intent.action.name())
    .bind(OperationState::intent(intent.action).name())
    .bind(intent.target.id.as_deref())
    .bind(intent.target.name.as_deref())
    .bind(event_context.at.0)
    .bind(intent.fingerprint.as_deref())
    .bind(OperationState::Rejected.name())
    .execute(&mut **write)
    .await?;
    if inserted.rows_affected() == 0 {
        let row = sqlx::query(
            "SELECT state, fingerprint FROM operations \
             WHERE username = $1 AND realm = $2 AND id = $3",
        )
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .bind(intent.operation.as_str())
        .fetch_one(&mut **write)
        .await?;
        let fingerprint: Option<String> = row.try_get("fingerprint")?;
        return Ok(if fingerprint == intent.fingerprint {
            BeginResult::Duplicate(state(&row)?)
        } else {
            BeginResult::Conflict
        });
    }
    if let Some(replaced) = &intent.replaces {
        insert_rotation(write, identity, &intent.operation, replaced).await?;
    }
    let event = Event::new(intent.action)
        .outcome(Outcome::Unknown)
        .by(identity)
        .on(intent.target.clone())
        .operation(&intent.operation)
        .details(intent.details.clone());
    super::audit::append(write, &event, event_context).await?;
    Ok(BeginResult::Started)
}

/// Adds a rotation in the transaction that begins the creation of the new key. A creation that was rejected and begins
/// again brings the rotation again.
async fn insert_rotation(
    write: &mut Write,
    identity: &Identity,
    operation: &str,
    replaced: &ReplacedKey,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO rotations (username, realm, operation, predecessor_id, predecessor_name, former_end, ends_at, \
         state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (username, realm, operation) DO UPDATE SET former_end = excluded.former_end, \
         ends_at = excluded.ends_at, predecessor_id = excluded.predecessor_id, \
         predecessor_name = excluded.predecessor_name, state = excluded.state",
    )
    .bind(identity.username.as_str())
    .bind(identity.realm.as_str())
    .bind(operation)
    .bind(replaced.id.as_str())
    .bind(replaced.name.as_str())
    .bind(replaced.former_end.map(|at| at.0))
    .bind(replaced.ends_at.map(|at| at.0))
    .bind(<&str>::from(RotationState::Waiting))
    .execute(&mut **write)
    .await?;
    Ok(())
}

/// Returns false if the operation had ended before.
async fn close_row(
    write: &mut Write,
    outcome: &OperationOutcome,
    event_context: &EventContext,
) -> Result<bool, Error> {
    let changed = sqlx::query(
        "UPDATE operations SET state = $1, target_id = $2, target_name = $3, ended_at = $4 \
         WHERE username = $5 AND realm = $6 AND id = $7 AND state IN ($8, $9, $10, $11)",
    )
    .bind(outcome.state.name())
    .bind(outcome.target.id.as_deref())
    .bind(outcome.target.name.as_deref())
    .bind(event_context.at.0)
    .bind(outcome.owner.username.as_str())
    .bind(outcome.owner.realm.as_str())
    .bind(outcome.operation.as_str())
    .bind(OperationState::Intended.name())
    .bind(OperationState::Revoking.name())
    .bind(OperationState::Unknown.name())
    .bind(OperationState::UnknownInCache.name())
    .execute(&mut **write)
    .await?;
    Ok(changed.rows_affected() > 0)
}

async fn append_event(
    write: &mut Write,
    identity: &Identity,
    outcome: OperationOutcome,
    event_context: &EventContext,
) -> Result<(), Error> {
    let event = Event::new(outcome.action)
        .outcome(outcome.state.outcome())
        .by(identity)
        .on(outcome.target)
        .operation(&outcome.operation)
        .details(outcome.details);
    super::audit::append(write, &event, event_context).await
}

/// Returns true for changes of keys, whose outcome Elasticsearch shows afterwards.
fn is_settled_later(action: Action) -> bool {
    matches!(action, Action::AgentKeyCreate | Action::AgentKeyInvalidate)
}

pub(super) fn state(row: &AnyRow) -> Result<OperationState, Error> {
    let name: String = row.try_get("state")?;
    OperationState::parse(&name).ok_or(Error::Row {
        table: "operations",
        column: "state",
    })
}

pub(super) fn target(row: &AnyRow) -> Result<Target, Error> {
    Ok(Target {
        id: row.try_get("target_id")?,
        name: row.try_get("target_name")?,
    })
}

fn open_operation(row: &AnyRow) -> Result<OpenOperation, Error> {
    let action: String = row.try_get("action")?;
    let action = [Action::AgentKeyCreate, Action::AgentKeyInvalidate]
        .into_iter()
        .find(|one| one.name() == action)
        .ok_or(Error::Row {
            table: "operations",
            column: "action",
        })?;
    Ok(OpenOperation {
        owner: OperationOwner {
            username: row.try_get("username")?,
            realm: row.try_get("realm")?,
        },
        id: row.try_get("id")?,
        action,
        target: target(row)?,
        began_at: Timestamp(row.try_get("began_at")?),
        in_cache: state(row)? == OperationState::UnknownInCache,
    })
}
