//! SQL of the audit log: events, chain, retention, and the position of forwarding.

use super::{Database, Error, OperationState, Store, Write};
use crate::audit::{Event, EventContext, chain::AuditKey, record::EventIndex};
use app::model::{
    audit::{Action, AuditPlace, AuditQuery, Outcome, Period, ROWS},
    timestamp::Timestamp,
};
use platform::sql::push_like_literal;
use serde_json::json;
use sqlx::{Any, Executor, Row, Transaction, any::AnyRow};
use std::{collections::HashMap, ops::Deref};

const SAVE_POSITION: &str = "INSERT INTO audit_forwarding (destination, sequence, written_at) \
     VALUES ($1, $2, $3) ON CONFLICT (destination) DO UPDATE SET sequence = excluded.sequence, \
     written_at = excluded.written_at WHERE audit_forwarding.sequence < excluded.sequence";

/// Maximum number of events of the operations of one page.
const OPERATION_EVENTS_MAX: i64 = 1_000;

const SEALS: &str = "SELECT sequence, code FROM audit_seals WHERE sequence > $1 AND sequence <= $2";
const RETENTION_MARK: &str = "SELECT sequence, mac, code FROM audit_cut WHERE id = $1";

/// Selects all columns of events.
macro_rules! select {
    ($rest:expr) => {
        concat!(
            "SELECT sequence, at, actor, actor_realm, action, outcome, target_id, target_name, \
             operation, request_id, details, record, mac FROM audit_events ",
            $rest
        )
    };
}

/// One statement for every combination of filters: an empty filter matches everything. Texts are compared as typed and
/// in lower case, because `LOWER` of SQLite changes only ASCII letters. A failed sign-in has no actor, and the name that
/// was tried as its target.
macro_rules! filters {
    ($order:literal) => {
        concat!(
            "sequence > $1 AND sequence < $2 AND at >= $3 AND at < $4 \
             AND ($5 = '' OR audit_events.action = $5) AND ($6 = '' OR outcome = $6) \
             AND ($7 = '' OR actor LIKE $7 ESCAPE '\\' OR LOWER(actor) LIKE $8 ESCAPE '\\' \
             OR (actor IS NULL AND audit_events.action IN ('user_login', 'login_throttled') \
             AND (audit_events.target_name LIKE $7 ESCAPE '\\' \
             OR LOWER(audit_events.target_name) LIKE $8 ESCAPE '\\'))) \
             AND ($9 = '' OR audit_events.target_id = $9 \
             OR audit_events.target_name LIKE $10 ESCAPE '\\' \
             OR LOWER(audit_events.target_name) LIKE $11 ESCAPE '\\') \
             ORDER BY sequence ",
            $order,
            " LIMIT $12"
        )
    };
}

/// Selects every event that matches.
macro_rules! find {
    ($order:literal) => {
        select!(concat!("WHERE ", filters!($order)))
    };
}

/// Selects one event of each operation that matches: the last that has its outcome, or the intent if there is none. An
/// operation is its owner's; the same id of another user is another operation. That a new key's secret was sent and
/// shown is found in the operation, or by its own action.
macro_rules! find_rows {
    ($order:literal) => {
        concat!(
            "SELECT sequence, at, actor, actor_realm, audit_events.action, outcome, \
             audit_events.target_id, audit_events.target_name, operation, request_id, details, \
             record, mac, operations.state AS operation_state \
             FROM audit_events LEFT JOIN operations ON operations.username = actor \
             AND operations.realm = actor_realm AND operations.id = operation \
             WHERE NOT (outcome = 'unknown' AND operations.id IS NOT NULL \
             AND (operations.state NOT IN ('intended', 'revoking', 'unknown', 'unknown_in_cache') \
             OR EXISTS (SELECT 1 FROM audit_events AS later \
             WHERE later.operation = audit_events.operation \
             AND later.sequence > audit_events.sequence AND later.actor = audit_events.actor \
             AND later.actor_realm = audit_events.actor_realm))) \
             AND NOT (operations.id IS NOT NULL AND audit_events.action <> $5 \
             AND audit_events.action IN ('agent_key_secret_sent', 'agent_key_secret_acknowledged')) \
             AND ",
            filters!($order)
        )
    };
}

