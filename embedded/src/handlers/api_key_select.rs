//! Reads and invalidates API keys selected by id, name or owner: `GET` and `DELETE /_security/api_key`.

use serde_json::{Value, json};

use crate::{
    auth::authorization::{KeyOperation, RequestedKeys, authorize_keys, own_keys},
    error::ApiError,
    fields::Fields,
    http::{request::ApiRequest, response::ApiResponse},
    identity::Caller,
    store::Sql,
};

/// Maximum number of keys in one response. More require the query API.
const KEYS_MAX: i64 = 100_000;

struct GetRequest {
    selection: Selection,
    with_limited_by: bool,
    active_only: bool,
}

/// Returns the keys; 404 when an id was given and no key matched.
pub(crate) async fn get_api_keys(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let input = GetRequest::parse(request)?;
    input.validate()?;
    let selection = &input.selection;
    authorize_keys(
        &request.caller,
        request.action,
        KeyOperation::Get,
        &selection.requested_keys(input.with_limited_by),
    )?;
    let mut condition = selection.to_sql(&request.caller);
    if input.active_only {
        condition
            .push(" AND invalidated = 0 AND (expiration IS NULL OR expiration > ")
            .integer(request.state.clock.now_ms())
            .push(")");
    }
    let keys = request
        .state
        .store
        .find_keys(&condition, &Sql::new("number"), KEYS_MAX + 1)
        .await?;
    if keys.len() > usize::try_from(KEYS_MAX).unwrap_or(usize::MAX) {
        return Err(ApiError::illegal(format!(
            "more than [{KEYS_MAX}] API keys match. Use the query API key information API"
        )));
    }
    let found = !keys.is_empty() || selection.ids.is_empty();
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| Value::Object(key.to_json(input.with_limited_by)))
        .collect();
    Ok(ApiResponse::found(found, json!({ "api_keys": keys })))
}

impl GetRequest {
    fn parse(request: &ApiRequest<'_>) -> Result<Self, ApiError> {
        let parameters = &request.parameters;
        let text = |name: &str| parameters.text(name).map(str::to_owned);
        parameters.flag("with_profile_uid")?;
        Ok(Self {
            selection: Selection {
                ids: text("id").into_iter().collect(),
                name: text("name"),
                username: text("username"),
                realm_name: text("realm_name"),
                owner: parameters.flag("owner")?,
            },
            with_limited_by: parameters.flag("with_limited_by")?,
            active_only: parameters.flag("active_only")?,
        })
    }

    fn validate(&self) -> Result<(), ApiError> {
        ApiError::check_rules(self.selection.problems("api key id", "retrieving"))
    }
}

struct InvalidateRequest {
    selection: Selection,
    /// True if `ids` was present, even if empty.
    ids_given: bool,
}

/// Invalidates the keys. The next request with one of them is refused.
///
/// Unknown and already invalidated keys are ignored.
pub(crate) async fn invalidate_api_keys(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let input = InvalidateRequest::parse(request.fields_xcontent("invalidate_api_key")?)?;
    input.validate()?;
    let selection = &input.selection;
    authorize_keys(
        &request.caller,
        request.action,
        KeyOperation::Invalidate,
        &selection.requested_keys(false),
    )?;
    let mut condition = selection.to_sql(&request.caller);
    condition.push(" AND invalidated = 0");
    let keys = request
        .state
        .store
        .find_keys(&condition, &Sql::new("number"), -1)
        .await?;
    let now_ms = request.state.clock.now_ms();
    let (invalidated, previously) = if keys.is_empty() {
        (Vec::new(), Vec::new())
    } else {
        request.state.store.invalidate_keys(&keys, now_ms).await?
    };
    Ok(ApiResponse::ok(json!({
        "invalidated_api_keys": invalidated,
        "previously_invalidated_api_keys": previously,
        "error_count": 0,
    })))
}

