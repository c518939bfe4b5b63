//! `DELETE /_security/role_mapping/{name}`: removes a role mapping.

use serde_json::json;

use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Removes the mapping.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    call.authorize()?;
    let found = call
        .shared
        .store
        .delete_role_mapping(call.segment(0))
        .await?;
    Ok(Answer::found(found, json!({ "found": found })))
}
