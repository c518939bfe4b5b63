//! `POST /_security/api_key/_bulk_update`: changes several keys of one's own alike.

use serde_json::{Map, Value, json};

use super::update::{Input, refuse_key, update};
use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Keys in one request.
const KEYS_MAX: usize = 10_000;

/// Updates the keys one by one; one that fails does not stop the others.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut fields = call.strict("bulk_update_api_key_request")?;
    let ids = fields.strings("ids")?;
    let input = Input::parse(&mut fields)?;
    fields.finish()?;
    let mut ids = ids.ok_or_else(|| ApiError::illegal("Required [ids]"))?;
    if ids.is_empty() {
        return Err(ApiError::validation("Field [ids] cannot be empty"));
    }
    if ids.len() > KEYS_MAX {
        return Err(ApiError::validation(format!(
            "Field [ids] cannot hold more than {KEYS_MAX} ids"
        )));
    }
    input.validate(call.shared.version)?;
    call.authorize()?;
    refuse_key(call)?;
    input.check_restrictions()?;
    ids.sort();
    ids.dedup();
    let (mut updated, mut noops) = (Vec::new(), Vec::new());
    let mut details: Map<String, Value> = Map::new();
    for id in ids {
        match update(call, &id, &input).await {
            Ok(true) => updated.push(id),
            Ok(false) => noops.push(id),
            Err(error) if error.status().is_server_error() => return Err(error),
            Err(error) => {
                details.insert(
                    id,
                    json!({ "type": error.kind(), "reason": error.reason() }),
                );
            }
        }
    }
    let mut body = json!({ "updated": updated, "noops": noops });
    if let (false, Some(object)) = (details.is_empty(), body.as_object_mut()) {
        object.insert(
            "errors".to_owned(),
            json!({ "count": details.len(), "details": details }),
        );
    }
    Ok(Answer::ok(body))
}
