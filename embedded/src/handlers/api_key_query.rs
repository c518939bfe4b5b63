//! `GET|POST /_security/_query/api_key`: keys by query, sorted, page by page.

use serde_json::{Value, json};
use sqlx::{Connection, Row};

use crate::{
    auth::authorization::{KeyOperation, KeyScope, RequestedKeys, authorize_keys},
    error::ApiError,
    fields::{ErrorStyle, Fields, kind},
    http::{request::ApiRequest, response::ApiResponse},
    query::{
        self, Query,
        aggregation::{Aggregation, AggregationReader},
        aggregator::Aggregator,
        field::Field,
        parse::QueryReader,
        sort::{self, ReadStrategy, SortField},
        sql::SqlContext,
    },
    store::{api_keys::Key, sql::Sql},
};

/// Maximum of `from + size`. `search_after` reads further.
const WINDOW_MAX: usize = 10_000;

struct QueryRequest {
    query: Query,
    aggregations: Vec<Aggregation>,
    from: usize,
    size: usize,
    sort: Vec<SortField>,
    search_after: Option<Vec<Option<query::Value>>>,
    with_limited_by: bool,
    typed_keys: bool,
}

/// Returns a page of the keys, their total, and aggregations over all of them.
pub(crate) async fn query_api_keys(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let input = QueryRequest::parse(request)?;
    input.validate()?;
    let scope = RequestedKeys {
        with_limited_by: input.with_limited_by,
        ..RequestedKeys::default()
    };
    let query = match authorize_keys(&request.caller, request.action, KeyOperation::Query, &scope)?
    {
        KeyScope::All => input.query.clone(),
        KeyScope::Own => Query::and(vec![input.query.clone(), own(request)]),
    };
    let mut connection = request.state.store.reader().acquire().await?;
    // One transaction, so that total, page and aggregations agree.
    let mut transaction = connection.begin().await?;
    let multi_valued: bool =
        sqlx::query("SELECT EXISTS (SELECT 1 FROM api_keys WHERE irregular = 1)")
            .fetch_one(&mut *transaction)
            .await?
            .try_get(0)?;
    let context = SqlContext { multi_valued };
    let mut aggregator = Aggregator::new(&mut transaction, context, input.typed_keys);
    let total = aggregator.total(&query).await?;
    let aggregations = aggregator.compute(&input.aggregations, &query).await?;
    let keys = page(request, &mut transaction, context, &input, &query, total).await?;
    transaction.rollback().await?;
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| {
            let mut json = key.to_json(input.with_limited_by);
            if !input.sort.is_empty() {
                let shown: Vec<Value> = input.sort.iter().map(|field| field.shown(key)).collect();
                json.insert("_sort".to_owned(), shown.into());
            }
            Value::Object(json)
        })
        .collect();
    let mut body = json!({ "total": total, "count": keys.len(), "api_keys": keys });
    if let (false, Some(object)) = (input.aggregations.is_empty(), body.as_object_mut()) {
        object.insert("aggregations".to_owned(), Value::Object(aggregations));
    }
    Ok(ApiResponse::ok(body))
}

impl QueryRequest {
    fn parse(request: &ApiRequest<'_>) -> Result<Self, ApiError> {
        let parameters = &request.parameters;
        parameters.flag("with_profile_uid")?;
        let body = request.optional_json()?.unwrap_or_else(|| json!({}));
        let mut fields = Fields::of(body, ErrorStyle::XContent("query_api_key_request_payload"))?;
        let mut reader = QueryReader::new(request.state.clock.now_ms());
        let query = match fields.value("query") {
            None => Query::All,
            Some(query) => reader.read(query)?,
        };
        let aggregations = match (fields.object("aggs")?, fields.object("aggregations")?) {
            (None, None) => Vec::new(),
            (Some(aggregations), None) | (None, Some(aggregations)) => {
                AggregationReader::new(&mut reader).read(aggregations)?
            }
            (Some(_), Some(_)) => {
                return Err(ApiError::illegal(
                    "Duplicate 'aggs' or 'aggregations' field",
                ));
            }
        };
        let from = number(&mut fields, "from", 0)?;
        let size = number(&mut fields, "size", 10)?;
        let sort = fields
            .value("sort")
            .map_or_else(|| Ok(Vec::new()), sort::parse_sort)?;
        let search_after = fields
            .array("search_after")?
            .map(|after| sort::parse_after(&after, &sort, reader.now_ms()))
            .transpose()?;
        fields.finish()?;
        Ok(Self {
            query,
            aggregations,
            from,
            size,
            sort,
            search_after,
            with_limited_by: parameters.flag("with_limited_by")?,
            typed_keys: parameters.flag("typed_keys")?,
        })
    }

