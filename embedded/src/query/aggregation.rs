//! Parses aggregations into a typed tree.

use serde_json::{Map, Value as Json};

use super::{
    Query, Value,
    field::{Field, FieldKind},
    names::Wildcard,
    parse::QueryReader,
};
use crate::{
    date::{self, Round},
    error::ApiError,
    fields::{ErrorStyle, Fields},
    store::metadata_values::DIMENSIONS,
};

/// Limits on nested aggregations and on aggregations in all. They bound the time of a request.
const LEVELS_MAX: usize = 5;
const AGGREGATIONS_MAX: usize = 64;
/// Maximum number of buckets of one aggregation.
const BUCKETS_MAX: usize = 10_000;

/// An aggregation over the keys of a query or bucket.
#[derive(Debug)]
pub(crate) struct Aggregation {
    pub(crate) name: String,
    pub(crate) kind: AggregationKind,
    /// Returned with the result.
    pub(crate) meta: Option<Map<String, Json>>,
    /// Aggregations over the keys of each bucket.
    pub(crate) inner: Vec<Aggregation>,
}

#[derive(Debug)]
pub(crate) enum AggregationKind {
    /// One bucket for each of the most frequent values.
    Terms(Terms),
    Filter(Query),
    Filters {
        buckets: Buckets,
        other: Option<String>,
    },
    Missing(Field),
    Cardinality(Source),
    ValueCount(Source),
    /// Ranges of timestamps.
    Range {
        field: Field,
        ranges: Vec<Range>,
        keyed: bool,
        dates: bool,
    },
    Composite {
        sources: Vec<CompositeSource>,
        size: usize,
        after: Option<Map<String, Json>>,
    },
}

#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) source: Source,
    pub(crate) size: usize,
    pub(crate) order: TermsOrder,
    pub(crate) minimum: i64,
    /// Limits on the values, all of which must hold.
    pub(crate) filters: Vec<ValueFilter>,
}

/// The values of a field.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) field: Field,
    /// Value that counts for keys without one.
    pub(crate) missing: Option<Value>,
}

/// `include` or `exclude` of a terms aggregation.
#[derive(Debug)]
pub(crate) struct ValueFilter {
    pub(crate) values: Values,
    /// True for `exclude`.
    pub(crate) excluded: bool,
}

#[derive(Debug)]
pub(crate) enum Values {
    Listed(Vec<Value>),
    Pattern(Wildcard),
}

#[derive(Debug)]
pub(crate) enum Buckets {
    Named(Vec<(String, Query)>),
    Listed(Vec<Query>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TermsOrder {
    CountDescending,
    CountAscending,
    KeyAscending,
    KeyDescending,
}

/// A range of timestamps in milliseconds since 1970, with `from` and without `to`.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) key: Option<String>,
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
}

/// One field of a composite bucket's key.
#[derive(Debug)]
pub(crate) struct CompositeSource {
    pub(crate) name: String,
    pub(crate) field: Field,
    pub(crate) descending: bool,
}

/// Parses the aggregations of one request, and counts them.
pub(crate) struct AggregationReader<'r> {
    pub(crate) queries: &'r mut QueryReader,
    count: usize,
}

impl<'r> AggregationReader<'r> {
    pub(crate) const fn new(queries: &'r mut QueryReader) -> Self {
        Self { queries, count: 0 }
    }

    /// Parses an object of aggregations by name.
    pub(crate) fn read(&mut self, json: Map<String, Json>) -> Result<Vec<Aggregation>, ApiError> {
        self.read_at(json, 0)
    }

    fn read_at(
        &mut self,
        json: Map<String, Json>,
        level: usize,
    ) -> Result<Vec<Aggregation>, ApiError> {
        let mut aggregations = Vec::new();
        for (name, body) in json {
            self.count += 1;
            if level > LEVELS_MAX || self.count > AGGREGATIONS_MAX {
                return Err(ApiError::illegal("too many aggregations"));
            }
            aggregations.push(self.read_one(name, body, level)?);
        }
        Ok(aggregations)
    }

