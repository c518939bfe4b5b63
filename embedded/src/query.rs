//! The query language for API keys: parsed into a typed tree, then turned into SQL.

pub(crate) mod aggregation;
pub(crate) mod aggregator;
mod counts;
pub(crate) mod field;
pub(crate) mod names;
pub(crate) mod parse;
mod simple_query_string;
pub(crate) mod sort;
pub(crate) mod sql;

use crate::query::names::Wildcard;
use field::Field;

/// A condition on keys. Fields are allowed ones, and values have their field's type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Query {
    All,
    None,
    Bool(Box<Bool>),
    /// The field equals one of the values.
    Terms {
        field: Field,
        values: Vec<Value>,
        case_insensitive: bool,
    },
    Ids(Vec<String>),
    Prefix {
        field: Field,
        value: String,
        case_insensitive: bool,
    },
    Wildcard {
        field: Field,
        pattern: Wildcard,
        case_insensitive: bool,
    },
    /// The name has trigrams that match an expression of SQLite's full-text search.
    NamesWith(String),
    Exists(Field),
    Range {
        field: Field,
        from: Option<Bound>,
        to: Option<Bound>,
    },
}

/// A combination of queries.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bool {
    /// All must match. Includes `filter`, which differs from `must` only in scores.
    pub(crate) must: Vec<Query>,
    pub(crate) must_not: Vec<Query>,
    pub(crate) should: Vec<Query>,
    /// Minimum number of matches in `should`.
    pub(crate) should_min: usize,
}

/// A value of the type of its field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    /// Milliseconds since 1970.
    Moment(i64),
    Boolean(bool),
}

/// One end of a range.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bound {
    pub(crate) value: Value,
    pub(crate) inclusive: bool,
}

impl Query {
    pub(crate) fn and(queries: Vec<Query>) -> Query {
        Query::Bool(Box::new(Bool {
            must: queries,
            ..Bool::default()
        }))
    }

    pub(crate) fn none_of(queries: Vec<Query>) -> Query {
        Query::Bool(Box::new(Bool {
            must_not: queries,
            ..Bool::default()
        }))
    }

    pub(crate) fn or(queries: Vec<Query>) -> Query {
        Query::Bool(Box::new(Bool {
            should: queries,
            should_min: 1,
            ..Bool::default()
        }))
    }

    /// The field equals `value`.
    pub(crate) fn term(field: Field, value: Value) -> Query {
        Query::Terms {
            field,
            values: vec![value],
            case_insensitive: false,
        }
    }

    /// Returns true if the query has a condition on `wanted`.
    pub(crate) fn mentions(&self, wanted: &Field) -> bool {
        match self {
            Query::All | Query::None | Query::Ids(_) | Query::NamesWith(_) => false,
            Query::Bool(inner) => inner
                .must
                .iter()
                .chain(&inner.must_not)
                .chain(&inner.should)
                .any(|query| query.mentions(wanted)),
            Query::Terms { field, .. }
            | Query::Prefix { field, .. }
            | Query::Wildcard { field, .. }
            | Query::Exists(field)
            | Query::Range { field, .. } => field == wanted,
        }
    }
}
