//! What happened, in order.

mod cut;

use super::{Error, Store, write::Write};
use crate::audit::{
    Event, Stamp,
    record::{self, Columns},
};
use app::model::{
    audit::{Action, Outcome},
    audit_query::{AuditPlace, AuditQuery, Period},
    timestamp::Timestamp,
};
use sqlx::{Row, any::AnyRow};
use std::ops::Deref;

pub use cut::AuditCut;

/// Every column of the events that the rest of the statement chooses.
macro_rules! select {
    ($rest:expr) => {
        concat!(
            "SELECT sequence, at, actor, actor_realm, action, outcome, target_id, target_name, \
             operation, request_id, details, record, mac FROM audit_events ",
            $rest
        )
    };
}

/// One text for every combination of filters: what is not asked for lets everything through. Texts are compared as
/// they were typed and in lower case, because SQLite lowers only the letters of ASCII.
macro_rules! find {
    ($order:literal) => {
        select!(concat!(
            "WHERE sequence > $1 AND sequence < $2 AND at >= $3 AND at < $4 \
             AND ($5 = '' OR action = $5) AND ($6 = '' OR outcome = $6) \
             AND ($7 = '' OR actor LIKE $7 ESCAPE '\\' OR LOWER(actor) LIKE $8 ESCAPE '\\') \
             AND ($9 = '' OR target_id = $9 OR target_name LIKE $10 ESCAPE '\\' \
             OR LOWER(target_name) LIKE $11 ESCAPE '\\') \
             ORDER BY sequence ",
            $order,
            " LIMIT $12"
        ))
    };
}

/// An event as it was written.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// The columns that it is found by.
    pub columns: Columns,
    /// The line that was written down.
    pub record: String,
    /// The code that ties it to the event before.
    pub mac: String,
}

impl Deref for StoredEvent {
    type Target = Columns;

    fn deref(&self) -> &Columns {
        &self.columns
    }
}

/// The end of the chain, and what it begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// The number of the last event; 0 without one.
    pub sequence: i64,
    /// Its code.
    pub mac: String,
    /// What the first event is tied to.
    pub origin: String,
}

impl Store {
    /// Writes down something that is not part of a change here, such as a refused sign-in.
    #[tracing::instrument(name = "store.audit.record", skip_all)]
    pub async fn record(&self, event: &Event<'_>, stamp: &Stamp) -> Result<(), Error> {
        let mut write = self.write().await?;
        append(&mut write, event, stamp).await?;
        write.commit().await?;
        Ok(())
    }

    /// The events after `sequence`, oldest first, at most `rows_max`.
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

    /// The events that `query` asks for within `period`, at most `rows_max`: oldest first after a number, else
    /// newest first.
    #[tracing::instrument(name = "store.audit.find", skip_all)]
    pub async fn find_audit_events(
        &self,
        query: &AuditQuery,
        period: Period,
        rows_max: i64,
    ) -> Result<Vec<StoredEvent>, Error> {
        let (after, before, text) = match query.place {
            AuditPlace::Newest => (i64::MIN, i64::MAX, find!("DESC")),
            AuditPlace::Before(number) => (i64::MIN, number, find!("DESC")),
            AuditPlace::After(number) => (number, i64::MAX, find!("ASC")),
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
        rows.iter().map(read).collect()
    }

    /// The end of the chain.
    #[tracing::instrument(name = "store.audit.head", skip_all)]
    pub async fn audit_head(&self) -> Result<AuditHead, Error> {
        let row = sqlx::query("SELECT sequence, mac, origin FROM audit_head WHERE id = $1")
            .bind(1_i64)
            .fetch_one(&self.readers)
            .await?;
        Ok(AuditHead {
            sequence: row.try_get("sequence")?,
            mac: row.try_get("mac")?,
            origin: row.try_get("origin")?,
        })
    }

    /// Writes out and chains the events from before there was a chain, once. What the first of them is tied to names
    /// the last of them, so that a chain that is made again has other codes, and disagrees with its anchors.
    pub(super) async fn chain_events_without_code(&self) -> Result<(), Error> {
        let mut write = self.write().await?;
        let row = sqlx::query("SELECT sequence, mac FROM audit_head WHERE id = $1")
            .bind(1_i64)
            .fetch_one(&mut *write)
            .await?;
        let (last, mac): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        if last == 0 || !mac.is_empty() {
            return Ok(());
        }
        let origin = format!("chained at {last}");
        let mut previous = origin.clone();
        let rows = sqlx::query(select!("ORDER BY sequence"))
            .fetch_all(&mut *write)
            .await?;
        for row in &rows {
            let event = read(row)?;
            let record = record::compose(&event.columns, record::More::default()).to_string();
            let mac = write.trail.key().mac(&previous, &record);
            sqlx::query("UPDATE audit_events SET record = $1, mac = $2 WHERE sequence = $3")
                .bind(record)
                .bind(mac.as_str())
                .bind(event.sequence)
                .execute(&mut *write)
                .await?;
            previous = mac;
        }
        sqlx::query("UPDATE audit_head SET mac = $1, origin = $2 WHERE id = $3")
            .bind(previous)
            .bind(origin)
            .bind(1_i64)
            .execute(&mut *write)
            .await?;
        write.commit().await
    }
}

/// Adds an event in a transaction that may do more. The update of `audit_head` also makes writers take turns, so
/// that the event before is known and stays it.
pub(super) async fn append(
    write: &mut Write,
    event: &Event<'_>,
    stamp: &Stamp,
) -> Result<(), Error> {
    let row = sqlx::query(
        "UPDATE audit_head SET sequence = sequence + 1 WHERE id = $1 RETURNING sequence, mac",
    )
    .bind(1_i64)
    .fetch_one(&mut **write)
    .await?;
    let (sequence, previous): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
    let columns = Columns::of(sequence, event, stamp);
    let record = write.trail.compose(&columns, stamp)?.to_string();
    let mac = write.trail.key().mac(&previous, &record);
    sqlx::query(
        "INSERT INTO audit_events (sequence, at, actor, actor_realm, action, outcome, target_id, \
         target_name, operation, request_id, details, record, mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(columns.sequence)
    .bind(columns.at.0)
    .bind(columns.actor)
    .bind(columns.actor_realm)
    .bind(columns.action)
    .bind(columns.outcome)
    .bind(columns.target_id)
    .bind(columns.target_name)
    .bind(columns.operation)
    .bind(columns.request_id)
    .bind(columns.details)
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

fn read(row: &AnyRow) -> Result<StoredEvent, Error> {
    Ok(StoredEvent {
        columns: Columns {
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

/// A pattern that finds `text` anywhere; nothing is searched for as the empty pattern.
pub(super) fn pattern(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut pattern = "%".to_owned();
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
