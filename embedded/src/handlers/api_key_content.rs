//! Role descriptors and metadata in requests to create and update API keys.

use serde_json::{Map, Value};

use crate::{
    error::ApiError,
    fields::ErrorStyle,
    identity::Subject,
    roles::descriptor::{DescriptorKind, RoleDescriptor, check_size, role_name_problem},
    store::{api_key_writes::Owner, metadata_values::MetadataValues},
    version::Version,
};

/// Parses the descriptors of a key: an object of descriptors by name.
pub(super) fn parse_descriptors(
    value: Option<Value>,
    error_style: &ErrorStyle,
) -> Result<Option<Vec<RoleDescriptor>>, ApiError> {
    match value {
        None => Ok(None),
        Some(Value::Object(descriptors)) => descriptors
            .into_iter()
            .map(|(name, descriptor)| {
                RoleDescriptor::parse(&name, descriptor, DescriptorKind::ApiKey).map_err(|cause| {
                    ApiError::Content {
                        reason: "[1:1] [api_key_request] failed to parse field [role_descriptors]"
                            .to_owned(),
                        cause: Some(Box::new(cause)),
                    }
                })
            })
            .collect::<Result<_, _>>()
            .map(Some),
        Some(other) => Err(error_style.wrong_type("role_descriptors", "an object", &other)),
    }
}

/// All rules that the descriptors and metadata of a key break.
pub(super) fn content_problems(
    descriptors: &[RoleDescriptor],
    metadata: Option<&Map<String, Value>>,
    version: Version,
) -> Vec<String> {
    let mut problems = Vec::new();
    if metadata.is_some_and(|metadata| metadata.keys().any(|key| key.starts_with('_'))) {
        problems.push("API key metadata keys may not start with [_]".to_owned());
    }
    for descriptor in descriptors {
        problems.extend(role_name_problem(&descriptor.name, DescriptorKind::ApiKey));
        problems.extend(descriptor.problems(version));
    }
    problems
}

/// Refuses content that is too large, and a restricted descriptor that is not the only one.
pub(super) fn check_content(
    descriptors: &[RoleDescriptor],
    metadata: Option<&Map<String, Value>>,
) -> Result<(), ApiError> {
    check_size(descriptors)?;
    if let Some(metadata) = metadata {
        MetadataValues::check_size(metadata)?;
    }
    let restricted = descriptors
        .iter()
        .filter(|descriptor| descriptor.restriction.is_some())
        .count();
    match restricted {
        0 => Ok(()),
        1 if descriptors.len() == 1 => Ok(()),
        1 => Err(ApiError::illegal(
            "combining role descriptors with and without restriction is not supported",
        )),
        _ => Err(ApiError::illegal(
            "more than one role descriptor with restriction is not supported",
        )),
    }
}

/// The descriptors by name, as stored and returned.
pub(super) fn descriptors_json(descriptors: &[RoleDescriptor]) -> Value {
    descriptors
        .iter()
        .map(|descriptor| (descriptor.name.clone(), descriptor.to_json()))
        .collect::<Map<_, _>>()
        .into()
}

/// The subject's current roles, which limit its new or updated keys.
pub(super) fn snapshot(subject: &Subject) -> Value {
    subject
        .permission
        .roles()
        .iter()
        .map(|role| (role.name.clone(), role.without_description().to_json()))
        .collect::<Map<_, _>>()
        .into()
}

pub(super) fn owner(subject: &Subject) -> Owner {
    Owner {
        username: subject.username.clone(),
        realm: subject.realm.clone(),
        full_name: subject.full_name.clone(),
        email: subject.email.clone(),
        metadata: subject.metadata.clone(),
    }
}
