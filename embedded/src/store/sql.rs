//! SQL built from fixed texts and bound values.

use sqlx::{AssertSqlSafe, Sqlite, query::Query, sqlite::SqliteArguments};

/// A fragment of SQL with its values.
///
/// Text is always `&'static str`, and data of a request always a bound value. So no request can
/// change the meaning of a statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sql {
    text: String,
    values: Vec<SqlValue>,
}

/// A bound value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SqlValue {
    Text(String),
    Integer(i64),
}

impl Sql {
    pub(crate) fn new(text: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            values: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(crate) fn bind(&mut self, value: SqlValue) -> &mut Self {
        self.text.push('?');
        self.values.push(value);
        self
    }

    pub(crate) fn text(&mut self, value: impl Into<String>) -> &mut Self {
        self.bind(SqlValue::Text(value.into()))
    }

    pub(crate) fn integer(&mut self, value: i64) -> &mut Self {
        self.bind(SqlValue::Integer(value))
    }

    /// A list of any length, bound as one value.
    pub(crate) fn list(&mut self, values: &[String]) -> &mut Self {
        self.push("(SELECT value FROM json_each(");
        self.text(serde_json::Value::from(values).to_string());
        self.push("))")
    }

    pub(crate) fn append(&mut self, other: &Sql) -> &mut Self {
        self.text.push_str(&other.text);
        self.values.extend_from_slice(&other.values);
        self
    }

    /// The fragments with `separator` between them, or `empty` if there are none.
    pub(crate) fn join(pieces: &[Sql], separator: &'static str, empty: &'static str) -> Sql {
        if pieces.is_empty() {
            return Sql::new(empty);
        }
        let mut joined = Sql::new("(");
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                joined.push(separator);
            }
            joined.append(piece);
        }
        joined.push(")");
        joined
    }

    pub(crate) fn query(self) -> Query<'static, Sqlite, SqliteArguments> {
        let mut query = sqlx::query(AssertSqlSafe(self.text));
        for value in self.values {
            query = match value {
                SqlValue::Text(text) => query.bind(text),
                SqlValue::Integer(integer) => query.bind(integer),
            };
        }
        query
    }
}