/// An event as it is stored.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    pub index: EventIndex,
    /// The event as JSON.
    pub record: String,
    /// MAC over the record and the MAC of the event before.
    pub mac: String,
}

impl StoredEvent {
    /// Returns true if the event is what was written after event `sequence`, whose MAC is `previous`. `seal` is its code
    /// if an earlier key has chained it.
    pub fn follows(
        &self,
        key: &AuditKey,
        sequence: i64,
        previous: &str,
        seal: Option<&str>,
    ) -> bool {
        let record = serde_json::from_str(&self.record).ok();
        let is_authentic = match seal {
            Some(code) => key.seal_code(self.sequence, &self.mac, &self.record) == code,
            None => key.mac(previous, &self.record) == self.mac,
        };
        self.index.sequence == sequence + 1
            && is_authentic
            && record.as_ref().and_then(EventIndex::from_record).as_ref() == Some(&self.index)
    }
}

impl Deref for StoredEvent {
    type Target = EventIndex;

    fn deref(&self) -> &EventIndex {
        &self.index
    }
}

/// The end of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// Number of the last event; 0 without events.
    pub sequence: i64,
    /// MAC of the last event; empty without events.
    pub mac: String,
}

/// End of the events that were removed because of their age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionMark {
    /// Number of the last removed event.
    pub sequence: i64,
    /// MAC of that event, to which the first remaining event is chained.
    pub mac: String,
    /// Code over both, which needs the key.
    pub code: String,
}

/// Position of a destination, locked against other processes until this value is dropped. SQLite has only one process
/// and no lock.
#[derive(Debug)]
pub struct ForwardingLock {
    /// Every event up to this number was written; 0 before the first.
    pub sequence: i64,
    transaction: Option<Transaction<'static, Any>>,
}

impl Store {
    /// Writes an event in a transaction of its own, such as a rejected sign-in.
    #[tracing::instrument(name = "store.audit.record", skip_all)]
    pub async fn record(&self, event: &Event<'_>, context: &EventContext) -> Result<(), Error> {
        let mut write = self.write().await?;
        append(&mut write, event, context).await?;
        write.commit().await?;
        Ok(())
    }

