//! Parses queries.

use serde_json::{Map, Value as Json};

use super::{
    Bool, Bound, Query, Value,
    field::{Documents, Field, FieldKind, words},
    names::Wildcard,
    simple_query_string,
};
use crate::{
    date::Round,
    error::ApiError,
    fields::{ErrorStyle, Fields, kind},
};

/// Limits on nested queries and on queries in all. They bound the time of a request.
const LEVELS_MAX: usize = 30;
const CLAUSES_MAX: usize = 1_024;
/// Maximum number of values of a `terms` query, as in Elasticsearch.
const TERMS_MAX: usize = 65_536;

/// Parses the queries of one request, and counts them.
pub(crate) struct QueryReader {
    documents: Documents,
    now_ms: i64,
    clauses: usize,
}

impl QueryReader {
    /// A reader with `now_ms` as the value of `now`.
    pub(crate) const fn new(documents: Documents, now_ms: i64) -> Self {
        Self {
            documents,
            now_ms,
            clauses: 0,
        }
    }

    pub(crate) const fn documents(&self) -> Documents {
        self.documents
    }

    pub(crate) const fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Parses a query.
    ///
    /// # Errors
    ///
    /// `illegal_argument_exception` for types and fields that key queries lack; `parse_exception`
    /// and `x_content_parse_exception` for malformed queries.
    pub(crate) fn read(&mut self, query: Json) -> Result<Query, ApiError> {
        self.read_at(query, 0)
    }

    fn read_at(&mut self, query: Json, level: usize) -> Result<Query, ApiError> {
        self.clauses += 1;
        if level > LEVELS_MAX || self.clauses > CLAUSES_MAX {
            return Err(ApiError::illegal(
                "the query is nested too deeply or has too many clauses",
            ));
        }
        let Json::Object(query) = query else {
            return Err(malformed("query", "a query must be an object"));
        };
        let mut entries = query.into_iter();
        let (Some((name, body)), None) = (entries.next(), entries.next()) else {
            return Err(malformed("query", "a query must have exactly one type"));
        };
        match name.as_str() {
            "match_all" => {
                query_options(body, "match_all")?.finish()?;
                Ok(Query::All)
            }
            "bool" => self.read_bool(body, level),
            "term" | "match" => self.read_term(&name, body),
            "terms" => self.read_terms(body),
            "ids" => {
                let mut fields = query_options(body, "ids")?;
                let ids = fields.strings("values")?.unwrap_or_default();
                fields.finish()?;
                Ok(Query::Ids(ids))
            }
            "prefix" => {
                let (field, value, case_insensitive) = self.read_pattern("prefix", body)?;
                Ok(Query::Prefix {
                    field,
                    value,
                    case_insensitive,
                })
            }
            "wildcard" => {
                let (field, value, case_insensitive) = self.read_pattern("wildcard", body)?;
                let pattern = Wildcard::parse(&value)?;
                Ok(Query::Wildcard {
                    field,
                    pattern,
                    case_insensitive,
                })
            }
            "exists" => {
                let mut fields = query_options(body, "exists")?;
                let field = fields
                    .string("field")?
                    .ok_or_else(|| malformed("exists", "must be provided with a [field]"))?;
                fields.finish()?;
                Ok(Query::Exists(self.documents.field(&field)?))
            }
            "range" => self.read_range(body),
            "simple_query_string" => simple_query_string::parse_simple_query_string(
                self.documents,
                query_options(body, "simple_query_string")?,
            ),
            other => Err(ApiError::illegal(format!(
                "Query type [{other}] is not currently supported in this context"
            ))),
        }
    }

    fn read_bool(&mut self, body: Json, level: usize) -> Result<Query, ApiError> {
        let mut fields = query_options(body, "bool")?;
        let mut clauses = |names: &[&str]| -> Result<Vec<Query>, ApiError> {
            let mut queries = Vec::new();
            for name in names {
                match fields.value(name) {
                    None => {}
                    Some(Json::Array(list)) => {
                        for query in list {
                            queries.push(self.read_at(query, level + 1)?);
                        }
                    }
                    Some(query) => queries.push(self.read_at(query, level + 1)?),
                }
            }
            Ok(queries)
        };
        let must = clauses(&["must", "filter"])?;
        let must_not = clauses(&["must_not", "mustNot"])?;
        let should = clauses(&["should"])?;
        let by_default = usize::from(must.is_empty() && !should.is_empty());
        let should_min = match fields.value("minimum_should_match") {
            None | Some(Json::Null) => by_default,
            Some(minimum) => should_minimum(&minimum, should.len())?,
        };
        fields.finish()?;
        Ok(Query::Bool(Box::new(Bool {
            must,
            must_not,
            should,
            should_min,
        })))
    }