    fn read_one(
        &mut self,
        name: String,
        body: Json,
        level: usize,
    ) -> Result<Aggregation, ApiError> {
        if name.is_empty() || name.contains(['[', ']', '>']) {
            return Err(ApiError::illegal(format!(
                "Invalid aggregation name [{name}]. Aggregation names can contain any character except '[', ']', and '>'"
            )));
        }
        let Json::Object(mut body) = body else {
            return Err(ApiError::parse(format!(
                "expected an object for aggregation [{name}]"
            )));
        };
        let inner = match (body.remove("aggs"), body.remove("aggregations")) {
            (Some(Json::Object(inner)), None) | (None, Some(Json::Object(inner))) => {
                self.read_at(inner, level + 1)?
            }
            (None, None) => Vec::new(),
            _ => {
                return Err(ApiError::parse(format!(
                    "malformed sub-aggregations of [{name}]"
                )));
            }
        };
        let meta = match body.remove("meta") {
            None => None,
            Some(Json::Object(meta)) => Some(meta),
            Some(_) => {
                return Err(ApiError::parse(format!(
                    "expected an object for [meta] of aggregation [{name}]"
                )));
            }
        };
        let mut kinds = body.into_iter();
        let (Some((kind, options)), None) = (kinds.next(), kinds.next()) else {
            return Err(ApiError::parse(format!(
                "expected exactly one type for aggregation [{name}]"
            )));
        };
        let kind = self.read_kind(&name, &kind, options)?;
        let leaf = matches!(
            kind,
            AggregationKind::Cardinality(_) | AggregationKind::ValueCount(_)
        );
        if leaf && !inner.is_empty() {
            return Err(ApiError::illegal(format!(
                "Aggregator [{name}] of this type cannot accept sub-aggregations"
            )));
        }
        Ok(Aggregation {
            name,
            kind,
            meta,
            inner,
        })
    }

    fn read_kind(
        &mut self,
        name: &str,
        kind: &str,
        options: Json,
    ) -> Result<AggregationKind, ApiError> {
        if kind == "filter" {
            return Ok(AggregationKind::Filter(self.queries.read(options)?));
        }
        let error_style = || ErrorStyle::ParseException(format!("aggregation [{name}]").into());
        let mut fields = match kind {
            "terms" | "filters" | "missing" | "cardinality" | "value_count" | "range"
            | "date_range" | "composite" => Fields::of(options, error_style())?,
            other => {
                return Err(ApiError::illegal(format!(
                    "Unsupported API Keys agg [{name}] of type [{other}]"
                )));
            }
        };
        if fields.value("script").is_some() {
            return Err(ApiError::illegal(format!(
                "Scripts are not supported in API Keys agg [{name}]"
            )));
        }
        let kind = match kind {
            "terms" => self.read_terms(name, &mut fields)?,
            "filters" => self.read_filters(name, &mut fields)?,
            "missing" => AggregationKind::Missing(field(name, &mut fields)?),
            "cardinality" => {
                fields.value("precision_threshold");
                AggregationKind::Cardinality(self.read_source(name, &mut fields)?)
            }
            "value_count" => AggregationKind::ValueCount(self.read_source(name, &mut fields)?),
            "composite" => read_composite(name, &mut fields)?,
            ranges => read_ranges(
                name,
                &mut fields,
                ranges == "date_range",
                self.queries.now_ms(),
            )?,
        };
        fields.finish()?;
        Ok(kind)
    }

