//! `GET /_security/api_key`: keys by id, name or owner, without paging.

use serde_json::{Value, json};

use super::selection::Selection;
use crate::{
    authorization::{KeyScope, authorize_keys},
    error::ApiError,
    http::call::{Answer, Call},
    store::sql::Sql,
};

/// More keys than this are asked for page by page.
const KEYS_MAX: i64 = 100_000;

struct Input {
    selection: Selection,
    with_limited_by: bool,
    active_only: bool,
}

/// Answers the keys; 404 when an id was given and nothing matched.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let input = Input::parse(call)?;
    input.validate()?;
    let selection = &input.selection;
    authorize_keys(
        &call.caller,
        call.action,
        &KeyScope {
            owner: selection.owner,
            username: selection.username.as_deref(),
            realm_name: selection.realm_name.as_deref(),
            ids: &selection.ids,
            with_limited_by: input.with_limited_by,
        },
    )?;
    let mut condition = selection.to_sql(&call.caller);
    if input.active_only {
        condition
            .push(" AND invalidated = 0 AND (expiration IS NULL OR expiration > ")
            .integer(call.shared.clock.now_ms())
            .push(")");
    }
    let keys = call
        .shared
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
    Ok(Answer::found(found, json!({ "api_keys": keys })))
}

impl Input {
    fn parse(call: &Call<'_>) -> Result<Self, ApiError> {
        let parameters = &call.parameters;
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
        let problems = self.selection.problems("api key id");
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Validation(problems))
        }
    }
}
