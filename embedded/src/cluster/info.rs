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
    Ok(Answer::ok(json!({
        "name": NODE_NAME,
        "cluster_name": CLUSTER_NAME,
        "cluster_uuid": call.shared.store.cluster_uuid,
        "version": {
            "number": call.shared.version.number(),
            "build_flavor": "default",
            "build_type": "docker",
            "build_hash": BUILD_HASH,
            "build_date": BUILD_DATE,
            "build_snapshot": false,
            "lucene_version": "10.3.1",
            "minimum_wire_compatibility_version": "8.19.0",
            "minimum_index_compatibility_version": "8.0.0",
        },
        "tagline": "You Know, for Search",
    })))
}
