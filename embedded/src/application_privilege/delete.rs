//! `DELETE /_security/privilege/{application}/{names}`: unregisters privileges.

use serde_json::{Map, Value, json};

use super::authorize;
use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Removes the privileges; 404 when none of them existed.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let application = call.segment(0);
    let names = call.segment_list(1);
    authorize(call, &[application])?;
    let found = call
        .shared
        .store
        .delete_application_privileges(application, &names)
        .await?;
    let any = found.contains(&true);
    let outcome: Map<String, Value> = names
        .into_iter()
        .zip(found)
        .map(|(name, found)| (name, json!({ "found": found })))
        .collect();
    Ok(Answer::found(any, json!({ application: outcome })))
}
