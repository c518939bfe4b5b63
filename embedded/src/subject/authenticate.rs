//! `GET /_security/_authenticate`: who am I?

use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Answers who the caller is.
pub(crate) fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    call.authorize()?;
    Ok(Answer::ok(call.caller.to_json()))
}