    fn read_term(&mut self, name: &str, body: Json) -> Result<Query, ApiError> {
        let (field, content) = self.one_field(body, name)?;
        let key = if name == "match" { "query" } else { "value" };
        let mut case_insensitive = false;
        let mut all_words = false;
        let value = match content {
            Json::Object(content) => {
                let mut fields = query_options(Json::Object(content), name)?;
                let value = fields
                    .value(key)
                    .ok_or_else(|| malformed(name, &format!("[{key}] is missing")))?;
                case_insensitive = fields.boolean("case_insensitive")?.unwrap_or(false);
                if let Some(Json::String(operator)) = fields.value("operator") {
                    all_words = operator.eq_ignore_ascii_case("and");
                }
                // A match on a keyword is a term; these options have no effect on it.
                for ignored in [
                    "boost",
                    "_name",
                    "zero_terms_query",
                    "lenient",
                    "analyzer",
                    "fuzziness",
                    "minimum_should_match",
                    "auto_generate_synonyms_phrase_query",
                ] {
                    fields.value(ignored);
                }
                fields.finish()?;
                value
            }
            value => value,
        };
        Ok(match field.kind() {
            FieldKind::Moment => {
                // A date without a time covers the whole day, so a term is a short range.
                let from = field.value(&value, self.now_ms, Round::Down)?;
                let to = field.value(&value, self.now_ms, Round::Up)?;
                Query::Range {
                    field,
                    from: Some(Bound {
                        value: from,
                        inclusive: true,
                    }),
                    to: Some(Bound {
                        value: to,
                        inclusive: true,
                    }),
                }
            }
            // A match on an analyzed field is for each word of the text.
            FieldKind::Text if name == "match" && field.is_analyzed() => {
                let text = match &value {
                    Json::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let words = words(&text).into_iter();
                let term = |word| Query::term(field.clone(), Value::Text(word));
                let clauses: Vec<Query> = words.map(term).collect();
                match clauses.is_empty() {
                    true => Query::None,
                    false if all_words => Query::and(clauses),
                    false => Query::or(clauses),
                }
            }
            FieldKind::Text | FieldKind::Boolean => {
                let values = vec![field.value(&value, self.now_ms, Round::Down)?];
                Query::Terms {
                    field,
                    values,
                    case_insensitive,
                }
            }
        })
    }

    fn read_terms(&mut self, body: Json) -> Result<Query, ApiError> {
        let mut fields = object(body, "terms")?;
        fields.remove("boost");
        fields.remove("_name");
        let (field, values) = self.one_field(Json::Object(fields), "terms")?;
        match values {
            Json::Array(values) if values.len() <= TERMS_MAX => {
                let values = values
                    .iter()
                    .map(|value| field.value(value, self.now_ms, Round::Down))
                    .collect::<Result<_, _>>()?;
                Ok(Query::Terms {
                    field,
                    values,
                    case_insensitive: false,
                })
            }
            Json::Array(values) => Err(ApiError::illegal(format!(
                "The number of terms [{}] used in the Terms Query request has exceeded the allowed maximum of [{TERMS_MAX}]",
                values.len()
            ))),
            Json::Object(_) => Err(ApiError::illegal(
                "terms query with terms lookup is not currently supported in this context",
            )),
            _ => Err(malformed("terms", "query requires an array of terms")),
        }
    }

    fn read_pattern(&mut self, name: &str, body: Json) -> Result<(Field, String, bool), ApiError> {
        let (field, content) = self.one_field(body, name)?;
        let mut case_insensitive = false;
        let value = match content {
            Json::Object(content) => {
                let mut fields = query_options(Json::Object(content), name)?;
                let value = match fields.value("value") {
                    Some(value) => value,
                    // Lucene's name of the field.
                    None => fields
                        .value(name)
                        .ok_or_else(|| malformed(name, "[value] is missing"))?,
                };
                case_insensitive = fields.boolean("case_insensitive")?.unwrap_or(false);
                for ignored in ["rewrite", "boost", "_name"] {
                    fields.value(ignored);
                }
                fields.finish()?;
                value
            }
            value => value,
        };
        if field.kind() != FieldKind::Text {
            return Err(ApiError::illegal(format!(
                "Can only use {name} queries on keyword, text and wildcard fields"
            )));
        }
        if name == "wildcard" && matches!(field, Field::Metadata(_)) {
            return Err(ApiError::query(
                "[wildcard] queries are not currently supported on keyed [flattened] fields.",
            ));
        }
        match value {
            Json::String(text) => Ok((field, text, case_insensitive)),
            Json::Number(number) => Ok((field, number.to_string(), case_insensitive)),
            other => Err(malformed(
                name,
                &format!("the value cannot be [{}]", kind(&other)),
            )),
        }
    }

    /// The only field of a query, and its content.
    fn one_field(&self, value: Json, name: &str) -> Result<(Field, Json), ApiError> {
        let mut entries = object(value, name)?.into_iter();
        match (entries.next(), entries.next()) {
            (Some((field, content)), None) => Ok((self.documents.field(&field)?, content)),
            _ => Err(malformed(
                name,
                "query malformed, expected exactly one field",
            )),
        }
    }

    fn read_range(&mut self, body: Json) -> Result<Query, ApiError> {
        let (field, content) = self.one_field(body, "range")?;
        let mut fields = query_options(content, "range")?;
        if fields.value("relation").is_some() {
            return Err(ApiError::illegal(
                "range query with relation is not currently supported in this context",
            ));
        }
        for ignored in ["format", "boost", "_name"] {
            fields.value(ignored);
        }
        if let Some(zone) = fields.string("time_zone")?
            && !matches!(zone.as_str(), "UTC" | "Z" | "+00:00")
        {
            return Err(ApiError::illegal(format!(
                "time zone [{zone}] is not supported"
            )));
        }
        let include_lower = fields.boolean("include_lower")?.unwrap_or(true);
        let include_upper = fields.boolean("include_upper")?.unwrap_or(true);
        let mut bound = |names: [&str; 3], inclusive: [bool; 3], rounds: [Round; 3]| {
            let mut found = None;
            for ((name, inclusive), round) in names.into_iter().zip(inclusive).zip(rounds) {
                match fields.value(name) {
                    None | Some(Json::Null) => {}
                    Some(value) => {
                        let value = field.value(&value, self.now_ms, round)?;
                        found = Some(Bound { value, inclusive });
                    }
                }
            }
            Ok::<_, ApiError>(found)
        };
        let from = bound(
            ["from", "gte", "gt"],
            [include_lower, true, false],
            [Round::Down, Round::Down, Round::Up],
        )?;
        let to = bound(
            ["to", "lte", "lt"],
            [include_upper, true, false],
            [Round::Up, Round::Up, Round::Down],
        )?;
        fields.finish()?;
        if matches!(field, Field::Metadata(_)) && (from.is_none() || to.is_none()) {
            return Err(ApiError::query(
                "[range] queries on keyed [flattened] fields must include both an upper and a lower bound.",
            ));
        }
        Ok(Query::Range { field, from, to })
    }
}

/// Parses `minimum_should_match`: a number, a negative number, or a percentage.
fn should_minimum(value: &Json, clauses: usize) -> Result<usize, ApiError> {
    let refuse = || malformed("bool", "failed to parse [minimum_should_match]");
    let text = match value {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.clone(),
        _ => return Err(refuse()),
    };
    let total = i64::try_from(clauses).map_err(|_| refuse())?;
    let wanted = match text.strip_suffix('%') {
        Some(percent) => {
            let percent: i64 = percent.trim().parse().map_err(|_| refuse())?;
            percent.clamp(-100, 100) * total / 100
        }
        None => text.trim().parse::<i64>().map_err(|_| refuse())?,
    };
    let wanted = if wanted < 0 {
        total.saturating_add(wanted)
    } else {
        wanted
    };
    Ok(usize::try_from(wanted.max(0)).unwrap_or(usize::MAX))
}

fn object(value: Json, name: &str) -> Result<Map<String, Json>, ApiError> {
    match value {
        Json::Object(fields) => Ok(fields),
        other => Err(malformed(
            name,
            &format!(
                "query malformed, expected an object but found [{}]",
                kind(&other)
            ),
        )),
    }
}

/// The options of a query, without the two that all queries have.
fn query_options(value: Json, name: &str) -> Result<Fields, ApiError> {
    let mut options = object(value, name)?;
    options.remove("boost");
    options.remove("_name");
    Fields::of(
        Json::Object(options),
        ErrorStyle::ParseException(format!("[{name}] query").into()),
    )
}

fn malformed(name: &str, why: &str) -> ApiError {
    ApiError::parse(format!("[{name}] {why}"))
}