    fn validate(&self) -> Result<(), ApiError> {
        if self.from.saturating_add(self.size) > WINDOW_MAX {
            return Err(ApiError::illegal(format!(
                "Result window is too large, from + size must be less than or equal to: [{WINDOW_MAX}] but was [{}]. See the scroll api for a more efficient way to request large data sets.",
                self.from.saturating_add(self.size)
            )));
        }
        if self.search_after.is_some() && self.from > 0 {
            return Err(ApiError::validation(
                "`from` parameter must be set to 0 when `search_after` is used",
            ));
        }
        Ok(())
    }
}

fn number(fields: &mut Fields, name: &str, default: usize) -> Result<usize, ApiError> {
    let Some(value) = fields.value(name) else {
        return Ok(default);
    };
    let number = value
        .as_i64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
        .ok_or_else(|| {
            ApiError::content(format!(
                "[1:1] [query_api_key_request_payload] {name} doesn't support values of type: {}",
                kind(&value)
            ))
        })?;
    usize::try_from(number).map_err(|_| {
        ApiError::validation(format!(
            "[{name}] parameter cannot be negative but was [{number}]"
        ))
    })
}

/// The query for the caller's own keys.
fn own(request: &ApiRequest<'_>) -> Query {
    let subject = &request.caller.subject;
    let is = |field, value: &str| Query::term(field, query::Value::Text(value.to_owned()));
    match subject.api_key_id() {
        Some(id) => Query::Ids(vec![id.to_owned()]),
        None => Query::and(vec![
            is(Field::Username, &subject.username),
            is(Field::RealmName, &subject.realm.name),
        ]),
    }
}

async fn page(
    request: &ApiRequest<'_>,
    transaction: &mut sqlx::SqliteConnection,
    context: SqlContext,
    input: &QueryRequest,
    query: &Query,
    total: i64,
) -> Result<Vec<Key>, ApiError> {
    let wanted = input.from + input.size;
    if input.size == 0 || total == 0 {
        return Ok(Vec::new());
    }
    let condition = context.condition(query);
    let stored: i64 = sqlx::query("SELECT ifnull(max(number), 0) FROM api_keys")
        .fetch_one(&mut *transaction)
        .await?
        .try_get(0)?;
    // A scan in the order of the sort skips keys that the query does not match; a scan by the
    // query reads all matches. The total shows which is cheaper.
    let passed = i64::try_from(wanted)
        .unwrap_or(i64::MAX)
        .saturating_mul(stored)
        / total;
    let strategy = if passed / 4 <= total {
        ReadStrategy::InOrder
    } else {
        ReadStrategy::BySelection
    };
    // A plus keeps SQLite from choosing an index by this condition. If the query contains the
    // first sort field, its condition tells where in that index to begin.
    let along = input.sort.first().is_some_and(|first| first.is_in(query));
    let (hide_segment, hide_condition) = match strategy {
        ReadStrategy::InOrder if along => ("(", " AND ("),
        ReadStrategy::InOrder => ("(", " AND +("),
        ReadStrategy::BySelection => ("+(", " AND ("),
    };
    // First the numbers of the keys, which come from an index alone.
    let mut numbers: Vec<i64> = Vec::new();
    for segment in sort::segments(
        context,
        &input.sort,
        input.search_after.as_deref(),
        strategy,
    ) {
        let missing = i64::try_from(wanted - numbers.len()).unwrap_or(i64::MAX);
        let mut sql = Sql::new("SELECT number FROM api_keys WHERE ");
        sql.push(hide_segment)
            .append(&segment.condition)
            .push(")")
            .push(hide_condition)
            .append(&condition)
            .push(") ORDER BY ")
            .append(&segment.order)
            .push(" LIMIT ")
            .integer(missing);
        for row in sql.query().fetch_all(&mut *transaction).await? {
            numbers.push(row.try_get(0)?);
        }
        if numbers.len() >= wanted {
            break;
        }
    }
    let numbers: Vec<i64> = numbers.into_iter().skip(input.from).collect();
    let mut chosen = Sql::new("number IN (SELECT value FROM json_each(");
    chosen
        .text(Value::from(numbers.clone()).to_string())
        .push("))");
    let mut keys = request
        .state
        .store
        .find_keys_with(transaction, &chosen, &Sql::default(), -1, 0)
        .await?;
    let positions: std::collections::HashMap<i64, usize> = numbers
        .iter()
        .enumerate()
        .map(|(position, number)| (*number, position))
        .collect();
    keys.sort_by_key(|key| positions.get(&key.number).copied());
    Ok(keys)
}
