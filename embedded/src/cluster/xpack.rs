//! `GET /_xpack`: which features there are.

use serde_json::{Map, Value, json};

use super::{BUILD_DATE, BUILD_HASH};
use crate::{
    error::ApiError,
    http::call::{Answer, Call},
};

/// Answers the categories asked for, all of them by default.
pub(crate) fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let wanted: Vec<&str> = match call.parameters.text("categories") {
        None | Some("_all") => vec!["build", "license", "features"],
        Some(list) => list.split(',').map(str::trim).collect(),
    };
    call.authorize()?;
    let mut body = Map::new();
    for category in wanted {
        let content = match category {
            "build" => json!({ "hash": BUILD_HASH, "date": BUILD_DATE }),
            "license" => json!({
                "uid": call.shared.store.cluster_uuid,
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
    Ok(Answer::ok(Value::Object(body)))
}
