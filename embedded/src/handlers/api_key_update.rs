//! Updates API keys of the caller: one (`PUT /_security/api_key/{id}`) or several alike
//! (`POST /_security/api_key/_bulk_update`).

use serde_json::{Map, Value, json};

use super::api_key_create::{
    check_content, content_problems, descriptors_json, owner, parse_descriptors, snapshot,
};
use crate::{
    auth::authorization::owns,
    error::ApiError,
    fields::{ErrorStyle, Fields},
    http::{request::ApiRequest, response::ApiResponse},
    roles::descriptor::RoleDescriptor,
    store::{Sql, api_keys::KeyChange},
    time_value::TimeValue,
    version::Version,
};

/// Maximum number of keys in one request.
const BULK_KEYS_MAX: usize = 10_000;

/// Changes to a key. Absent fields stay as they are.
struct UpdateRequest {
    role_descriptors: Option<Vec<RoleDescriptor>>,
    metadata: Option<Map<String, Value>>,
    expiration: Option<TimeValue>,
}

/// Updates a key, and the owner's roles that limit it.
pub(crate) async fn update_api_key(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let body = request.optional_json()?.unwrap_or_else(|| json!({}));
    let mut fields = Fields::of(body, ErrorStyle::XContent("update_api_key_request"))?;
    let input = UpdateRequest::parse(&mut fields)?;
    fields.finish()?;
    input.validate(request.state.version)?;
    request.authorize()?;
    refuse_key(request)?;
    input.check_content()?;
    let updated = update(request, request.segment(0), &input).await?;
    Ok(ApiResponse::ok(json!({ "updated": updated })))
}

impl UpdateRequest {
    fn parse(fields: &mut Fields) -> Result<Self, ApiError> {
        let descriptors = fields.value("role_descriptors");
        Ok(Self {
            role_descriptors: parse_descriptors(descriptors, fields.error_style())?,
            metadata: fields.object("metadata")?,
            expiration: fields
                .string("expiration")?
                .map(|text| TimeValue::parse(&text, "expiration"))
                .transpose()?,
        })
    }

    fn validate(&self, version: Version) -> Result<(), ApiError> {
        let descriptors = self.role_descriptors.as_deref().unwrap_or_default();
        let mut problems = content_problems(descriptors, self.metadata.as_ref(), version);
        if self.expiration.is_some_and(|value| !value.is_positive) {
            problems.push("API key expiration must be in the future".to_owned());
        }
        ApiError::check_rules(problems)
    }

    fn check_content(&self) -> Result<(), ApiError> {
        let descriptors = self.role_descriptors.as_deref().unwrap_or_default();
        check_content(descriptors, self.metadata.as_ref())
    }
}

/// Refuses callers that are API keys themselves.
fn refuse_key(request: &ApiRequest<'_>) -> Result<(), ApiError> {
    if request.caller.subject.api_key_id().is_some() {
        return Err(ApiError::illegal(
            "authentication via API key not supported: only the owner user can update an API key",
        ));
    }
    Ok(())
}

/// Updates one key. Returns true if it changed.
///
/// A key of another user is reported as unknown, even to a superuser.
async fn update(
    request: &ApiRequest<'_>,
    id: &str,
    input: &UpdateRequest,
) -> Result<bool, ApiError> {
    let mut condition = Sql::new("id = ");
    condition.text(id);
    let store = &request.state.store;
    let key = store
        .find_keys(&condition, &Sql::default(), 1)
        .await?
        .pop()
        .filter(|key| owns(&request.caller, &key.username, &key.realm))
        .ok_or_else(|| {
            ApiError::NotFound(format!(
                "no API key owned by requesting user found for ID [{id}]"
            ))
        })?;
    let now_ms = request.state.clock.now_ms();
    if key.invalidation.is_some() {
        return Err(ApiError::illegal(format!(
            "cannot update invalidated API key [{id}]"
        )));
    }
    if !key.is_active(now_ms) {
        return Err(ApiError::illegal(format!(
            "cannot update expired API key [{id}]"
        )));
    }
    let change = KeyChange {
        role_descriptors: input.role_descriptors.as_deref().map(descriptors_json),
        metadata: input.metadata.as_ref(),
        expiration: input
            .expiration
            .map(|expiration| expiration.after(now_ms, "expiration"))
            .transpose()?,
        limited_by: snapshot(&request.caller.subject),
        owner: owner(&request.caller.subject),
    };
    store.update_key(&key, &change).await
}

/// Updates the keys one by one. A failure does not stop the others.
pub(crate) async fn bulk_update_api_keys(
    request: &ApiRequest<'_>,
) -> Result<ApiResponse, ApiError> {
    let mut fields = request.fields_xcontent("bulk_update_api_key_request")?;
    let ids = fields.strings("ids")?;
    let input = UpdateRequest::parse(&mut fields)?;
    fields.finish()?;
    let mut ids = ids.ok_or_else(|| ApiError::illegal("Required [ids]"))?;
    if ids.is_empty() {
        return Err(ApiError::validation("Field [ids] cannot be empty"));
    }
    if ids.len() > BULK_KEYS_MAX {
        return Err(ApiError::validation(format!(
            "Field [ids] cannot hold more than {BULK_KEYS_MAX} ids"
        )));
    }
    input.validate(request.state.version)?;
    request.authorize()?;
    refuse_key(request)?;
    input.check_content()?;
    ids.sort();
    ids.dedup();
    let (mut updated, mut noops) = (Vec::new(), Vec::new());
    let mut details: Map<String, Value> = Map::new();
    for id in ids {
        match update(request, &id, &input).await {
            Ok(true) => updated.push(id),
            Ok(false) => noops.push(id),
            Err(error) if error.status().is_server_error() => return Err(error),
            Err(error) => {
                details.insert(
                    id,
                    json!({ "type": error.kind(), "reason": error.reason() }),
                );
            }
        }
    }
    let mut body = json!({ "updated": updated, "noops": noops });
    if let (false, Some(object)) = (details.is_empty(), body.as_object_mut()) {
        object.insert(
            "errors".to_owned(),
            json!({ "count": details.len(), "details": details }),
        );
    }
    Ok(ApiResponse::ok(body))
}
