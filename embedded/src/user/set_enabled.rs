//! `PUT|POST /_security/user/{username}/_enable` and `/_disable`.

use serde_json::json;

use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Lets a user sign in, or not. Doing it twice is fine; doing it to oneself is not.
pub(crate) async fn handle(call: &Call<'_>, enabled: bool) -> Result<Answer, ApiError> {
    let username = call.segment(0);
    call.authorize()?;
    if username == call.caller.subject.username && call.caller.subject.api_key_id().is_none() {
        return Err(ApiError::illegal(
            "users may not update the enabled status of their own account",
        ));
    }
    if !call
        .shared
        .store
        .set_user_enabled(username, enabled)
        .await?
    {
        return Err(ApiError::validation(
            "only existing users can be enabled or disabled",
        ));
    }
    Ok(Answer::ok(json!({})))
}
