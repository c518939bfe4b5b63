//! `POST …/_clear_cache`: forgets what is kept in memory.

use serde_json::json;

use super::CLUSTER_NAME;
use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Answers that the only node did it. Nothing kept in memory can be stale, so nothing has to
/// be forgotten.
pub(crate) fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    call.authorize()?;
    let node_id = &call.shared.store.cluster_uuid;
    Ok(Answer::ok(json!({
        "_nodes": { "total": 1, "successful": 1, "failed": 0 },
        "cluster_name": CLUSTER_NAME,
        "nodes": { node_id: { "name": super::NODE_NAME } },
    })))
}
