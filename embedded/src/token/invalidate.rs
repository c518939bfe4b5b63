//! `DELETE /_security/oauth2/token`: takes tokens back.

use secrecy::SecretString;
use serde_json::json;

use super::require_service;
use crate::{
    error::ApiError,
    http::call::{Answer, Call},
    store::tokens::TokenSelection,
};

/// Invalidates one token, or all of a user or realm.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let selection = parse(call)?;
    require_service(call)?;
    call.authorize()?;
    let (invalidated, previously) = call.shared.store.invalidate_tokens(&selection).await?;
    Ok(Answer::ok(json!({
        "invalidated_tokens": invalidated,
        "previously_invalidated_tokens": previously,
        "error_count": 0,
    })))
}

fn parse(call: &Call<'_>) -> Result<TokenSelection, ApiError> {
    let mut fields = call.strict("invalidate_token")?;
    let token = fields.string("token")?.map(SecretString::from);
    let refresh_token = fields.string("refresh_token")?.map(SecretString::from);
    let realm_name = fields.string("realm_name")?;
    let username = fields.string("username")?;
    fields.finish()?;
    match (token, refresh_token, realm_name, username) {
        (Some(token), None, None, None) => Ok(TokenSelection::Access(token)),
        (None, Some(token), None, None) => Ok(TokenSelection::Refresh(token)),
        (None, None, None, None) => Err(ApiError::validation(
            "one of [token, refresh_token, realm_name, username] must be specified",
        )),
        (None, None, realm_name, username) => Ok(TokenSelection::Of {
            username,
            realm_name,
        }),
        _ => Err(ApiError::validation(
            "only one of [token, refresh_token] can be specified, and neither with realm_name or username",
        )),
    }
}
