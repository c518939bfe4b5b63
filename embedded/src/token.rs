//! OAuth2 access tokens. Switched off unless the configuration says otherwise.

pub(crate) mod create;
pub(crate) mod invalidate;

use crate::{error::ApiError, http::call::Call};

/// Refuses when tokens are switched off.
fn require_service(call: &Call<'_>) -> Result<(), ApiError> {
    if call.shared.token_service {
        return Ok(());
    }
    Err(ApiError::FeatureDisabled("security_tokens"))
}
