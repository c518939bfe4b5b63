//! Sort order of a list, and the position where a page begins.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::{
    Query, Value,
    field::{Document, Documents, Field, FieldKind, order},
    sql::{Column, SqlContext, bind},
};
use crate::{
    date::{Format, Round},
    error::ApiError,
    fields::{ErrorStyle, Fields},
    store::{Sql, api_keys::Key},
};

/// Maximum number of fields of one sort order.
const FIELDS_MAX: usize = 16;

/// One field of a sort order.
#[derive(Clone, Debug)]
pub(crate) struct SortField {
    /// `None` is `_doc`, the order of insertion.
    field: Option<Field>,
    descending: bool,
    /// Format of timestamps in responses; `None` for milliseconds.
    format: Option<Format>,
    missing: Missing,
}

/// Position of keys without a value.
#[derive(Clone, Debug, PartialEq)]
enum Missing {
    Last,
    First,
    /// Where a key with this value is.
    Value(Value),
}

/// Parses `sort`: a name, an object, or a list of them.
pub(crate) fn parse_sort(
    documents: Documents,
    json: Json,
    now_ms: i64,
) -> Result<Vec<SortField>, ApiError> {
    let entries = match json {
        Json::Array(entries) => entries,
        one => vec![one],
    };
    let mut sort = Vec::new();
    for entry in entries {
        match entry {
            Json::String(name) => sort.push(SortField::new(documents, &name)?),
            Json::Object(fields) if fields.len() == 1 => {
                for (name, options) in fields {
                    sort.push(SortField::parse(documents, &name, options, now_ms)?);
                }
            }
            _ => return Err(ApiError::illegal("mal-formatted sort object")),
        }
    }
    if sort.len() > FIELDS_MAX {
        return Err(ApiError::illegal(format!(
            "cannot sort by more than [{FIELDS_MAX}] fields"
        )));
    }
    Ok(sort)
}

/// Parses `search_after`: one value for each field of the sort order.
pub(crate) fn parse_after(
    json: &[Json],
    sort: &[SortField],
    now_ms: i64,
) -> Result<Vec<Option<Value>>, ApiError> {
    if sort.is_empty() {
        return Err(ApiError::illegal("Sort must contain at least one field."));
    }
    if json.len() != sort.len() {
        return Err(ApiError::illegal(format!(
            "search_after has {} value(s) but sort has {}.",
            json.len(),
            sort.len()
        )));
    }
    json.iter()
        .zip(sort)
        .map(|(value, field)| field.after(value, now_ms))
        .collect()
}

impl SortField {
    fn new(documents: Documents, name: &str) -> Result<Self, ApiError> {
        let field = if name == "_doc" {
            None
        } else {
            Some(documents.sort_field(name)?)
        };
        Ok(Self {
            field,
            descending: false,
            format: None,
            missing: Missing::Last,
        })
    }

