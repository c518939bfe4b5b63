//! `GET /_cluster/health`: whether it works.

use serde_json::json;

use super::CLUSTER_NAME;
use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Answers green: whoever can be asked, works, and there is nothing to wait for.
pub(crate) fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    match call.parameters.text("wait_for_status") {
        None | Some("green" | "yellow" | "red" | "GREEN" | "YELLOW" | "RED") => {}
        Some(other) => {
            return Err(ApiError::illegal(format!(
                "unknown cluster health status [{other}]"
            )));
        }
    }
    call.authorize()?;
    Ok(Answer::ok(json!({
        "cluster_name": CLUSTER_NAME,
        "status": "green",
        "timed_out": false,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "active_primary_shards": 1,
        "active_shards": 1,
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": 0,
        "unassigned_primary_shards": 0,
        "delayed_unassigned_shards": 0,
        "number_of_pending_tasks": 0,
        "number_of_in_flight_fetch": 0,
        "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": 100.0,
    })))
}
