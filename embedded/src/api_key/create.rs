//! `POST|PUT /_security/api_key`: creates a key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::{
    check_restrictions, content_problems, descriptors_json, owner, parse_descriptors, snapshot,
};
use crate::{
    authentication::{Subject, api_key},
    error::ApiError,
    fields::Fields,
    http::call::{Answer, Call},
    role_descriptor::RoleDescriptor,
    state::Shared,
    store::api_keys::NewKey,
    time_value::TimeValue,
    version::Version,
};

/// The longest name, in UTF-16 units, because that is what Elasticsearch counts.
const NAME_UNITS_MAX: usize = 256;

/// A key that someone asks for.
pub(super) struct Input {
    name: Option<String>,
    role_descriptors: Vec<RoleDescriptor>,
    expiration: Option<TimeValue>,
    metadata: Map<String, Value>,
}

/// Creates the key and answers its secret, this one time.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let input = Input::parse(call.strict("api_key_request")?)?;
    if input.name.is_none() {
        return Err(ApiError::illegal("Required [name]"));
    }
    input.validate(call.shared.version)?;
    call.authorize()?;
    let subject = &call.caller.subject;
    let derived = subject.api_key_id().is_some();
    let powerless = !input.role_descriptors.is_empty()
        && input.role_descriptors.iter().all(RoleDescriptor::is_empty);
    if derived && !powerless {
        return Err(ApiError::illegal(
            "creating derived api keys requires an explicit role descriptor that is empty (has no privileges)",
        ));
    }
    create(call.shared, subject, input).await
}

impl Input {
    pub(super) fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let descriptors = fields.value("role_descriptors");
        let input = Self {
            name: fields.string("name")?,
            role_descriptors: parse_descriptors(descriptors, fields.dialect())?.unwrap_or_default(),
            expiration: fields
                .string("expiration")?
                .map(|text| TimeValue::parse(&text, "expiration"))
                .transpose()?,
            metadata: fields.object_or_null("metadata")?.unwrap_or_default(),
        };
        fields.finish()?;
        Ok(input)
    }

    pub(super) fn validate(&self, version: Version) -> Result<(), ApiError> {
        let mut problems = Vec::new();
        problems.extend(name_problems(self.name.as_deref().unwrap_or_default()));
        problems.extend(content_problems(
            &self.role_descriptors,
            Some(&self.metadata),
            version,
        ));
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Validation(problems))
        }
    }
}

/// Every rule that a key's name breaks.
fn name_problems(name: &str) -> Vec<String> {
    if name.is_empty() {
        return vec!["api key name is required".to_owned()];
    }
    let mut problems = Vec::new();
    if name.encode_utf16().count() > NAME_UNITS_MAX {
        problems.push(format!(
            "api key name may not be more than {NAME_UNITS_MAX} characters long"
        ));
    }
    // Java's trim() takes everything up to the space, control characters included.
    if name.trim_matches(|c| c <= ' ') != name {
        problems.push("api key name may not begin or end with whitespace".to_owned());
    }
    if name.starts_with('_') {
        problems.push("api key name may not begin with an underscore".to_owned());
    }
    problems
}

/// Creates the key for `subject`.
pub(super) async fn create(
    shared: &Shared,
    subject: &Subject,
    input: Input,
) -> Result<Answer, ApiError> {
    check_restrictions(&input.role_descriptors)?;
    let now_ms = shared.clock.now_ms();
    let id = shared.randomness.api_key_id(now_ms)?;
    let secret = shared.randomness.secret()?;
    let expiration = input
        .expiration
        .map(|expiration| expiration.after(now_ms, "expiration"))
        .transpose()?;
    let key = NewKey {
        id,
        secret_hash: api_key::hash(shared.randomness, &secret)?,
        name: input.name.unwrap_or_default(),
        creation: now_ms,
        expiration,
        metadata: input.metadata,
        role_descriptors: descriptors_json(&input.role_descriptors),
        limited_by: snapshot(subject),
        owner: owner(subject),
    };
    shared.store.insert_key(&key).await?;
    let secret = secret.expose_secret();
    let mut body = json!({
        "id": key.id,
        "name": key.name,
        "api_key": secret,
        "encoded": STANDARD.encode(format!("{}:{secret}", key.id)),
    });
    if let (Some(expiration), Some(object)) = (expiration, body.as_object_mut()) {
        object.insert("expiration".to_owned(), expiration.into());
    }
    Ok(Answer::ok(body))
}