    fn parse(
        documents: Documents,
        name: &str,
        options: Json,
        now_ms: i64,
    ) -> Result<Self, ApiError> {
        let mut sort = Self::new(documents, name)?;
        let order = match options {
            Json::String(order) => Some(order),
            options => {
                let mut fields = Fields::of(options, ErrorStyle::XContent("field_sort"))?;
                let order = fields.string("order")?;
                if let Some(format) = fields.string("format")? {
                    sort.format = Some(sort.parse_format(name, &format)?);
                }
                if fields.value("nested").is_some() {
                    return Err(ApiError::illegal(
                        "nested sorting is not currently supported in this context",
                    ));
                }
                if let Some(missing) = fields.value("missing") {
                    sort.missing = sort.parse_missing(&missing, now_ms)?;
                }
                for ignored in ["unmapped_type", "numeric_type", "mode"] {
                    fields.value(ignored);
                }
                fields.finish()?;
                order
            }
        };
        sort.descending = match order.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(other) => {
                return Err(ApiError::illegal(format!("Unknown SortOrder [{other}]")));
            }
        };
        Ok(sort)
    }

    fn parse_format(&self, name: &str, format: &str) -> Result<Format, ApiError> {
        let kind = match self.field.as_ref().map(Field::kind) {
            Some(FieldKind::Moment) => return Format::named(format),
            Some(FieldKind::Boolean) => "boolean",
            Some(FieldKind::Text) | None => "keyword",
        };
        Err(ApiError::illegal(format!(
            "Field [{name}] of type [{kind}] does not support custom formats"
        )))
    }

    fn parse_missing(&self, json: &Json, now_ms: i64) -> Result<Missing, ApiError> {
        match (json.as_str(), &self.field) {
            (Some("_last"), _) | (_, None) => Ok(Missing::Last),
            (Some("_first"), _) => Ok(Missing::First),
            (_, Some(field)) => field.value(json, now_ms, Round::Down).map(Missing::Value),
        }
    }

    /// The value shown for a missing timestamp: beyond all others, where the key is.
    const fn missing_ms(&self) -> i64 {
        if self.descending == matches!(self.missing, Missing::First) {
            i64::MAX
        } else {
            i64::MIN
        }
    }

    fn after(&self, json: &Json, now_ms: i64) -> Result<Option<Value>, ApiError> {
        let Some(field) = &self.field else {
            return json
                .as_i64()
                .map(|number| Some(Value::Moment(number)))
                .ok_or_else(|| {
                    ApiError::illegal("Failed to parse search_after value for field [_doc]")
                });
        };
        let is_moment = field.kind() == FieldKind::Moment;
        if json.is_null() || (is_moment && json.as_i64() == Some(self.missing_ms())) {
            return Ok(None);
        }
        match (self.format, json.as_str()) {
            (Some(format), Some(text)) => {
                format.parse(text, now_ms).map(|ms| Some(Value::Moment(ms)))
            }
            _ => field.value(json, now_ms, Round::Down).map(Some),
        }
    }

    /// Returns true if `query` has a condition on this field.
    pub(crate) fn is_in(&self, query: &Query) -> bool {
        self.field
            .as_ref()
            .is_some_and(|field| query.mentions(field))
    }

    /// The value of a document: the smallest of several, or in descending order the largest.
    pub(crate) fn value_of(&self, document: &Document) -> Option<Value> {
        let Some(field) = &self.field else {
            return Some(Value::Moment(document.number));
        };
        let values = document.sort_values(field).into_iter();
        let found = if self.descending {
            values.max_by(order)
        } else {
            values.min_by(order)
        };
        match &self.missing {
            Missing::Value(missing) => found.or_else(|| Some(missing.clone())),
            Missing::Last | Missing::First => found,
        }
    }

    /// The order of two values of documents.
    pub(crate) fn compare(&self, left: &Option<Value>, right: &Option<Value>) -> Ordering {
        let without = |missing: Ordering| match self.missing {
            Missing::First => missing,
            Missing::Last | Missing::Value(_) => missing.reverse(),
        };
        match (left, right) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => without(Ordering::Less),
            (Some(_), None) => without(Ordering::Greater),
            (Some(left), Some(right)) if self.descending => order(right, left),
            (Some(left), Some(right)) => order(left, right),
        }
    }

    /// The value of a key in `_sort`.
    pub(crate) fn shown(&self, key: &Key) -> Json {
        let or_missing = match &self.missing {
            Missing::Value(Value::Moment(ms)) => Some(*ms),
            _ => None,
        };
        let moment = |ms: Option<i64>| match (ms.or(or_missing), self.format) {
            (Some(ms), Some(format)) => format.format(ms).into(),
            (Some(ms), None) => ms.into(),
            (None, Some(_)) => Json::Null,
            (None, None) => self.missing_ms().into(),
        };
        match &self.field {
            None => key.number.into(),
            Some(Field::Name) => key.name.clone().into(),
            Some(Field::Username) => key.username.clone().into(),
            Some(Field::RealmName) => key.realm.name.clone().into(),
            Some(Field::Type) => key.kind.clone().into(),
            Some(Field::Creation) => moment(Some(key.creation)),
            Some(Field::Expiration) => moment(key.expiration),
            Some(Field::Invalidation) => moment(key.invalidation),
            Some(Field::Invalidated) => key.invalidation.is_some().into(),
            Some(Field::AnyMetadata | Field::Stored(_)) => Json::Null,
            Some(Field::Metadata(path)) => match (key.smallest_metadata_value(path), &self.missing)
            {
                (Some(value), _) => value.into(),
                (None, Missing::Value(Value::Text(value))) => value.clone().into(),
                (None, _) => Json::Null,
            },
        }
    }

    fn nullable(&self) -> bool {
        let has_none = matches!(
            self.field,
            Some(Field::Expiration | Field::Invalidation | Field::Metadata(_))
        );
        has_none && !matches!(self.missing, Missing::Value(_))
    }

    fn expression(&self, context: SqlContext) -> Sql {
        let stored = self.stored(context);
        let Missing::Value(value) = &self.missing else {
            return stored;
        };
        let mut sql = Sql::new("ifnull(");
        sql.append(&stored).push(", ");
        bind(&mut sql, value).push(")");
        sql
    }

    fn stored(&self, context: SqlContext) -> Sql {
        let Some(field) = &self.field else {
            return Sql::new("number");
        };
        match context.column(field) {
            Column::Plain(column) => Sql::new(column),
            Column::Metadata(path) => smallest(path.as_deref().unwrap_or_default()),
            Column::PlainOrMetadata(column, path) => {
                let mut sql = Sql::new("CASE irregular WHEN 0 THEN ");
                sql.push(column)
                    .push(" ELSE ")
                    .append(&smallest(&path))
                    .push(" END");
                sql
            }
        }
    }
}