    fn read_terms(&mut self, name: &str, fields: &mut Fields) -> Result<AggregationKind, ApiError> {
        let size = size(name, fields)?;
        let order = match fields.value("order") {
            None => TermsOrder::CountDescending,
            Some(order) => {
                let wanted = order.as_object().and_then(|order| {
                    let (key, direction) = order.iter().next()?;
                    Some((key.as_str(), direction.as_str()?))
                });
                match wanted {
                    Some(("_count", "desc")) => TermsOrder::CountDescending,
                    Some(("_count", "asc")) => TermsOrder::CountAscending,
                    Some(("_key", "asc")) => TermsOrder::KeyAscending,
                    Some(("_key", "desc")) => TermsOrder::KeyDescending,
                    _ => {
                        return Err(ApiError::illegal(format!(
                            "Unsupported order in API Keys agg [{name}]"
                        )));
                    }
                }
            }
        };
        let minimum = fields
            .value("min_doc_count")
            .and_then(|count| count.as_i64())
            .unwrap_or(1);
        for ignored in [
            "shard_size",
            "show_term_doc_count_error",
            "execution_hint",
            "collect_mode",
        ] {
            fields.value(ignored);
        }
        let (include, exclude) = (fields.value("include"), fields.value("exclude"));
        let source = self.read_source(name, fields)?;
        let mut filters = Vec::new();
        for (values, excluded) in [(include, false), (exclude, true)] {
            if let Some(values) = values {
                filters.push(ValueFilter {
                    values: self.read_values(name, &source.field, values)?,
                    excluded,
                });
            }
        }
        Ok(AggregationKind::Terms(Terms {
            source,
            size,
            order,
            minimum,
            filters,
        }))
    }

    fn read_source(&mut self, name: &str, fields: &mut Fields) -> Result<Source, ApiError> {
        let missing = fields.value("missing");
        let field = field(name, fields)?;
        let missing = missing
            .map(|value| field.value(&value, self.queries.now_ms(), Round::Down))
            .transpose()?;
        Ok(Source { field, missing })
    }

    /// Reads a list of values, or a regular expression of literals, `.` and `.*`.
    fn read_values(&mut self, name: &str, field: &Field, json: Json) -> Result<Values, ApiError> {
        match json {
            Json::Array(values) if values.len() <= BUCKETS_MAX => {
                let value = |json: &Json| field.value(json, self.queries.now_ms(), Round::Down);
                Ok(Values::Listed(
                    values.iter().map(value).collect::<Result<_, _>>()?,
                ))
            }
            Json::String(pattern) if field.kind() == FieldKind::Text => {
                let pattern = Wildcard::from_regular_expression(&pattern).ok_or_else(|| {
                    ApiError::illegal(format!(
                        "the regular expression [{pattern}] of aggregation [{name}] is not supported"
                    ))
                })?;
                Ok(Values::Pattern(pattern?))
            }
            Json::String(_) => Err(ApiError::illegal(format!(
                "Aggregation [{name}] cannot support regular expression style include/exclude settings as they can only be applied to string fields. Use an array of values for include/exclude clauses"
            ))),
            _ => Err(ApiError::illegal(format!(
                "[include] and [exclude] of aggregation [{name}] must be lists of values or regular expressions"
            ))),
        }
    }

    fn read_filters(
        &mut self,
        name: &str,
        fields: &mut Fields,
    ) -> Result<AggregationKind, ApiError> {
        let other = match (
            fields.boolean("other_bucket")?,
            fields.string("other_bucket_key")?,
        ) {
            (Some(true), key) => Some(key.unwrap_or_else(|| "_other_".to_owned())),
            (None, Some(key)) => Some(key),
            (Some(false) | None, _) => None,
        };
        fields.boolean("keyed")?;
        let buckets = match fields.value("filters") {
            Some(Json::Object(named)) => Buckets::Named(
                named
                    .into_iter()
                    .map(|(name, query)| Ok((name, self.queries.read(query)?)))
                    .collect::<Result<_, ApiError>>()?,
            ),
            Some(Json::Array(list)) => Buckets::Listed(
                list.into_iter()
                    .map(|query| self.queries.read(query))
                    .collect::<Result<_, _>>()?,
            ),
            _ => {
                return Err(ApiError::parse(format!(
                    "[filters] is missing in aggregation [{name}]"
                )));
            }
        };
        Ok(AggregationKind::Filters { buckets, other })
    }
}

