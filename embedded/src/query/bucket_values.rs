//! Bucket values, as stored in SQLite and as shown in responses.

use serde_json::{Map, Value as Json};
use sqlx::{Row, TypeInfo, ValueRef, sqlite::SqliteRow};

use crate::{
    date,
    error::ApiError,
    query::{
        Query, Value,
        aggregation::CompositeSource,
        field::{Field, FieldKind},
    },
    store::sql::Sql,
};

/// A value as stored in SQLite.
pub(super) enum Raw {
    Text(String),
    Integer(i64),
}

impl Raw {
    /// Returns true if the stored value is `value`.
    pub(super) fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(stored), Value::Text(text)) => stored == text,
            (Self::Integer(stored), Value::Moment(ms)) => stored == ms,
            (Self::Integer(stored), Value::Boolean(value)) => *stored == i64::from(*value),
            _ => false,
        }
    }
}

pub(super) fn raw(row: &SqliteRow, index: usize) -> Result<Raw, ApiError> {
    let integer = row.try_get_raw(index)?.type_info().name() == "INTEGER";
    Ok(if integer {
        Raw::Integer(row.try_get(index)?)
    } else {
        Raw::Text(row.try_get(index)?)
    })
}

pub(super) fn equal(field: &Field, value: &Raw) -> Query {
    let value = match (value, field.kind()) {
        (Raw::Text(text), _) => Value::Text(text.clone()),
        (Raw::Integer(integer), FieldKind::Boolean) => Value::Boolean(*integer != 0),
        (Raw::Integer(ms), _) => Value::Moment(*ms),
    };
    Query::term(field.clone(), value)
}

pub(super) fn shown_key(field: &Field, value: &Raw) -> Json {
    match (value, field.kind()) {
        (Raw::Text(text), _) => text.clone().into(),
        (Raw::Integer(integer), FieldKind::Boolean) => (*integer != 0).into(),
        (Raw::Integer(integer), _) => (*integer).into(),
    }
}

pub(super) fn key_of(field: &Field, value: &Raw) -> Map<String, Json> {
    let mut bucket = Map::new();
    match value {
        Raw::Text(text) => {
            bucket.insert("key".to_owned(), text.clone().into());
        }
        Raw::Integer(integer) => {
            bucket.insert("key".to_owned(), (*integer).into());
            let text = match field.kind() {
                FieldKind::Boolean => (*integer != 0).to_string(),
                FieldKind::Moment | FieldKind::Text => date::format(*integer),
            };
            bucket.insert("key_as_string".to_owned(), text.into());
        }
    }
    bucket
}

/// Selects the buckets after the one with the key `after`.
pub(super) fn beyond(
    sources: &[CompositeSource],
    columns: &[&'static str],
    after: &Map<String, Json>,
) -> Result<Sql, ApiError> {
    let mut alternatives = Vec::new();
    for last in 0..sources.len() {
        let mut conditions = Vec::new();
        for (index, (source, column)) in sources.iter().zip(columns).enumerate().take(last + 1) {
            let value = after.get(&source.name).ok_or_else(|| {
                ApiError::illegal(format!("Missing value for [after.{}]", source.name))
            })?;
            let mut sql = Sql::new(column);
            sql.push(match (index == last, source.descending) {
                (false, _) => " = ",
                (true, false) => " > ",
                (true, true) => " < ",
            });
            match source.field.value(value, 0, date::Round::Down)? {
                Value::Text(text) => sql.text(text),
                Value::Moment(ms) => sql.integer(ms),
                Value::Boolean(value) => sql.integer(i64::from(value)),
            };
            conditions.push(sql);
        }
        alternatives.push(Sql::join(&conditions, " AND ", "1"));
    }
    Ok(Sql::join(&alternatives, " OR ", "1"))
}