fn smallest(path: &str) -> Sql {
    let mut sql =
        Sql::new("(SELECT min(value) FROM api_key_leaves WHERE api_key = number AND path = ");
    sql.text(path).push(")");
    sql
}

/// A segment of the list: a condition, and the order within it. Segments follow each other, and
/// each can be read from an index alone.
pub(crate) struct Segment {
    pub(crate) condition: Sql,
    pub(crate) order: Sql,
}

/// Strategy of SQLite to read a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadStrategy {
    /// Along the index of the sort order, skipping keys that do not match the query.
    InOrder,
    /// By the index of the query's conditions, and sorted afterwards.
    BySelection,
}

/// The segments of the list after `after`, in order.
///
/// "After (a, b)" is "equal to a and after b", then "after a". Missing values are in a segment of
/// their own, the last one by default.
pub(crate) fn segments(
    context: SqlContext,
    sort: &[SortField],
    after: Option<&[Option<Value>]>,
    strategy: ReadStrategy,
) -> Vec<Segment> {
    let list = List {
        context,
        sort,
        strategy,
    };
    match after {
        None => list.segments_from_start(),
        Some(after) => list.segments_after(after),
    }
}

struct List<'a> {
    context: SqlContext,
    sort: &'a [SortField],
    strategy: ReadStrategy,
}

impl List<'_> {
    fn segments_from_start(&self) -> Vec<Segment> {
        let Some(first) = self.sort.first() else {
            return vec![self.segment(0, Sql::new("1"))];
        };
        // Always true for a value. It makes SQLite take the index of the sort order.
        let least = match first.field.as_ref().map(Field::kind) {
            None | Some(FieldKind::Moment) => Value::Moment(i64::MIN),
            Some(FieldKind::Text) => Value::Text(String::new()),
            Some(FieldKind::Boolean) => Value::Boolean(false),
        };
        let mut segments = vec![self.segment(0, self.compare(first, " >= ", Some(&least)))];
        if first.nullable() {
            let without = self.segment(1, self.compare(first, " IS NULL", None));
            let at = usize::from(first.missing != Missing::First);
            segments.insert(at, without);
        }
        segments
    }

    fn segments_after(&self, after: &[Option<Value>]) -> Vec<Segment> {
        let mut segments = Vec::new();
        for last in (0..self.sort.len()).rev() {
            let mut equal = Sql::new("1");
            for (field, value) in self.sort.iter().zip(after).take(last) {
                equal.push(" AND ").append(&match value {
                    Some(value) => self.compare(field, " = ", Some(value)),
                    None => self.compare(field, " IS NULL", None),
                });
            }
            let (Some(field), Some(value)) = (self.sort.get(last), after.get(last)) else {
                continue;
            };
            let Some(value) = value else {
                // Values come after missing ones only if these are first.
                if field.nullable() && field.missing == Missing::First {
                    equal
                        .push(" AND ")
                        .append(&self.compare(field, " IS NOT NULL", None));
                    segments.push(self.segment(last, equal));
                }
                continue;
            };
            let beyond = if field.descending { " < " } else { " > " };
            let mut condition = equal.clone();
            condition
                .push(" AND ")
                .append(&self.compare(field, beyond, Some(value)));
            segments.push(self.segment(last, condition));
            if field.nullable() && field.missing != Missing::First {
                equal
                    .push(" AND ")
                    .append(&self.compare(field, " IS NULL", None));
                segments.push(self.segment(last + 1, equal));
            }
        }
        segments
    }

    fn compare(&self, field: &SortField, operator: &'static str, value: Option<&Value>) -> Sql {
        let mut sql = field.expression(self.context);
        sql.push(operator);
        match value {
            None => &mut sql,
            Some(Value::Text(text)) => sql.text(text.clone()),
            Some(Value::Moment(ms)) => sql.integer(*ms),
            Some(Value::Boolean(value)) => sql.integer(i64::from(*value)),
        };
        sql
    }

    /// A segment in which the first `fixed` fields of the order are constant.
    fn segment(&self, fixed: usize, condition: Sql) -> Segment {
        // A plus keeps SQLite from choosing an index by this column.
        let hide = if self.strategy == ReadStrategy::InOrder {
            ""
        } else {
            "+"
        };
        let direction = |descending: bool| if descending { " DESC" } else { " ASC" };
        let mut order = Sql::default();
        for (index, field) in self.sort.iter().enumerate().skip(fixed) {
            order.push(hide).append(&field.expression(self.context));
            order.push(direction(field.descending));
            // Missing values of the first field are in a segment of their own.
            if field.nullable() && index > fixed {
                let first = field.missing == Missing::First;
                order.push(if first { " NULLS FIRST" } else { " NULLS LAST" });
            }
            order.push(", ");
        }
        // Ties are broken by number, so that pages stay consistent.
        order.push(hide).push("number");
        order.push(direction(
            self.sort.last().is_some_and(|last| last.descending),
        ));
        Segment { condition, order }
    }
}