fn field(name: &str, fields: &mut Fields) -> Result<Field, ApiError> {
    let field = fields
        .string("field")?
        .ok_or_else(|| ApiError::illegal(format!("Required [field] in aggregation [{name}]")))?;
    if fields.value("missing").is_some() {
        return Err(ApiError::illegal(format!(
            "[missing] is not supported in API Keys agg [{name}]"
        )));
    }
    Field::parse(&field)
}

fn size(name: &str, fields: &mut Fields) -> Result<usize, ApiError> {
    match fields.value("size") {
        None => Ok(10),
        Some(size) => size
            .as_u64()
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| (1..=BUCKETS_MAX).contains(size))
            .ok_or_else(|| {
                ApiError::illegal(format!(
                    "[size] of aggregation [{name}] must be between 1 and {BUCKETS_MAX}"
                ))
            }),
    }
}

fn read_ranges(
    name: &str,
    fields: &mut Fields,
    dates: bool,
    now_ms: i64,
) -> Result<AggregationKind, ApiError> {
    let field = field(name, fields)?;
    if field.kind() != FieldKind::Moment {
        return Err(ApiError::illegal(format!(
            "Field of aggregation [{name}] is not supported for ranges"
        )));
    }
    let keyed = fields.boolean("keyed")?.unwrap_or(false);
    fields.string("format")?;
    fields.string("time_zone")?;
    let mut ranges = Vec::new();
    for range in fields.array("ranges")?.unwrap_or_default() {
        let mut range = Fields::of(
            range,
            ErrorStyle::ParseException(format!("range of aggregation [{name}]").into()),
        )?;
        let mut end = |name: &str| match range.value(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => date::parse(&text, now_ms, Round::Down).map(Some),
            Some(number) => number
                .as_f64()
                .map(|ms| Some(ms as i64))
                .ok_or_else(|| ApiError::illegal("a range must be between numbers or dates")),
        };
        let (from, to) = (end("from")?, end("to")?);
        let key = range.string("key")?;
        range.finish()?;
        ranges.push(Range { key, from, to });
    }
    if ranges.is_empty() || ranges.len() > 256 {
        return Err(ApiError::illegal(format!(
            "No [ranges] specified for the [{name}] aggregation, or too many"
        )));
    }
    Ok(AggregationKind::Range {
        field,
        ranges,
        keyed,
        dates,
    })
}

fn read_composite(name: &str, fields: &mut Fields) -> Result<AggregationKind, ApiError> {
    let size = size(name, fields)?;
    let after = fields.object("after")?;
    let mut sources = Vec::new();
    for source in fields.array("sources")?.unwrap_or_default() {
        let mut entries = source.as_object().cloned().unwrap_or_default().into_iter();
        let (Some((source_name, body)), None) = (entries.next(), entries.next()) else {
            return Err(ApiError::parse(format!(
                "malformed source in aggregation [{name}]"
            )));
        };
        let mut body = Fields::of(
            body,
            ErrorStyle::ParseException(format!("source [{source_name}]").into()),
        )?;
        let Some(terms) = body.object("terms")? else {
            return Err(ApiError::illegal(format!(
                "Unsupported API Keys agg source in [{name}]: only [terms] sources are supported"
            )));
        };
        body.finish()?;
        let mut terms = Fields::of(
            Json::Object(terms),
            ErrorStyle::ParseException(format!("source [{source_name}]").into()),
        )?;
        let field = field(name, &mut terms)?;
        let single = match &field {
            Field::AnyMetadata => false,
            Field::Metadata(path) => DIMENSIONS.contains(&path.as_str()),
            _ => true,
        };
        if !single {
            return Err(ApiError::illegal(format!(
                "This field is not supported as a source in aggregation [{name}]"
            )));
        }
        let descending = terms.string("order")?.as_deref() == Some("desc");
        terms.finish()?;
        sources.push(CompositeSource {
            name: source_name,
            field,
            descending,
        });
    }
    if sources.is_empty() || sources.len() > 8 {
        return Err(ApiError::illegal(format!(
            "Composite [{name}] must have between 1 and 8 sources"
        )));
    }
    Ok(AggregationKind::Composite {
        sources,
        size,
        after,
    })
}
