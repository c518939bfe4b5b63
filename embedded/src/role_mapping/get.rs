//! `GET /_security/role_mapping[/{names}]`: role mappings.

use serde_json::{Map, Value};

use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Answers the mappings asked for, all by default; 404 when none of the named exists.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let names = call.segment_list(0);
    call.authorize()?;
    let mappings: Map<String, Value> = call
        .shared
        .store
        .role_mappings()
        .await?
        .into_iter()
        .filter(|(name, _)| names.is_empty() || names.contains(name))
        .collect();
    Ok(Answer::found(
        names.is_empty() || !mappings.is_empty(),
        Value::Object(mappings),
    ))
}