    /// Reads the events after `after_sequence`, oldest first, at most `rows_max`.
    #[tracing::instrument(name = "store.audit.read", skip_all)]
    pub async fn audit_events(
        &self,
        after_sequence: i64,
        rows_max: i64,
    ) -> Result<Vec<StoredEvent>, Error> {
        let rows = sqlx::query(select!("WHERE sequence > $1 ORDER BY sequence LIMIT $2"))
            .bind(after_sequence)
            .bind(rows_max)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Reads the codes of the events after `after_sequence` up to `last` that an earlier server key has chained.
    #[tracing::instrument(name = "store.audit.seals", skip_all)]
    pub async fn audit_seals(
        &self,
        after_sequence: i64,
        last: i64,
    ) -> Result<HashMap<i64, String>, Error> {
        let rows = sqlx::query(SEALS)
            .bind(after_sequence)
            .bind(last)
            .fetch_all(&self.readers)
            .await?;
        read_seals(&rows)
    }

    /// Reads the events that match `query` within `period`, at most `rows_max`: oldest first after a number, otherwise
    /// newest first.
    #[tracing::instrument(name = "store.audit.find", skip_all)]
    pub async fn find_audit_events(
        &self,
        query: &AuditQuery,
        period: Period,
        rows_max: i64,
    ) -> Result<Vec<StoredEvent>, Error> {
        let rows = match query.place {
            AuditPlace::Newest | AuditPlace::Before(_) => find!("DESC"),
            AuditPlace::After(_) => find!("ASC"),
        };
        let rows = self.find(rows, query, period, rows_max).await?;
        rows.iter().map(read).collect()
    }

    /// The same, with one event for each operation and the state of that operation.
    #[tracing::instrument(name = "store.audit.find_rows", skip_all)]
    pub async fn find_audit_rows(
        &self,
        query: &AuditQuery,
        period: Period,
        rows_max: i64,
    ) -> Result<Vec<(StoredEvent, Option<OperationState>)>, Error> {
        let rows = match query.place {
            AuditPlace::Newest | AuditPlace::Before(_) => find_rows!("DESC"),
            AuditPlace::After(_) => find_rows!("ASC"),
        };
        let rows = self.find(rows, query, period, rows_max).await?;
        let row = |row| {
            let state: Option<String> = AnyRow::try_get(row, "operation_state")?;
            Ok((read(row)?, state.as_deref().and_then(OperationState::parse)))
        };
        rows.iter().map(row).collect()
    }

    async fn find(
        &self,
        text: &'static str,
        query: &AuditQuery,
        period: Period,
        rows_max: i64,
    ) -> Result<Vec<AnyRow>, Error> {
        let (after, before) = match query.place {
            AuditPlace::Newest => (i64::MIN, i64::MAX),
            AuditPlace::Before(number) => (i64::MIN, number),
            AuditPlace::After(number) => (number, i64::MAX),
        };
        let (person, target) = (&query.person, &query.target);
        let rows = sqlx::query(text)
            .bind(after)
            .bind(before)
            .bind(period.from.0)
            .bind(period.until.0)
            .bind(query.action.map_or("", Action::name))
            .bind(query.outcome.map_or("", Outcome::name))
            .bind(pattern(person.as_str()))
            .bind(pattern(&person.as_str().to_lowercase()))
            .bind(target.as_str())
            .bind(pattern(target.as_str()))
            .bind(pattern(&target.as_str().to_lowercase()))
            .bind(rows_max)
            .fetch_all(&self.readers)
            .await?;
        Ok(rows)
    }

    /// Reads the events of these operations, oldest first. At most [`ROWS`] operations.
    #[tracing::instrument(name = "store.audit.find_operations", skip_all)]
    pub async fn audit_events_of(&self, operations: &[&str]) -> Result<Vec<StoredEvent>, Error> {
        const FIND: &str = select!(
            "WHERE operation IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
             $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25) ORDER BY sequence LIMIT $26"
        );
        const { assert!(ROWS == 25, "one parameter for each row") };
        let mut find = sqlx::query(FIND);
        for at in 0..ROWS {
            // No operation has an empty id.
            find = find.bind(operations.get(at).copied().unwrap_or_default());
        }
        let rows = find.bind(OPERATION_EVENTS_MAX);
        let rows = rows.fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    /// Returns true if a user of this name has signed in, or was created here.
    #[tracing::instrument(name = "store.audit.knows_user", skip_all)]
    pub async fn knows_user(&self, username: &str) -> Result<bool, Error> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM audit_events WHERE actor = $1 \
             AND action = 'user_login' AND outcome = 'success' LIMIT 1) AS signed_in) \
             + (SELECT COUNT(*) FROM (SELECT 1 FROM audit_events WHERE target_name = $1 \
             AND action = 'user_create' AND outcome = 'success' LIMIT 1) AS created) AS count",
        )
        .bind(username)
        .fetch_one(&self.readers)
        .await?;
        Ok(row.try_get::<i64, _>("count")? > 0)
    }

    #[tracing::instrument(name = "store.audit.head", skip_all)]
    pub async fn audit_head(&self) -> Result<AuditHead, Error> {
        let row = sqlx::query("SELECT sequence, mac FROM audit_head WHERE id = $1")
            .bind(1_i64)
            .fetch_one(&self.readers)
            .await?;
        Ok(AuditHead {
            sequence: row.try_get("sequence")?,
            mac: row.try_get("mac")?,
        })
    }

    /// The latest retention mark, if any.
    #[tracing::instrument(name = "store.audit.find_cut", skip_all)]
    pub async fn retention_mark(&self) -> Result<Option<RetentionMark>, Error> {
        let mark = sqlx::query(RETENTION_MARK)
            .bind(1_i64)
            .fetch_optional(&self.readers)
            .await?;
        mark.as_ref().map(read_mark).transpose()
    }

    /// Removes the first events, if older than `before`, at most `rows_max`, and writes an event about it. Returns the
    /// number of removed events. A younger event keeps those that follow it, in case the clock was set back.
    ///
    /// Removes nothing unless the first event is older than `due`. A removal is an event too, so a log that loses one
    /// event for each new one would never become shorter.
    ///
    /// Each removed event is verified first, and its age is that in its record: a change of the database cannot make the
    /// application remove an event.
    #[tracing::instrument(name = "store.audit.cut", skip_all)]
    pub async fn delete_expired_events(
        &self,
        due: Timestamp,
        before: Timestamp,
        rows_max: i64,
        context: &EventContext,
    ) -> Result<u64, Error> {
        const OLDEST: &str = select!("ORDER BY sequence LIMIT $1");
        // Usually there is nothing to remove; then no write lock is taken.
        let first = sqlx::query(OLDEST)
            .bind(1_i64)
            .fetch_optional(&self.readers)
            .await?;
        let Some(first) = first else { return Ok(0) };
        if Timestamp(first.try_get("at")?) >= due {
            return Ok(0);
        }
        let mut write = self.write().await?;
        let oldest = sqlx::query(OLDEST)
            .bind(rows_max)
            .fetch_all(&mut *write)
            .await?;
        let key = write.audit_writer.key().clone();
        let mark = sqlx::query(RETENTION_MARK).bind(1_i64);
        let mark = mark.fetch_optional(&mut *write).await?;
        let removed_before = mark.as_ref().map(read_mark).transpose()?;
        let (begin, mut previous) = match removed_before {
            None => (0, String::new()),
            Some(mark) if mark.code == key.retention_code(mark.sequence, &mark.mac) => {
                (mark.sequence, mark.mac)
            }
            Some(mark) => return Err(Error::Tampered(mark.sequence)),
        };
        let seals = sqlx::query(SEALS)
            .bind(begin)
            .bind(begin + rows_max)
            .fetch_all(&mut *write)
            .await?;
        let seals = read_seals(&seals)?;
        let mut sequence = begin;
        for row in &oldest {
            let event = read(row)?;
            let seal = seals.get(&event.sequence).map(String::as_str);
            if !event.follows(&key, sequence, &previous, seal) {
                return Err(Error::Tampered(event.sequence));
            }
            if event.at >= before {
                break;
            }
            (sequence, previous) = (event.sequence, event.mac);
        }
        // Another process may have removed them.
        if sequence == begin {
            return Ok(0);
        }
        let mac = previous;
        let code = key.retention_code(sequence, &mac);
        let moved = sqlx::query(
            "INSERT INTO audit_cut (id, sequence, mac, code) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, mac = excluded.mac, \
             code = excluded.code WHERE audit_cut.sequence < excluded.sequence",
        )
        .bind(1_i64)
        .bind(sequence)
        .bind(mac.as_str())
        .bind(code)
        .execute(&mut *write)
        .await?
        .rows_affected();
        // On PostgreSQL, another process may also do so after the read above.
        if moved == 0 {
            return Ok(0);
        }
        // The triggers allow removals up to the retention mark.
        let rows = sqlx::query("DELETE FROM audit_events WHERE sequence <= $1")
            .bind(sequence)
            .execute(&mut *write)
            .await?
            .rows_affected();
        sqlx::query("DELETE FROM audit_seals WHERE sequence <= $1")
            .bind(sequence)
            .execute(&mut *write)
            .await?;
        let event = Event::new(Action::AuditRetentionCut).details(json!({
            "rows": rows, "last": sequence, "hash": mac, "older_than": before.iso_ms(),
        }));
        append(&mut write, &event, context).await?;
        write.commit().await?;
        Ok(rows)
    }

    /// Returns the position of a destination and locks it; `None` while another process has it.
    #[tracing::instrument(name = "store.audit_forwarding.lock", skip_all)]
    pub async fn lock_forwarding(
        &self,
        destination: &str,
    ) -> Result<Option<ForwardingLock>, Error> {
        let mut transaction = match self.database {
            Database::Sqlite => None,
            Database::Postgres => Some(self.writer.begin().await?),
        };
        if let Some(transaction) = &mut transaction {
            let row = sqlx::query(
                "SELECT pg_try_advisory_xact_lock(hashtextextended('audit_forwarding ' || $1, 0))",
            )
            .bind(destination)
            .fetch_one(&mut **transaction)
            .await?;
            if !row.try_get::<bool, _>(0)? {
                return Ok(None);
            }
        }
        Ok(Some(ForwardingLock {
            sequence: self.forwarded_events(destination).await?,
            transaction,
        }))
    }

    /// Returns the number up to which every event was written to `destination`; 0 before the first.
    #[tracing::instrument(name = "store.audit_forwarding.read", skip_all)]
    pub async fn forwarded_events(&self, destination: &str) -> Result<i64, Error> {
        let row = sqlx::query("SELECT sequence FROM audit_forwarding WHERE destination = $1")
            .bind(destination)
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map_or(Ok(0), |row| row.try_get("sequence"))?)
    }

    /// Stores that every event up to `sequence` was written, and releases the lock. The position never decreases:
    /// another process may be further.
    #[tracing::instrument(name = "store.audit_forwarding.note", skip_all)]
    pub async fn note_forwarded(
        &self,
        lock: Option<ForwardingLock>,
        destination: &str,
        sequence: i64,
        at: Timestamp,
    ) -> Result<(), Error> {
        let note = sqlx::query(SAVE_POSITION)
            .bind(destination)
            .bind(sequence)
            .bind(at.0);
        match lock.and_then(|lock| lock.transaction) {
            Some(mut transaction) => {
                transaction.execute(note).await?;
                transaction.commit().await?;
            }
            None => {
                let mut write = self.write().await?;
                write.execute(note).await?;
                write.commit().await?;
            }
        }
        Ok(())
    }
}

