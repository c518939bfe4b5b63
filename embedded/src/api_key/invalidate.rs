//! `DELETE /_security/api_key`: revokes keys, for good.

use serde_json::json;

use super::selection::Selection;
use crate::{
    authorization::{KeyScope, authorize_keys},
    error::ApiError,
    fields::Fields,
    http::call::{Answer, Call},
    store::sql::Sql,
};

struct Input {
    selection: Selection,
    /// `ids` was there, if only empty.
    ids_given: bool,
}

/// Invalidates the keys; the very next request with one of them is refused.
///
/// Keys that do not exist or are invalidated already are passed over in silence.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let input = Input::parse(call.strict("invalidate_api_key")?)?;
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
            with_limited_by: false,
        },
    )?;
    let mut condition = selection.to_sql(&call.caller);
    condition.push(" AND invalidated = 0");
    let keys = call
        .shared
        .store
        .find_keys(&condition, &Sql::new("number"), -1)
        .await?;
    let now_ms = call.shared.clock.now_ms();
    let (invalidated, previously) = if keys.is_empty() {
        (Vec::new(), Vec::new())
    } else {
        call.shared.store.invalidate_keys(&keys, now_ms).await?
    };
    Ok(Answer::ok(json!({
        "invalidated_api_keys": invalidated,
        "previously_invalidated_api_keys": previously,
        "error_count": 0,
    })))
}

impl Input {
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
        let mut problems = Vec::new();
        if self.ids_given && selection.ids.is_empty() {
            problems.push("Field [ids] cannot be an empty array".to_owned());
        }
        let blank: Vec<String> = selection
            .ids
            .iter()
            .enumerate()
            .filter(|(_, id)| id.trim().is_empty())
            .map(|(index, _)| index.to_string())
            .collect();
        if !blank.is_empty() {
            problems.push(format!(
                "Field [ids] must not contain blank id, but got blank id at index position: [{}]",
                blank.join(", ")
            ));
        }
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
        problems.extend(selection.problems("api key id(s)"));
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Validation(problems))
        }
    }
}
