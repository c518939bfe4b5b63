//! `GET /_xpack/usage`: how much of the security feature is in use.

use serde_json::json;

use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Answers what is available and enabled.
pub(crate) fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    call.authorize()?;
    Ok(Answer::ok(json!({
        "security": {
            "available": true,
            "enabled": true,
            "realms": {
                "native": { "available": true, "enabled": true, "name": ["default_native"], "order": [0] },
                "reserved": { "available": true, "enabled": true },
            },
            "roles": { "native": { "size": call.shared.store.roles().len() } },
            "ssl": { "http": { "enabled": false }, "transport": { "enabled": false } },
            "token_service": { "enabled": call.shared.token_service },
            "api_key_service": { "enabled": true },
            "anonymous": { "enabled": false },
        }
    })))
}
