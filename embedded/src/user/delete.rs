//! `DELETE /_security/user/{username}`: removes a user.

use serde_json::json;

use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Removes the user. Their keys stay: a key stands on its own once it is made.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let username = call.segment(0);
    call.authorize()?;
    let store = &call.shared.store;
    if store
        .user(username)
        .await?
        .is_some_and(|user| user.reserved)
    {
        return Err(ApiError::validation(format!(
            "user [{username}] is reserved and cannot be deleted"
        )));
    }
    let found = store.delete_user(username).await?;
    Ok(Answer::found(found, json!({ "found": found })))
}
