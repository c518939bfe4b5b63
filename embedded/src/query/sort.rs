//! Sort order of a list, and the position where a page begins.

use serde_json::Value as Json;

use super::{
    Query, Value,
    field::{Field, FieldKind},
    sql::{Column, SqlContext},
};
use crate::{
    date::{self, Round},
    error::ApiError,
    fields::{ErrorStyle, Fields},
    store::{api_keys::Key, sql::Sql},
};

/// Maximum number of fields of one sort order.
const FIELDS_MAX: usize = 16;

/// One field of a sort order.
#[derive(Clone, Debug)]
pub(crate) struct SortField {
    /// `None` is `_doc`, the order of insertion.
    field: Option<Field>,
    descending: bool,
    /// True if timestamps are shown as text.
    formatted: bool,
}

/// Parses `sort`: a name, an object, or a list of them.
pub(crate) fn parse_sort(json: Json) -> Result<Vec<SortField>, ApiError> {
    let entries = match json {
        Json::Array(entries) => entries,
        one => vec![one],
    };
    let mut sort = Vec::new();
    for entry in entries {
        match entry {
            Json::String(name) => sort.push(SortField::new(&name)?),
            Json::Object(fields) => {
                for (name, options) in fields {
                    sort.push(SortField::parse(&name, options)?);
                }
            }
            _ => {
                return Err(ApiError::illegal(
                    "malformed sort format, within the sort array, an object, or an actual string are allowed",
                ));
            }
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
    fn new(name: &str) -> Result<Self, ApiError> {
        let field = if name == "_doc" {
            None
        } else {
            Some(Field::parse(name)?)
        };
        if field == Some(Field::AnyMetadata) {
            return Err(ApiError::illegal(
                "Field [metadata] is not supported for sorting",
            ));
        }
        Ok(Self {
            field,
            descending: false,
            formatted: false,
        })
    }

    fn parse(name: &str, options: Json) -> Result<Self, ApiError> {
        let mut sort = Self::new(name)?;
        let order = match options {
            Json::String(order) => Some(order),
            options => {
                let mut fields = Fields::of(options, ErrorStyle::XContent("field_sort"))?;
                let order = fields.string("order")?;
                sort.formatted = fields.string("format")?.is_some();
                if fields.value("nested").is_some() {
                    return Err(ApiError::illegal(
                        "nested sorting is not supported for API Key query",
                    ));
                }
                if let Some(missing) = fields.string("missing")?
                    && missing != "_last"
                {
                    return Err(ApiError::illegal(format!(
                        "missing [{missing}] is not supported for API Key query"
                    )));
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

    fn after(&self, json: &Json, now_ms: i64) -> Result<Option<Value>, ApiError> {
        let Some(field) = &self.field else {
            return json
                .as_i64()
                .map(|number| Some(Value::Moment(number)))
                .ok_or_else(|| {
                    ApiError::illegal("Failed to parse search_after value for field [_doc]")
                });
        };
        // The value shown for a missing timestamp.
        let missing = if self.descending { i64::MIN } else { i64::MAX };
        if json.is_null() || (field.kind() == FieldKind::Moment && json.as_i64() == Some(missing)) {
            return Ok(None);
        }
        field.value(json, now_ms, Round::Down).map(Some)
    }

    /// Returns true if `query` has a condition on this field.
    pub(crate) fn is_in(&self, query: &Query) -> bool {
        self.field
            .as_ref()
            .is_some_and(|field| query.mentions(field))
    }

    /// The value of a key in `_sort`.
    pub(crate) fn shown(&self, key: &Key) -> Json {
        let moment = |ms: Option<i64>| match ms {
            Some(ms) if self.formatted => date::format(ms).into(),
            Some(ms) => ms.into(),
            None if self.formatted => Json::Null,
            None if self.descending => i64::MIN.into(),
            None => i64::MAX.into(),
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
            Some(Field::AnyMetadata) => Json::Null,
            Some(Field::Metadata(path)) => key
                .smallest_metadata_value(path)
                .map_or(Json::Null, Json::from),
        }
    }

    fn nullable(&self) -> bool {
        matches!(
            self.field,
            Some(Field::Expiration | Field::Invalidation | Field::Metadata(_))
        )
    }

    fn expression(&self, context: SqlContext) -> Sql {
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
/// "After (a, b)" is "equal to a and after b", then "after a". Missing values come last in both
/// directions, in a segment of their own.
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
            segments.push(self.segment(1, self.compare(first, " IS NULL", None)));
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
            let (Some(field), Some(Some(value))) = (self.sort.get(last), after.get(last)) else {
                // No value comes after a missing one.
                continue;
            };
            let beyond = if field.descending { " < " } else { " > " };
            let mut condition = equal.clone();
            condition
                .push(" AND ")
                .append(&self.compare(field, beyond, Some(value)));
            segments.push(self.segment(last, condition));
            if field.nullable() {
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
            if field.nullable() && index > fixed && !field.descending {
                order.push(" NULLS LAST");
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