impl InvalidateRequest {
    fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let ids = fields.strings("ids")?;
        let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let input = Self {
            ids_given: ids.is_some(),
            selection: Selection {
                ids: ids.unwrap_or_default(),
                name: filled(fields.string_or_null("name")?),
                username: filled(fields.string_or_null("username")?),
                realm_name: filled(fields.string_or_null("realm_name")?),
                owner: fields.boolean("owner")?.unwrap_or(false),
            },
        };
        fields.finish()?;
        Ok(input)
    }

    fn validate(&self) -> Result<(), ApiError> {
        let selection = &self.selection;
        // Elasticsearch refuses these ids before it looks at the other fields.
        if self.ids_given && selection.ids.is_empty() {
            return Err(ApiError::validation("Field [ids] cannot be an empty array"));
        }
        let blank: Vec<String> = selection
            .ids
            .iter()
            .enumerate()
            .filter(|(_, id)| id.trim().is_empty())
            .map(|(index, _)| index.to_string())
            .collect();
        if !blank.is_empty() {
            let (ids, positions) = match blank.len() {
                1 => ("id", "position"),
                _ => ("ids", "positions"),
            };
            return Err(ApiError::validation(format!(
                "Field [ids] must not contain blank id, but got blank {ids} at index {positions}: [{}]",
                blank.join(", ")
            )));
        }
        let mut problems = Vec::new();
        let nothing = !self.ids_given
            && selection.name.is_none()
            && selection.username.is_none()
            && selection.realm_name.is_none();
        if nothing && !selection.owner {
            problems.push(
                "One of [api key id(s), api key name, username, realm name] must be specified if [owner] flag is false"
                    .to_owned(),
            );
        }
        problems.extend(selection.problems("api key id(s)", "invalidating"));
        ApiError::check_rules(problems)
    }
}

/// Keys by id, name and owner. Absent criteria do not restrict.
#[derive(Default)]
struct Selection {
    ids: Vec<String>,
    name: Option<String>,
    username: Option<String>,
    realm_name: Option<String>,
    owner: bool,
}

impl Selection {
    /// Returns the contradictions between the criteria. Messages name the ids and the operation.
    fn problems(&self, ids: &str, operation: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let by_key = !self.ids.is_empty() || self.name.is_some();
        let by_owner = self.username.is_some() || self.realm_name.is_some();
        if by_key && by_owner {
            problems.push(format!(
                "username or realm name must not be specified when the {ids} or api key name are specified"
            ));
        }
        if self.owner && by_owner {
            problems.push(format!(
                "neither username nor realm-name may be specified when {operation} owned API keys"
            ));
        }
        if !self.ids.is_empty() && self.name.is_some() {
            problems.push(format!(
                "only one of [{ids}, api key name] can be specified"
            ));
        }
        problems
    }

    fn requested_keys(&self, with_limited_by: bool) -> RequestedKeys<'_> {
        RequestedKeys {
            owner: self.owner,
            username: self.username.as_deref(),
            realm_name: self.realm_name.as_deref(),
            ids: &self.ids,
            with_limited_by,
        }
    }

    /// The selection as an SQL condition.
    fn to_sql(&self, caller: &Caller) -> Sql {
        let mut conditions = Vec::new();
        if !self.ids.is_empty() {
            let mut condition = Sql::new("id IN ");
            condition.list(&self.ids);
            conditions.push(condition);
        }
        match self.name.as_deref() {
            None | Some("*") => {}
            Some(name) => conditions.push(name_condition(name)),
        }
        let texts = [
            ("username = ", &self.username),
            ("realm_name = ", &self.realm_name),
        ];
        for (column, value) in texts {
            if let Some(value) = value {
                let mut condition = Sql::new(column);
                condition.text(value.clone());
                conditions.push(condition);
            }
        }
        if self.owner {
            conditions.push(own_keys(caller));
        }
        Sql::join(&conditions, " AND ", "1")
    }
}

/// Matches a name, or a prefix that ends with a star. Other stars are literal.
fn name_condition(name: &str) -> Sql {
    let mut condition = Sql::default();
    match name.strip_suffix('*') {
        Some(beginning) => condition
            .push("(name >= ")
            .text(beginning)
            .push(" AND name < ")
            .text(format!("{beginning}\u{10FFFF}"))
            .push(")"),
        None => condition.push("name = ").text(name),
    };
    condition
}
