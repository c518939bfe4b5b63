//! `DELETE /_security/role/{name}`: removes a role.

use serde_json::json;

use crate::{
    error::ApiError,
    http::call::{Answer, Call},
    privilege::built_in_roles::BUILT_IN_ROLES,
};

/// Removes the role. Users may keep its name among theirs; it then grants nothing.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let name = call.segment(0);
    call.authorize()?;
    if BUILT_IN_ROLES.contains_key(name) {
        return Err(ApiError::illegal(format!(
            "role [{name}] is reserved and cannot be deleted"
        )));
    }
    let found = call.shared.store.delete_role(name).await?;
    Ok(Answer::found(found, json!({ "found": found })))
}
