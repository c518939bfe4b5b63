//! Computes aggregations. A bucket's value is read as SQLite stores it and shown as Elasticsearch does.

use crate::{
    date,
    error::ApiError,
    query::{
        Bound, Query, Value,
        aggregation::{
            Aggregation, AggregationKind, Buckets, CompositeSource, Range, Source, Terms,
            TermsOrder, ValueFilter, Values,
        },
        counts::{total, values_or},
        field::{Field, FieldKind},
        sql::{Column, SqlContext, bind},
    },
    store::Sql,
};
use serde_json::{Map, Value as Json, json};
use sqlx::{Row, SqliteConnection, TypeInfo, ValueRef, sqlite::SqliteRow};
use std::pin::Pin;

/// Maximum number of SQL statements of one request. Each bucket with sub-aggregations takes some.
const STATEMENTS_MAX: usize = 2_000;

/// Computes aggregations over one connection.
pub(crate) struct Aggregator<'a> {
    pub(crate) connection: &'a mut SqliteConnection,
    pub(crate) context: SqlContext,
    /// True if the names in the response get the type as a prefix.
    pub(crate) typed_keys: bool,
    statements: usize,
}

type ResultFuture<'f, T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send + 'f>>;

impl<'a> Aggregator<'a> {
    pub(crate) const fn new(
        connection: &'a mut SqliteConnection,
        context: SqlContext,
        typed_keys: bool,
    ) -> Self {
        Self {
            connection,
            context,
            typed_keys,
            statements: 0,
        }
    }

    /// Counts the keys that match `query`.
    pub(crate) async fn total(&mut self, query: &Query) -> Result<i64, ApiError> {
        let row = self.one(total(self.context, query)).await?;
        Ok(row.try_get(0)?)
    }

