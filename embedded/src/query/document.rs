//! Roles and users as documents, on which queries are evaluated in memory.

use std::{cmp::Ordering, collections::BTreeMap};

use serde_json::{Map, Value as Json};

use super::{
    Bound, Query, Value,
    field::{Field, words},
};
use crate::store::metadata_values::MetadataValues;

/// The queryable values of a role or user.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// Position in the order of `_doc`.
    pub(crate) number: i64,
    /// Its `_id` in Elasticsearch.
    pub(crate) id: String,
    pub(crate) fields: BTreeMap<&'static str, Vec<Value>>,
    pub(crate) metadata: Map<String, Json>,
}

impl Document {
    /// Sets the texts of a field.
    pub(crate) fn put<'t>(&mut self, name: &'static str, texts: impl Iterator<Item = &'t str>) {
        let values = texts.map(|text| Value::Text(text.to_owned())).collect();
        self.fields.insert(name, values);
    }

    /// The values of a field as they are.
    pub(crate) fn sort_values(&self, field: &Field) -> Vec<Value> {
        let texts = match field {
            Field::Stored(name) => return self.fields.get(name).cloned().unwrap_or_default(),
            Field::Metadata(path) => MetadataValues::at(&self.metadata, path),
            Field::AnyMetadata => MetadataValues::all(&self.metadata),
            _ => Vec::new(),
        };
        texts.into_iter().map(Value::Text).collect()
    }

    /// The values of a field as it is indexed: an analyzed field word by word.
    fn values(&self, field: &Field) -> Vec<Value> {
        let values = self.sort_values(field);
        if !field.is_analyzed() {
            return values;
        }
        let mut indexed = Vec::new();
        for value in values {
            if let Value::Text(text) = value {
                indexed.extend(words(&text));
                // An email is found as a whole as well.
                indexed.push(text.to_lowercase());
            }
        }
        indexed.into_iter().map(Value::Text).collect()
    }

    /// Returns true if the query matches.
    pub(crate) fn matches(&self, query: &Query) -> bool {
        match query {
            Query::All => true,
            Query::None | Query::NamesWith(_) => false,
            Query::Bool(inner) => {
                let should = inner.should.iter().filter(|query| self.matches(query));
                inner.must.iter().all(|query| self.matches(query))
                    && !inner.must_not.iter().any(|query| self.matches(query))
                    && should.count() >= inner.should_min
            }
            Query::Ids(ids) => ids.contains(&self.id),
            Query::Terms {
                field,
                values,
                case_insensitive,
            } => self.any(field, |found| {
                values.iter().any(|value| match (found, value) {
                    (Value::Text(found), Value::Text(text)) if *case_insensitive => {
                        found.eq_ignore_ascii_case(text)
                    }
                    _ => found == value,
                })
            }),
            Query::Prefix {
                field,
                value,
                case_insensitive,
            } => self.any_text(field, |text| {
                let start = text.get(..value.len());
                start.is_some_and(|start| {
                    start == value || (*case_insensitive && start.eq_ignore_ascii_case(value))
                })
            }),
            Query::Wildcard {
                field,
                pattern,
                case_insensitive: false,
            } => self.any_text(field, |text| pattern.matches(text)),
            Query::Wildcard { field, pattern, .. } => {
                let pattern = pattern.to_ascii_lowercase();
                self.any_text(field, |text| pattern.matches(&text.to_ascii_lowercase()))
            }
            Query::Exists(field) => !self.values(field).is_empty(),
            Query::Range { field, from, to } => self.any(field, |value| {
                from.as_ref().is_none_or(|from| is_after(value, from))
                    && to.as_ref().is_none_or(|to| is_before(value, to))
            }),
        }
    }

    fn any(&self, field: &Field, holds: impl Fn(&Value) -> bool) -> bool {
        self.values(field).iter().any(holds)
    }

    fn any_text(&self, field: &Field, holds: impl Fn(&str) -> bool) -> bool {
        self.any(field, |value| match value {
            Value::Text(text) => holds(text),
            Value::Moment(_) | Value::Boolean(_) => false,
        })
    }
}

fn is_after(value: &Value, bound: &Bound) -> bool {
    let order = order(value, &bound.value);
    order.is_gt() || (bound.inclusive && order.is_eq())
}

fn is_before(value: &Value, bound: &Bound) -> bool {
    let order = order(value, &bound.value);
    order.is_lt() || (bound.inclusive && order.is_eq())
}
/// Compares two values of one field.
pub(super) fn order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Moment(left), Value::Moment(right)) => left.cmp(right),
        (Value::Boolean(left), Value::Boolean(right)) => left.cmp(right),
        // They have one type.
        _ => Ordering::Equal,
    }
}
