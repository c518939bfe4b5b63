//! `GET /_license`: a basic license, which never ends.

use serde_json::json;

use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Answers the license.
pub(crate) fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    call.authorize()?;
    Ok(Answer::ok(json!({
        "license": {
            "status": "active",
            "uid": call.shared.store.cluster_uuid,
            "type": "basic",
            "issue_date": "2025-01-01T00:00:00.000Z",
            "issue_date_in_millis": 1_735_689_600_000_i64,
            "max_nodes": 1000,
            "max_resource_units": null,
            "issued_to": super::CLUSTER_NAME,
            "issuer": "elasticsearch",
            "start_date_in_millis": -1,
        }
    })))
}
