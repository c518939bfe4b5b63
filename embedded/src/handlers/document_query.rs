//! `GET|POST /_security/_query/role` and `GET|POST /_security/_query/user`: the roles and users
//! created through the API by query, sorted, page by page.
//! The part of the body that all query operations share, the query and its page, is parsed here.

use crate::{
    error::ApiError,
    fields::{ErrorStyle, Fields},
    http::{request::ApiRequest, response::ApiResponse},
    query::{
        Query, Value,
        field::{Document, Documents},
        parse::QueryReader,
        sort::{self, SortField},
    },
    roles::descriptor::RoleDescriptor,
    store::users::User,
};
use serde_json::{Map, Value as Json, json};
use std::cmp::Ordering;

pub(crate) fn query_roles(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let page = parse(request, Documents::Roles, "query_role_request_payload")?;
    request.authorize()?;
    let roles = request.state.store.roles();
    let documents = roles.values().map(|role| (role_document(role), role));
    let shown = |role: &&RoleDescriptor| {
        let mut shown = json!({ "name": role.name });
        if let (Some(shown), Json::Object(mut role)) = (shown.as_object_mut(), role.to_json()) {
            shown.append(&mut role);
        }
        shown
    };
    Ok(answer(&page, "roles", documents.collect(), shown))
}

pub(crate) async fn query_users(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    request.parameters.flag("with_profile_uid")?;
    let page = parse(request, Documents::Users, "query_user_request_payload")?;
    request.authorize()?;
    let users = request.state.store.users().await?;
    let documents = users
        .into_iter()
        .filter(|user| !user.reserved)
        .map(|user| (user_document(&user), user));
    Ok(answer(&page, "users", documents.collect(), User::to_json))
}

fn parse(
    request: &ApiRequest<'_>,
    documents: Documents,
    parser: &'static str,
) -> Result<PageRequest, ApiError> {
    let body = request.optional_json()?.unwrap_or_else(|| json!({}));
    let mut fields = Fields::of(body, ErrorStyle::XContent(parser))?;
    let mut reader = QueryReader::new(documents, request.state.clock.now_ms());
    let page = PageRequest::parse(&mut fields, &mut reader)?;
    fields.finish()?;
    page.validate()?;
    Ok(page)
}

fn role_document(role: &RoleDescriptor) -> Document {
    let mut document = Document {
        id: format!("role-{}", role.name),
        metadata: role.metadata.clone(),
        ..Document::default()
    };
    document.put("name", [role.name.as_str()].into_iter());
    document.put("description", role.description.as_deref().into_iter());
    let entries = &role.applications;
    document.put(
        "applications.application",
        entries.iter().map(|entry| entry.application.as_str()),
    );
    document.put(
        "applications.resources",
        entries
            .iter()
            .flat_map(|entry| &entry.resources)
            .map(String::as_str),
    );
    document.put(
        "applications.privileges",
        entries
            .iter()
            .flat_map(|entry| &entry.privileges)
            .map(String::as_str),
    );
    document
}

fn user_document(user: &User) -> Document {
    let mut document = Document {
        id: format!("user-{}", user.username),
        ..Document::default()
    };
    document.put("username", [user.username.as_str()].into_iter());
    document.put("roles", user.roles.iter().map(String::as_str));
    document.put("full_name", user.full_name.as_deref().into_iter());
    document.put("email", user.email.as_deref().into_iter());
    let enabled = vec![Value::Boolean(user.enabled)];
    document.fields.insert("enabled", enabled);
    document
}

/// One match: its values in the order of the sort fields, and the role or user.
type Found<T> = (Vec<Option<Value>>, T);

fn answer<T>(
    page: &PageRequest,
    name: &str,
    documents: Vec<(Document, T)>,
    shown: impl Fn(&T) -> Json,
) -> ApiResponse {
    let mut found: Vec<Found<T>> = Vec::new();
    for (number, (mut document, item)) in (0..).zip(documents) {
        document.number = number;
        if document.matches(&page.query) {
            let values = page.sort.iter().map(|field| field.value_of(&document));
            found.push((values.collect(), item));
        }
    }
    let total = found.len();
    // A stable sort, so that equal documents keep their order.
    found.sort_by(|(left, _), (right, _)| compare(&page.sort, left, right));
    if let Some(after) = &page.search_after {
        found.retain(|(values, _)| compare(&page.sort, values, after).is_gt());
    }
    let items: Vec<Json> = found
        .iter()
        .skip(page.from)
        .take(page.size)
        .map(|(values, item)| {
            let mut json = shown(item);
            if let (false, Some(object)) = (page.sort.is_empty(), json.as_object_mut()) {
                let values: Vec<Json> = values.iter().map(sort_value).collect();
                object.insert("_sort".to_owned(), values.into());
            }
            json
        })
        .collect();
    let mut body = Map::new();
    body.insert("total".to_owned(), total.into());
    body.insert("count".to_owned(), items.len().into());
    body.insert(name.to_owned(), items.into());
    ApiResponse::ok(Json::Object(body))
}

fn compare(sort: &[SortField], left: &[Option<Value>], right: &[Option<Value>]) -> Ordering {
    let values = left.iter().zip(right);
    sort.iter()
        .zip(values)
        .map(|(field, (left, right))| field.compare(left, right))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn sort_value(value: &Option<Value>) -> Json {
    match value {
        None => Json::Null,
        Some(Value::Text(text)) => text.clone().into(),
        Some(Value::Moment(number)) => (*number).into(),
        Some(Value::Boolean(value)) => (*value).into(),
    }
}

/// Maximum of `from + size`. `search_after` reads further.
const WINDOW_MAX: usize = 10_000;

pub(super) struct PageRequest {
    pub(super) query: Query,
    pub(super) from: usize,
    pub(super) size: usize,
    pub(super) sort: Vec<SortField>,
    pub(super) search_after: Option<Vec<Option<Value>>>,
}

impl PageRequest {
    /// Takes the fields of the page. The caller takes its other fields, and then validates.
    pub(super) fn parse(fields: &mut Fields, reader: &mut QueryReader) -> Result<Self, ApiError> {
        let query = match fields.value("query") {
            None => Query::All,
            Some(query) => reader.read(query)?,
        };
        let sort = match fields.value("sort") {
            None => Vec::new(),
            Some(sort) => sort::parse_sort(reader.documents(), sort, reader.now_ms())?,
        };
        let search_after = fields
            .array("search_after")?
            .map(|after| sort::parse_after(&after, &sort, reader.now_ms()))
            .transpose()?;
        Ok(Self {
            query,
            from: number(fields, "from", 0)?,
            size: number(fields, "size", 10)?,
            sort,
            search_after,
        })
    }

    pub(super) fn validate(&self) -> Result<(), ApiError> {
        let window = self.from.saturating_add(self.size);
        if window > WINDOW_MAX {
            return Err(ApiError::illegal(format!(
                "Result window is too large, from + size must be less than or equal to: [{WINDOW_MAX}] but was [{window}]. See the scroll api for a more efficient way to request large data sets.",
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
        .ok_or_else(|| fields.error_style().wrong_type(name, "a number", &value))?;
    usize::try_from(number).map_err(|_| {
        ApiError::validation(format!(
            "[{name}] parameter cannot be negative but was [{number}]"
        ))
    })
}
