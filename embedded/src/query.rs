//! The query language for API keys: parsed once into a typed tree, then turned into SQL.

pub(crate) mod aggregation;
pub(crate) mod aggregator;
mod bucket_values;
mod counts;
pub(crate) mod field;
pub(crate) mod parse;
mod simple_query_string;
pub(crate) mod sort;
pub(crate) mod sql;
pub(crate) mod wildcard;

use field::Field;
use wildcard::Wildcard;

/// What a key must be like. Everything in it is well-formed and allowed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Query {
    All,
    None,
    Bool(Box<Bool>),
    /// Equal to one of the values.
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
    Exists(Field),
    Range {
        field: Field,
        from: Option<Bound>,
        to: Option<Bound>,
    },
}

/// Queries put together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bool {
    /// All of them; `must` and `filter` differ only in scores, which nobody sees.
    pub(crate) must: Vec<Query>,
    pub(crate) must_not: Vec<Query>,
    pub(crate) should: Vec<Query>,
    /// How many of `should`, at least.
    pub(crate) should_min: usize,
}

/// A value to compare with, of the type its field has.
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
    /// All of `queries`.
    pub(crate) fn and(queries: Vec<Query>) -> Query {
        Query::Bool(Box::new(Bool {
            must: queries,
            ..Bool::default()
        }))
    }

    /// None of `queries`.
    pub(crate) fn none_of(queries: Vec<Query>) -> Query {
        Query::Bool(Box::new(Bool {
            must_not: queries,
            ..Bool::default()
        }))
    }

    /// At least one of `queries`.
    pub(crate) fn or(queries: Vec<Query>) -> Query {
        Query::Bool(Box::new(Bool {
            should: queries,
            should_min: 1,
            ..Bool::default()
        }))
    }

    /// The field is equal to `value`.
    pub(crate) fn term(field: Field, value: Value) -> Query {
        Query::Terms {
            field,
            values: vec![value],
            case_insensitive: false,
        }
    }

    /// Whether the query selects by `field`.
    pub(crate) fn mentions(&self, wanted: &Field) -> bool {
        match self {
            Query::All | Query::None | Query::Ids(_) => false,
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
