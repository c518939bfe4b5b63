//! Cluster information that clients request before they start: version, health, license, features,
//! nodes.

use serde_json::{Map, Value, json};

use crate::{
    error::ApiError,
    http::{request::ApiRequest, response::ApiResponse},
};

/// Build date and hash of the version, which clients expect.
const BUILD_DATE: &str = "2025-10-21T10:06:21.288851013Z";
const BUILD_HASH: &str = "25d88452371273dd27356c98598287b669a03eae";
/// Names of the only node and of its cluster.
const NODE_NAME: &str = "agent-keys";
const CLUSTER_NAME: &str = "agent-keys";

pub(crate) fn get_info(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    request.authorize()?;
    let version = request.state.version;
    let (oldest_node, oldest_index) = version.oldest();
    Ok(ApiResponse::ok(json!({
        "name": NODE_NAME,
        "cluster_name": CLUSTER_NAME,
        "cluster_uuid": request.state.store.cluster_uuid,
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

/// Returns green: the only node answers, and there are no shards to wait for.
pub(crate) fn get_health(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    match request.parameters.text("wait_for_status") {
        None | Some("green" | "yellow" | "red" | "GREEN" | "YELLOW" | "RED") => {}
        Some(other) => {
            return Err(ApiError::illegal(format!(
                "unknown cluster health status [{other}]"
            )));
        }
    }
    request.authorize()?;
    Ok(ApiResponse::ok(json!({
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

/// Returns a basic license, which does not expire.
pub(crate) fn get_license(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    request.authorize()?;
    Ok(ApiResponse::ok(json!({
        "license": {
            "status": "active",
            "uid": request.state.store.cluster_uuid,
            "type": "basic",
            "issue_date": "2025-01-01T00:00:00.000Z",
            "issue_date_in_millis": 1_735_689_600_000_i64,
            "max_nodes": 1000,
            "max_resource_units": null,
            "issued_to": CLUSTER_NAME,
            "issuer": "elasticsearch",
            "start_date_in_millis": -1,
        }
    })))
}

/// Returns the requested categories, all of them by default.
pub(crate) fn get_xpack_info(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let wanted: Vec<&str> = match request.parameters.text("categories") {
        None | Some("_all") => vec!["build", "license", "features"],
        Some(list) => list.split(',').map(str::trim).collect(),
    };
    request.authorize()?;
    let mut body = Map::new();
    for category in wanted {
        let content = match category {
            "build" => json!({ "hash": BUILD_HASH, "date": BUILD_DATE }),
            "license" => json!({
                "uid": request.state.store.cluster_uuid,
                "type": "basic",
                "mode": "basic",
                "status": "active",
            }),
            "features" => json!({ "security": { "available": true, "enabled": true } }),
            other => {
                return Err(ApiError::illegal(format!(
                    "No enum constant org.elasticsearch.protocol.xpack.XPackInfoRequest.Category.{}",
                    other.to_uppercase()
                )));
            }
        };
        body.insert(category.to_owned(), content);
    }
    body.insert("tagline".to_owned(), "You know, for X".into());
    Ok(ApiResponse::ok(Value::Object(body)))
}

/// Returns the security features in use.
pub(crate) fn get_xpack_usage(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    request.authorize()?;
    Ok(ApiResponse::ok(json!({
        "security": {
            "available": true,
            "enabled": true,
            "realms": {
                "native": { "available": true, "enabled": true, "name": ["default_native"], "order": [0] },
                "reserved": { "available": true, "enabled": true },
            },
            "roles": { "native": { "size": request.state.store.roles().len() } },
            "ssl": { "http": { "enabled": false }, "transport": { "enabled": false } },
            "token_service": { "enabled": request.state.token_service },
            "api_key_service": { "enabled": true },
            "anonymous": { "enabled": false },
        }
    })))
}

pub(crate) fn get_nodes_http(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    request.authorize()?;
    let address = request.state.address.to_string();
    let node_id = &request.state.store.cluster_uuid;
    Ok(ApiResponse::ok(json!({
        "_nodes": { "total": 1, "successful": 1, "failed": 0 },
        "cluster_name": CLUSTER_NAME,
        "nodes": {
            node_id: {
                "name": NODE_NAME,
                "transport_address": address,
                "host": request.state.address.ip().to_string(),
                "ip": request.state.address.ip().to_string(),
                "version": request.state.version.number(),
                "build_flavor": "default",
                "build_type": "docker",
                "build_hash": BUILD_HASH,
                "roles": ["data", "ingest", "master"],
                "attributes": {},
                "http": {
                    "bound_address": [address],
                    "publish_address": address,
                    "max_content_length_in_bytes": request.state.body_bytes_max,
                },
            }
        },
    })))
}

/// Returns success. The caches are never stale, so there is nothing to clear.
pub(crate) fn clear_cache(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    request.authorize()?;
    let node_id = &request.state.store.cluster_uuid;
    Ok(ApiResponse::ok(json!({
        "_nodes": { "total": 1, "successful": 1, "failed": 0 },
        "cluster_name": CLUSTER_NAME,
        "nodes": { node_id: { "name": NODE_NAME } },
    })))
}
