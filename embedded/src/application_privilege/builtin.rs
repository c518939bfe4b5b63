//! `GET /_security/privilege/_builtin`: the names of the built-in privileges.

use serde_json::json;

use crate::{
    error::ApiError,
    http::call::{Answer, Call},
    privilege::{cluster, index::INDEX_PRIVILEGES},
};

/// Answers the names, sorted.
pub(crate) fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    call.authorize()?;
    let cluster: Vec<&str> = cluster::names(call.shared.version).collect();
    let index: Vec<&str> = INDEX_PRIVILEGES.iter().map(|(name, _)| *name).collect();
    Ok(Answer::ok(json!({
        "cluster": cluster,
        "index": index,
        "remote_cluster": ["monitor_enrich", "monitor_stats"],
    })))
}
