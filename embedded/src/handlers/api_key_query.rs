//! `GET|POST /_security/_query/api_key`: keys by query, sorted, page by page.

use serde_json::{Value, json};
use sqlx::{Connection, Row};

use super::document_query::PageRequest;
use crate::{
    auth::authorization::{KeyOperation, KeyScope, RequestedKeys, authorize_keys},
    error::ApiError,
    fields::{ErrorStyle, Fields},
    http::{request::ApiRequest, response::ApiResponse},
    query::{
        self, Query,
        aggregation::{Aggregation, AggregationReader},
        aggregator::Aggregator,
        field::{Documents, Field},
        parse::QueryReader,
        sort::{self, ReadStrategy},
        sql::SqlContext,
    },
    store::{Sql, api_keys::Key},
};

struct QueryRequest {
    page: PageRequest,
    aggregations: Vec<Aggregation>,
    with_limited_by: bool,
    typed_keys: bool,
}

/// Returns a page of the keys, their total, and aggregations over all of them.
pub(crate) async fn query_api_keys(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let input = QueryRequest::parse(request)?;
    let scope = RequestedKeys {
        with_limited_by: input.with_limited_by,
        ..RequestedKeys::default()
    };
    let query = match authorize_keys(&request.caller, request.action, KeyOperation::Query, &scope)?
    {
        KeyScope::All => input.page.query.clone(),
        KeyScope::Own => Query::and(vec![input.page.query.clone(), own(request)]),
    };
    let mut connection = request.state.store.searcher().await?;
    // One transaction, so that total, page and aggregations agree.
    let mut transaction = connection.begin().await?;
    let multi_valued: bool =
        sqlx::query("SELECT EXISTS (SELECT 1 FROM api_keys WHERE irregular = 1)")
            .fetch_one(&mut *transaction)
            .await?
            .try_get(0)?;
    let context = SqlContext { multi_valued };
    let narrow = query::names::narrow(&mut transaction, &query).await?;
    let mut aggregator = Aggregator::new(&mut transaction, context, input.typed_keys);
    let total = aggregator.total(&narrow).await?;
    // Elasticsearch computes no aggregations over no keys.
    let aggregations = if total == 0 {
        None
    } else {
        Some(aggregator.compute(&input.aggregations, &narrow).await?)
    };
    let queries = PageQueries {
        plain: &query,
        narrow: &narrow,
    };
    let keys = page(
        request,
        &mut transaction,
        context,
        &input.page,
        queries,
        total,
    )
    .await?;
    transaction.rollback().await?;
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| {
            let mut json = key.to_json(input.with_limited_by);
            if !input.page.sort.is_empty() {
                let shown: Vec<Value> = input
                    .page
                    .sort
                    .iter()
                    .map(|field| field.shown(key))
                    .collect();
                json.insert("_sort".to_owned(), shown.into());
            }
            Value::Object(json)
        })
        .collect();
    let mut body = json!({ "total": total, "count": keys.len(), "api_keys": keys });
    if let (false, Some(aggregations), Some(object)) = (
        input.aggregations.is_empty(),
        aggregations,
        body.as_object_mut(),
    ) {
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
        let mut reader = QueryReader::new(Documents::ApiKeys, request.state.clock.now_ms());
        let page = PageRequest::parse(&mut fields, &mut reader)?;
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
        fields.finish()?;
        page.validate()?;
        Ok(Self {
            page,
            aggregations,
            with_limited_by: parameters.flag("with_limited_by")?,
            typed_keys: parameters.flag("typed_keys")?,
        })
    }
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

/// Two forms of a query for a page.
struct PageQueries<'q> {
    /// For a scan along the sort order, which compares few names.
    plain: &'q Query,
    /// With conditions on the index of names.
    narrow: &'q Query,
}

async fn page(
    request: &ApiRequest<'_>,
    transaction: &mut sqlx::SqliteConnection,
    context: SqlContext,
    input: &PageRequest,
    queries: PageQueries<'_>,
    total: i64,
) -> Result<Vec<Key>, ApiError> {
    let wanted = input.from + input.size;
    if input.size == 0 || total == 0 {
        return Ok(Vec::new());
    }
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
    let query = match strategy {
        ReadStrategy::InOrder => queries.plain,
        ReadStrategy::BySelection => queries.narrow,
    };
    let condition = context.condition(query);
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
