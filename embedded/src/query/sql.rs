//! Turns queries into SQL with bound values.

use super::{
    Bool, Bound, Query, Value,
    field::{Field, FieldKind},
};
use crate::store::{Sql, metadata_values::DIMENSIONS};

/// Facts about the stored keys that the SQL depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SqlContext {
    /// True if a key has several values of a field with a column of its own.
    pub(crate) multi_valued: bool,
}

/// Storage of the values of a field.
pub(super) enum Column {
    /// A column of `api_keys`.
    Plain(&'static str),
    /// Table of metadata values; with a path, only the values at it.
    Metadata(Option<String>),
    /// A column, and for multi-valued keys the table of metadata values at the path.
    PlainOrMetadata(&'static str, String),
}

impl SqlContext {
    pub(super) fn column(self, field: &Field) -> Column {
        match field {
            Field::Name => Column::Plain("name"),
            Field::Username => Column::Plain("username"),
            Field::RealmName => Column::Plain("realm_name"),
            Field::Type => Column::Plain("type"),
            Field::Creation => Column::Plain("creation"),
            Field::Expiration => Column::Plain("expiration"),
            Field::Invalidated => Column::Plain("invalidated"),
            Field::Invalidation => Column::Plain("invalidation"),
            Field::AnyMetadata => Column::Metadata(None),
            // Not a field of keys: no key has a value.
            Field::Stored(_) => Column::Plain("NULL"),
            Field::Metadata(path) => match DIMENSIONS.iter().find(|known| *known == path) {
                Some(column) if self.multi_valued => Column::PlainOrMetadata(column, path.clone()),
                Some(column) => Column::Plain(column),
                None => Column::Metadata(Some(path.clone())),
            },
        }
    }

    /// The query as a condition on `api_keys`. Unknown counts as false.
    pub(crate) fn condition(self, query: &Query) -> Sql {
        match query {
            Query::All => Sql::new("1"),
            Query::None => Sql::new("0"),
            Query::Bool(inner) => self.bool(inner),
            Query::Ids(ids) => {
                let mut sql = Sql::new("id IN ");
                sql.list(ids);
                sql
            }
            Query::NamesWith(trigrams) => {
                let mut sql = Sql::new(
                    "number IN (SELECT rowid FROM api_key_names WHERE api_key_names MATCH ",
                );
                sql.text(trigrams).push(")");
                sql
            }
            Query::Terms {
                field,
                values,
                case_insensitive,
            } => self.on(field, &|column| {
                terms(column, field.kind(), values, *case_insensitive)
            }),
            Query::Prefix {
                field,
                value,
                case_insensitive,
            } => self.on(field, &|column| prefix(column, value, *case_insensitive)),
            Query::Wildcard {
                field,
                pattern,
                case_insensitive,
            } => self.on(field, &|column| {
                let mut sql = Sql::new(column);
                if *case_insensitive {
                    sql.push(" LIKE ").text(pattern.like()).push(" ESCAPE '\\'");
                } else {
                    sql.push(" GLOB ").text(pattern.glob());
                }
                sql
            }),
            Query::Exists(field) => self.on(field, &|column| {
                let mut sql = Sql::new(column);
                sql.push(" IS NOT NULL");
                sql
            }),
            Query::Range { field, from, to } => {
                self.on(field, &|column| range(column, from.as_ref(), to.as_ref()))
            }
        }
    }

    fn bool(self, inner: &Bool) -> Sql {
        let mut conditions: Vec<Sql> = inner
            .must
            .iter()
            .map(|query| self.condition(query))
            .collect();
        for query in &inner.must_not {
            let mut sql = Sql::new("(");
            sql.append(&self.condition(query)).push(") IS NOT TRUE");
            conditions.push(sql);
        }
        let should: Vec<Sql> = inner
            .should
            .iter()
            .map(|query| self.condition(query))
            .collect();
        match inner.should_min {
            0 => {}
            1 => conditions.push(Sql::join(&should, " OR ", "0")),
            // The minimum exceeds the number of clauses.
            minimum if minimum > should.len() => conditions.push(Sql::new("0")),
            minimum => {
                let counted: Vec<Sql> = should
                    .iter()
                    .map(|condition| {
                        let mut sql = Sql::new("((");
                        sql.append(condition).push(") IS TRUE)");
                        sql
                    })
                    .collect();
                let mut sql = Sql::join(&counted, " + ", "0");
                sql.push(" >= ")
                    .integer(i64::try_from(minimum).unwrap_or(i64::MAX));
                conditions.push(sql);
            }
        }
        Sql::join(&conditions, " AND ", "1")
    }

    /// A condition on a field, wherever its values are stored.
    fn on(self, field: &Field, condition: &dyn Fn(&'static str) -> Sql) -> Sql {
        match self.column(field) {
            Column::Plain(column) => condition(column),
            Column::Metadata(Some(path)) => metadata_value(&path, condition),
            Column::Metadata(None) => {
                let mut sql = Sql::new("(");
                for column in DIMENSIONS {
                    sql.append(&condition(column)).push(" OR ");
                }
                sql.push("number IN (SELECT api_key FROM api_key_leaves WHERE ")
                    .append(&condition("value"))
                    .push("))");
                sql
            }
            Column::PlainOrMetadata(column, path) => {
                let mut sql = Sql::new("CASE irregular WHEN 0 THEN ");
                sql.append(&condition(column))
                    .push(" ELSE ")
                    .append(&metadata_value(&path, condition))
                    .push(" END");
                sql
            }
        }
    }
}

fn metadata_value(path: &str, condition: &dyn Fn(&'static str) -> Sql) -> Sql {
    let mut sql = Sql::new("number IN (SELECT api_key FROM api_key_leaves WHERE path = ");
    sql.text(path)
        .push(" AND ")
        .append(&condition("value"))
        .push(")");
    sql
}

fn terms(column: &'static str, kind: FieldKind, values: &[Value], case_insensitive: bool) -> Sql {
    if kind == FieldKind::Boolean {
        // Literals, because SQLite does not use a partial index for a bound value.
        let has = |wanted| values.contains(&Value::Boolean(wanted));
        return match (has(true), has(false)) {
            (true, true) => Sql::new("1"),
            (true, false) => Sql::new("invalidated = 1"),
            (false, true) => Sql::new("invalidated = 0"),
            (false, false) => Sql::new("0"),
        };
    }
    let mut sql = Sql::default();
    if case_insensitive {
        sql.push("lower(").push(column).push(")");
    } else {
        sql.push(column);
    }
    match values {
        [one] => {
            sql.push(" = ");
            match one {
                Value::Text(text) if case_insensitive => sql.text(text.to_ascii_lowercase()),
                other => bind(&mut sql, other),
            };
        }
        many => {
            let moments: Vec<i64> = many
                .iter()
                .filter_map(|value| match value {
                    Value::Moment(ms) => Some(*ms),
                    Value::Text(_) | Value::Boolean(_) => None,
                })
                .collect();
            let texts: Vec<String> = many
                .iter()
                .filter_map(|value| match value {
                    Value::Text(text) => Some(text.clone()),
                    Value::Moment(_) | Value::Boolean(_) => None,
                })
                .collect();
            sql.push(" IN ");
            if kind == FieldKind::Moment {
                sql.push("(SELECT value FROM json_each(")
                    .text(serde_json::Value::from(moments).to_string())
                    .push("))");
            } else {
                sql.list(&texts);
            }
        }
    }
    sql
}

fn prefix(column: &'static str, value: &str, case_insensitive: bool) -> Sql {
    let mut sql = Sql::default();
    if case_insensitive {
        let length = i64::try_from(value.chars().count()).unwrap_or(i64::MAX);
        sql.push("lower(substr(")
            .push(column)
            .push(", 1, ")
            .integer(length)
            .push(")) = ")
            .text(value.to_ascii_lowercase());
    } else {
        sql.push("(")
            .push(column)
            .push(" >= ")
            .text(value)
            .push(" AND ")
            .push(column)
            .push(" < ")
            .text(format!("{value}\u{10FFFF}"))
            .push(")");
    }
    sql
}

fn range(column: &'static str, from: Option<&Bound>, to: Option<&Bound>) -> Sql {
    let mut conditions = Vec::new();
    for (bound, inclusive, exclusive) in [(from, " >= ", " > "), (to, " <= ", " < ")] {
        if let Some(bound) = bound {
            let mut sql = Sql::new(column);
            sql.push(if bound.inclusive {
                inclusive
            } else {
                exclusive
            });
            bind(&mut sql, &bound.value);
            conditions.push(sql);
        }
    }
    if conditions.is_empty() {
        let mut sql = Sql::new(column);
        sql.push(" IS NOT NULL");
        return sql;
    }
    Sql::join(&conditions, " AND ", "1")
}

pub(super) fn bind<'s>(sql: &'s mut Sql, value: &Value) -> &'s mut Sql {
    match value {
        Value::Text(text) => sql.text(text.clone()),
        Value::Moment(ms) => sql.integer(*ms),
        Value::Boolean(value) => sql.integer(i64::from(*value)),
    }
}
