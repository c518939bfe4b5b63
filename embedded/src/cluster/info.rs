//! `GET /`: what this is.

use serde_json::json;

use super::{BUILD_DATE, BUILD_HASH, CLUSTER_NAME, NODE_NAME};
use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Answers name, cluster and version.
pub(crate) fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    call.authorize()?;
    let version = call.shared.version;
    let (oldest_node, oldest_index) = version.oldest();
    Ok(Answer::ok(json!({
        "name": NODE_NAME,
        "cluster_name": CLUSTER_NAME,
        "cluster_uuid": call.shared.store.cluster_uuid,
        "version": {
            "number": version.number(),
            "build_flavor": "default",
            "build_type": "docker",
            "build_hash": BUILD_HASH,
            "build_date": BUILD_DATE,
            "build_snapshot": false,
            "lucene_version": version.lucene(),
            "minimum_wire_compatibility_version": oldest_node,
            "minimum_index_compatibility_version": oldest_index,
        },
        "tagline": "You Know, for Search",
    })))
}
