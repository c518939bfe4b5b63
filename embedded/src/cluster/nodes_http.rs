//! `GET /_nodes/http`: where the nodes are, for clients that look around.

use serde_json::json;

use super::{CLUSTER_NAME, NODE_NAME};
use crate::{
    error::ApiError,
    http::{
        BODY_BYTES_MAX,
        call::{Answer, Call},
    },
};

/// Answers the only node.
pub(crate) fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    call.authorize()?;
    let address = call.shared.address.to_string();
    let node_id = &call.shared.store.cluster_uuid;
    Ok(Answer::ok(json!({
        "_nodes": { "total": 1, "successful": 1, "failed": 0 },
        "cluster_name": CLUSTER_NAME,
        "nodes": {
            node_id: {
                "name": NODE_NAME,
                "transport_address": address,
                "host": call.shared.address.ip().to_string(),
                "ip": call.shared.address.ip().to_string(),
                "version": call.shared.version.number(),
                "build_flavor": "default",
                "build_type": "docker",
                "build_hash": super::BUILD_HASH,
                "roles": ["data", "ingest", "master"],
                "attributes": {},
                "http": {
                    "bound_address": [address],
                    "publish_address": address,
                    "max_content_length_in_bytes": BODY_BYTES_MAX,
                },
            }
        },
    })))
}
