//! `GET /_security/user[/{usernames}]`: users, reserved ones included.

use serde_json::{Map, Value};

use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Answers the users asked for, all by default; 404 when none of the named exists.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    call.parameters.flag("with_profile_uid")?;
    let names = call.segment_list(0);
    call.authorize()?;
    let mut users = Map::new();
    if names.is_empty() {
        for user in call.shared.store.users().await? {
            users.insert(user.username.clone(), user.to_json());
        }
    }
    for name in &names {
        if let Some(user) = call.shared.store.user(name).await? {
            users.insert(user.username.clone(), user.to_json());
        }
    }
    Ok(Answer::found(
        names.is_empty() || !users.is_empty(),
        Value::Object(users),
    ))
}