/// Appends an event in the caller's transaction. The update of `audit_head` also serializes the writers, so that the
/// event before is known and stays the same.
pub(super) async fn append(
    write: &mut Write,
    event: &Event<'_>,
    context: &EventContext,
) -> Result<(), Error> {
    // The chain has one key. A process that still has the one before writes nothing.
    let row = sqlx::query(
        "UPDATE audit_head SET sequence = sequence + 1 WHERE id = $1 \
         AND COALESCE((SELECT fingerprint FROM server_key WHERE server_key.id = $1), $2) = $2 \
         RETURNING sequence, mac",
    )
    .bind(1_i64)
    .bind(write.audit_writer.key().fingerprint())
    .fetch_optional(&mut **write)
    .await?
    .ok_or(Error::OtherServerKey)?;
    let (sequence, previous): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
    let record = write.audit_writer.to_record(sequence, event, context)?;
    let index = EventIndex::from_record(&record).ok_or(Error::Row {
        table: "audit_events",
        column: "record",
    })?;
    let record = record.to_string();
    let mac = write.audit_writer.key().mac(&previous, &record);
    sqlx::query(
        "INSERT INTO audit_events (sequence, at, actor, actor_realm, action, outcome, target_id, \
         target_name, operation, request_id, details, record, mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(index.sequence)
    .bind(index.at.0)
    .bind(index.actor)
    .bind(index.actor_realm)
    .bind(index.action)
    .bind(index.outcome)
    .bind(index.target_id)
    .bind(index.target_name)
    .bind(index.operation)
    .bind(index.request_id)
    .bind(index.details)
    .bind(record)
    .bind(mac.as_str())
    .execute(&mut **write)
    .await?;
    sqlx::query("UPDATE audit_head SET mac = $1 WHERE id = $2")
        .bind(mac.as_str())
        .bind(1_i64)
        .execute(&mut **write)
        .await?;
    write.has_events = true;
    Ok(())
}

fn read_seals(rows: &[AnyRow]) -> Result<HashMap<i64, String>, Error> {
    let seal = |row: &AnyRow| Ok((row.try_get("sequence")?, row.try_get("code")?));
    rows.iter().map(seal).collect()
}

fn read_mark(row: &AnyRow) -> Result<RetentionMark, Error> {
    Ok(RetentionMark {
        sequence: row.try_get("sequence")?,
        mac: row.try_get("mac")?,
        code: row.try_get("code")?,
    })
}

fn read(row: &AnyRow) -> Result<StoredEvent, Error> {
    Ok(StoredEvent {
        index: EventIndex {
            sequence: row.try_get("sequence")?,
            at: Timestamp(row.try_get("at")?),
            actor: row.try_get("actor")?,
            actor_realm: row.try_get("actor_realm")?,
            action: row.try_get("action")?,
            outcome: row.try_get("outcome")?,
            target_id: row.try_get("target_id")?,
            target_name: row.try_get("target_name")?,
            operation: row.try_get("operation")?,
            request_id: row.try_get("request_id")?,
            details: row.try_get("details")?,
        },
        record: row.try_get("record")?,
        mac: row.try_get("mac")?,
    })
}

/// A `LIKE` pattern that finds `text` anywhere; empty for an empty text.
pub(super) fn pattern(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut pattern = "%".to_owned();
    for character in text.chars() {
        push_like_literal(&mut pattern, character);
    }
    pattern.push('%');
    pattern
}
