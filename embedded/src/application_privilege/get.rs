//! `GET /_security/privilege[/{application}[/{names}]]`: registered privileges.

use serde_json::{Map, Value};

use super::authorize;
use crate::{
    error::ApiError,
    http::call::{Answer, Call},
    pattern::matches,
};

/// Answers the privileges asked for; 404 when names were given and none exists.
pub(crate) fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let application = call.segments.first().map(String::as_str);
    let names = call.segment_list(1);
    authorize(call, application.as_slice())?;
    let registered = call.shared.store.application_privileges();
    let mut body = Map::new();
    for (known, privileges) in registered.iter() {
        if !application.is_none_or(|pattern| matches(pattern, known)) {
            continue;
        }
        let wanted: Map<String, Value> = privileges
            .iter()
            .filter(|(name, _)| names.is_empty() || names.contains(name))
            .map(|(name, privilege)| (name.clone(), privilege.to_json(known, name)))
            .collect();
        if !wanted.is_empty() {
            body.insert(known.clone(), Value::Object(wanted));
        }
    }
    Ok(Answer::found(
        names.is_empty() || !body.is_empty(),
        Value::Object(body),
    ))
}