    /// Computes `aggregations` over the keys that match `query`.
    pub(crate) fn compute<'f>(
        &'f mut self,
        aggregations: &'f [Aggregation],
        query: &'f Query,
    ) -> ResultFuture<'f, Map<String, Json>> {
        Box::pin(async move {
            let mut results = Map::new();
            for aggregation in aggregations {
                let (kind, mut result) = self.compute_one(aggregation, query).await?;
                if let (Some(meta), Some(object)) = (&aggregation.meta, result.as_object_mut()) {
                    object.insert("meta".to_owned(), Json::Object(meta.clone()));
                }
                let name = if self.typed_keys {
                    format!("{kind}#{}", aggregation.name)
                } else {
                    aggregation.name.clone()
                };
                results.insert(name, result);
            }
            Ok(results)
        })
    }

    /// Returns the type of the result and the result.
    async fn compute_one(
        &mut self,
        aggregation: &Aggregation,
        query: &Query,
    ) -> Result<(&'static str, Json), ApiError> {
        let inner = &aggregation.inner;
        match &aggregation.kind {
            AggregationKind::Terms(terms) => {
                let kind = match terms.source.field.kind() {
                    FieldKind::Text => "sterms",
                    FieldKind::Moment | FieldKind::Boolean => "lterms",
                };
                Ok((kind, self.terms(query, inner, terms).await?))
            }
            AggregationKind::Filter(filter) => {
                let both = Query::and(vec![query.clone(), filter.clone()]);
                Ok(("filter", self.bucket(&both, inner, Map::new()).await?))
            }
            AggregationKind::Filters { buckets, other } => Ok((
                "filters",
                self.filters(query, inner, buckets, other.as_deref())
                    .await?,
            )),
            AggregationKind::Missing(field) => {
                let without = Query::none_of(vec![Query::Exists(field.clone())]);
                let both = Query::and(vec![query.clone(), without]);
                Ok(("missing", self.bucket(&both, inner, Map::new()).await?))
            }
            AggregationKind::Cardinality(source) => {
                let count = self
                    .count("SELECT count(DISTINCT value) FROM (", query, source)
                    .await?;
                Ok(("cardinality", json!({ "value": count })))
            }
            AggregationKind::ValueCount(source) => {
                let sum =
                    "SELECT ifnull(sum(CASE WHEN value IS NULL THEN 0 ELSE weight END), 0) FROM (";
                Ok((
                    "value_count",
                    json!({ "value": self.count(sum, query, source).await? }),
                ))
            }
            AggregationKind::Range {
                field,
                ranges,
                keyed,
                dates,
            } => {
                let kind = if *dates { "date_range" } else { "range" };
                Ok((
                    kind,
                    self.ranges(query, inner, field, ranges, *keyed, *dates)
                        .await?,
                ))
            }
            AggregationKind::Composite {
                sources,
                size,
                after,
            } => Ok((
                "composite",
                self.composite(query, inner, sources, *size, after.as_ref())
                    .await?,
            )),
        }
    }

    async fn count(
        &mut self,
        start: &'static str,
        query: &Query,
        source: &Source,
    ) -> Result<i64, ApiError> {
        let mut sql = Sql::new(start);
        let missing = source.missing.as_ref();
        sql.append(&values_or(self.context, query, &source.field, missing))
            .push(")");
        Ok(self.one(sql).await?.try_get(0)?)
    }

    /// A bucket of the keys that match `query`.
    async fn bucket(
        &mut self,
        query: &Query,
        inner: &[Aggregation],
        mut bucket: Map<String, Json>,
    ) -> Result<Json, ApiError> {
        let count = self.total(query).await?;
        bucket.insert("doc_count".to_owned(), count.into());
        bucket.append(&mut self.compute(inner, query).await?);
        Ok(Json::Object(bucket))
    }

    async fn filters(
        &mut self,
        query: &Query,
        inner: &[Aggregation],
        buckets: &Buckets,
        other: Option<&str>,
    ) -> Result<Json, ApiError> {
        let filters: Vec<(Option<&str>, &Query)> = match buckets {
            Buckets::Named(named) => named
                .iter()
                .map(|(name, filter)| (Some(name.as_str()), filter))
                .collect(),
            Buckets::Listed(list) => list.iter().map(|filter| (None, filter)).collect(),
        };
        let mut named = Map::new();
        let mut listed = Vec::new();
        for (name, filter) in &filters {
            let both = Query::and(vec![query.clone(), (*filter).clone()]);
            let bucket = self.bucket(&both, inner, Map::new()).await?;
            match name {
                Some(name) => {
                    named.insert((*name).to_owned(), bucket);
                }
                None => listed.push(bucket),
            }
        }
        if let Some(other) = other {
            let rest = Query::none_of(
                filters
                    .iter()
                    .map(|(_, filter)| (*filter).clone())
                    .collect(),
            );
            let both = Query::and(vec![query.clone(), rest]);
            let bucket = self.bucket(&both, inner, Map::new()).await?;
            match buckets {
                Buckets::Named(_) => {
                    named.insert(other.to_owned(), bucket);
                }
                Buckets::Listed(_) => listed.push(bucket),
            }
        }
        Ok(match buckets {
            Buckets::Named(_) => json!({ "buckets": named }),
            Buckets::Listed(_) => json!({ "buckets": listed }),
        })
    }

    async fn terms(
        &mut self,
        query: &Query,
        inner: &[Aggregation],
        terms: &Terms,
    ) -> Result<Json, ApiError> {
        let Source { field, missing } = &terms.source;
        let mut sql = Sql::new(
            "SELECT value, sum(weight) AS count, sum(sum(weight)) OVER () AS all_counts FROM (",
        );
        sql.append(&values_or(self.context, query, field, missing.as_ref()))
            .push(") WHERE value IS NOT NULL");
        for filter in &terms.filters {
            sql.push(" AND ").append(&value_filter(filter));
        }
        sql.push(" GROUP BY value HAVING sum(weight) >= ")
            .integer(terms.minimum.max(1))
            .push(match terms.order {
                TermsOrder::CountDescending => " ORDER BY count DESC, value ASC LIMIT ",
                TermsOrder::CountAscending => " ORDER BY count ASC, value ASC LIMIT ",
                TermsOrder::KeyAscending => " ORDER BY value ASC LIMIT ",
                TermsOrder::KeyDescending => " ORDER BY value DESC LIMIT ",
            })
            .integer(i64::try_from(terms.size).unwrap_or(i64::MAX));
        let rows = self.all(sql).await?;
        let (mut buckets, mut shown, mut all) = (Vec::new(), 0_i64, 0_i64);
        for row in &rows {
            let count: i64 = row.try_get("count")?;
            all = row.try_get("all_counts")?;
            shown += count;
            let value = raw(row, 0)?;
            let mut bucket = key_of(field, &value);
            bucket.insert("doc_count".to_owned(), count.into());
            if !inner.is_empty() {
                let mut of_value = equal(field, &value);
                if missing.as_ref().is_some_and(|missing| value.is(missing)) {
                    let without = Query::none_of(vec![Query::Exists(field.clone())]);
                    of_value = Query::or(vec![of_value, without]);
                }
                let both = Query::and(vec![query.clone(), of_value]);
                bucket.append(&mut self.compute(inner, &both).await?);
            }
            buckets.push(Json::Object(bucket));
        }
        Ok(json!({
            "doc_count_error_upper_bound": 0,
            "sum_other_doc_count": all - shown,
            "buckets": buckets,
        }))
    }

    async fn ranges(
        &mut self,
        query: &Query,
        inner: &[Aggregation],
        field: &Field,
        ranges: &[Range],
        keyed: bool,
        dates: bool,
    ) -> Result<Json, ApiError> {
        let mut listed: Vec<(String, Json)> = Vec::new();
        for range in ranges {
            let shown = |end: Option<i64>| match end {
                None => "*".to_owned(),
                Some(ms) if dates => date::format(ms),
                Some(ms) => format!("{ms}.0"),
            };
            let key = range
                .key
                .clone()
                .unwrap_or_else(|| format!("{}-{}", shown(range.from), shown(range.to)));
            let mut bucket = Map::new();
            if !keyed {
                bucket.insert("key".to_owned(), key.clone().into());
            }
            for (name, end) in [("from", range.from), ("to", range.to)] {
                if let Some(ms) = end {
                    bucket.insert(name.to_owned(), json!(ms as f64));
                    if dates {
                        bucket.insert(format!("{name}_as_string"), date::format(ms).into());
                    }
                }
            }
            let limit = |ms: Option<i64>, inclusive| {
                ms.map(|ms| Bound {
                    value: Value::Moment(ms),
                    inclusive,
                })
            };
            let within = Query::Range {
                field: field.clone(),
                from: limit(range.from, true),
                to: limit(range.to, false),
            };
            let both = Query::and(vec![query.clone(), within]);
            listed.push((key, self.bucket(&both, inner, bucket).await?));
        }
        Ok(if keyed {
            json!({ "buckets": listed.into_iter().collect::<Map<_, _>>() })
        } else {
            let buckets: Vec<Json> = listed.into_iter().map(|(_, bucket)| bucket).collect();
            json!({ "buckets": buckets })
        })
    }

    async fn composite(
        &mut self,
        query: &Query,
        inner: &[Aggregation],
        sources: &[CompositeSource],
        size: usize,
        after: Option<&Map<String, Json>>,
    ) -> Result<Json, ApiError> {
        let columns: Vec<&'static str> = sources
            .iter()
            .map(|source| match self.context.column(&source.field) {
                Column::Plain(column) | Column::PlainOrMetadata(column, _) => column,
                Column::Metadata(_) => "NULL",
            })
            .collect();
        let mut sql = Sql::new("SELECT ");
        for column in &columns {
            sql.push(column).push(", ");
        }
        sql.push("count(*) AS count FROM api_keys WHERE ")
            .append(&self.context.condition(query));
        for column in &columns {
            sql.push(" AND ").push(column).push(" IS NOT NULL");
        }
        if let Some(after) = after {
            sql.push(" AND ").append(&beyond(sources, &columns, after)?);
        }
        for (keyword, directions) in [(" GROUP BY ", false), (" ORDER BY ", true)] {
            sql.push(keyword);
            for (index, (source, column)) in sources.iter().zip(&columns).enumerate() {
                sql.push(if index > 0 { ", " } else { "" }).push(column);
                sql.push(if directions && source.descending {
                    " DESC"
                } else {
                    ""
                });
            }
        }
        sql.push(" LIMIT ")
            .integer(i64::try_from(size).unwrap_or(i64::MAX));
        let mut buckets = Vec::new();
        let mut after_key = None;
        for row in &self.all(sql).await? {
            let mut key = Map::new();
            let mut equals = vec![query.clone()];
            for (index, source) in sources.iter().enumerate() {
                let value = raw(row, index)?;
                equals.push(equal(&source.field, &value));
                key.insert(source.name.clone(), shown_key(&source.field, &value));
            }
            let count: i64 = row.try_get("count")?;
            let mut bucket = Map::new();
            bucket.insert("key".to_owned(), Json::Object(key.clone()));
            bucket.insert("doc_count".to_owned(), count.into());
            if !inner.is_empty() {
                bucket.append(&mut self.compute(inner, &Query::and(equals)).await?);
            }
            buckets.push(Json::Object(bucket));
            after_key = Some(key);
        }
        let mut result = json!({ "buckets": buckets });
        if let (Some(after_key), Some(object)) = (after_key, result.as_object_mut()) {
            object.insert("after_key".to_owned(), Json::Object(after_key));
        }
        Ok(result)
    }

    async fn one(&mut self, sql: Sql) -> Result<SqliteRow, ApiError> {
        self.take_statement()?;
        Ok(sql.query().fetch_one(&mut *self.connection).await?)
    }

    async fn all(&mut self, sql: Sql) -> Result<Vec<SqliteRow>, ApiError> {
        self.take_statement()?;
        Ok(sql.query().fetch_all(&mut *self.connection).await?)
    }

    fn take_statement(&mut self) -> Result<(), ApiError> {
        self.statements += 1;
        if self.statements > STATEMENTS_MAX {
            return Err(ApiError::illegal("the aggregations have too many buckets"));
        }
        Ok(())
    }
}

/// A condition on the column `value`.
fn value_filter(filter: &ValueFilter) -> Sql {
    let mut sql = Sql::new(if filter.excluded { "NOT (" } else { "(" });
    match &filter.values {
        Values::Pattern(pattern) => {
            sql.push("value GLOB ").text(pattern.glob());
        }
        Values::Listed(values) => {
            sql.push("value IN (");
            for (index, value) in values.iter().enumerate() {
                sql.push(if index > 0 { ", " } else { "" });
                bind(&mut sql, value);
            }
            sql.push(")");
        }
    }
    sql.push(")");
    sql
}

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
