//! `PUT /_security/api_key/{id}`: changes a key of one's own.

use serde_json::{Map, Value, json};

use super::{
    check_restrictions, content_problems, descriptors_json, owner, parse_descriptors, snapshot,
};
use crate::{
    authorization::owns,
    error::ApiError,
    fields::{Dialect, Fields},
    http::call::{Answer, Call},
    role_descriptor::RoleDescriptor,
    store::{api_keys::KeyChange, sql::Sql},
    time_value::TimeValue,
    version::Version,
};

/// What is to be different. What is not given stays.
pub(super) struct Input {
    role_descriptors: Option<Vec<RoleDescriptor>>,
    metadata: Option<Map<String, Value>>,
    expiration: Option<TimeValue>,
}

/// Updates the key, and what it is limited by with it.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let body = call.optional_json()?.unwrap_or_else(|| json!({}));
    let mut fields = Fields::of(body, Dialect::Strict("update_api_key_request"))?;
    let input = Input::parse(&mut fields)?;
    fields.finish()?;
    input.validate(call.shared.version)?;
    call.authorize()?;
    refuse_key(call)?;
    input.check_restrictions()?;
    let updated = update(call, call.segment(0), &input).await?;
    Ok(Answer::ok(json!({ "updated": updated })))
}

impl Input {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, ApiError> {
        let descriptors = fields.value("role_descriptors");
        Ok(Self {
            role_descriptors: parse_descriptors(descriptors, fields.dialect())?,
            metadata: fields.object("metadata")?,
            expiration: fields
                .string("expiration")?
                .map(|text| TimeValue::parse(&text, "expiration"))
                .transpose()?,
        })
    }

    pub(super) fn validate(&self, version: Version) -> Result<(), ApiError> {
        let descriptors = self.role_descriptors.as_deref().unwrap_or_default();
        let problems = content_problems(descriptors, self.metadata.as_ref(), version);
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Validation(problems))
        }
    }

    pub(super) fn check_restrictions(&self) -> Result<(), ApiError> {
        check_restrictions(self.role_descriptors.as_deref().unwrap_or_default())
    }
}

/// Refuses callers that are keys themselves.
pub(super) fn refuse_key(call: &Call<'_>) -> Result<(), ApiError> {
    if call.caller.subject.api_key_id().is_some() {
        return Err(ApiError::illegal(
            "authentication via API key not supported: only the owner user can update an API key",
        ));
    }
    Ok(())
}

/// Updates one key. Answers whether anything changed.
///
/// Someone else's key is as unknown as one that does not exist, even to a superuser.
pub(super) async fn update(call: &Call<'_>, id: &str, input: &Input) -> Result<bool, ApiError> {
    let mut condition = Sql::new("id = ");
    condition.text(id);
    let store = &call.shared.store;
    let key = store
        .find_keys(&condition, &Sql::default(), 1)
        .await?
        .pop()
        .filter(|key| owns(&call.caller, &key.username, &key.realm))
        .ok_or_else(|| {
            ApiError::NotFound(format!(
                "no API key owned by requesting user found for ID [{id}]"
            ))
        })?;
    let now_ms = call.shared.clock.now_ms();
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
        limited_by: snapshot(&call.caller.subject),
        owner: owner(&call.caller.subject),
    };
    store.update_key(&key, &change).await
}
