//! Creates API keys: for the caller (`POST|PUT /_security/api_key`), and for another user whose
//! credentials are in the request (`POST|PUT /_security/api_key/grant`).
//! Role descriptors and metadata are parsed here for updates too.

use crate::{
    auth::{
        authenticate::{self, AUTHENTICATE},
        credentials,
    },
    error::ApiError,
    fields::{ErrorStyle, Fields},
    generate,
    handlers::tokens::require_password,
    http::{request::ApiRequest, response::ApiResponse},
    identity::Subject,
    roles::descriptor::{DescriptorKind, RoleDescriptor, check_size, role_name_problem},
    state::AppState,
    store::{
        api_keys::{NewKey, Owner},
        metadata_values::MetadataValues,
    },
    time_value::TimeValue,
    version::Version,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Maximum length of a name, in UTF-16 units as in Elasticsearch.
const NAME_UNITS_MAX: usize = 256;

struct CreateRequest {
    name: Option<String>,
    role_descriptors: Vec<RoleDescriptor>,
    expiration: Option<TimeValue>,
    metadata: Map<String, Value>,
}

/// Creates a key for the caller and returns its secret, this one time.
pub(crate) async fn create_api_key(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let input = CreateRequest::parse(request.fields_xcontent("api_key_request")?)?;
    if input.name.is_none() {
        return Err(ApiError::illegal("Required [name]"));
    }
    input.validate(request.state.version)?;
    request.authorize()?;
    let subject = &request.caller.subject;
    let derived = subject.api_key_id().is_some();
    let powerless = !input.role_descriptors.is_empty()
        && input.role_descriptors.iter().all(RoleDescriptor::is_empty);
    if derived && !powerless {
        return Err(ApiError::illegal(
            "creating derived api keys requires an explicit role descriptor that is empty (has no privileges)",
        ));
    }
    create(request.state, subject, input).await
}

impl CreateRequest {
    fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let descriptors = fields.value("role_descriptors");
        let input = Self {
            name: fields.string("name")?,
            role_descriptors: parse_descriptors(descriptors, fields.error_style())?
                .unwrap_or_default(),
            expiration: fields
                .string("expiration")?
                .map(|text| TimeValue::parse(&text, "expiration"))
                .transpose()?,
            metadata: fields.object_or_null("metadata")?.unwrap_or_default(),
        };
        fields.finish()?;
        Ok(input)
    }

    fn validate(&self, version: Version) -> Result<(), ApiError> {
        let mut problems = Vec::new();
        problems.extend(name_problems(self.name.as_deref().unwrap_or_default()));
        problems.extend(content_problems(
            &self.role_descriptors,
            Some(&self.metadata),
            version,
        ));
        ApiError::check_rules(problems)
    }
}

/// All rules that the name of a key breaks.
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
    // Java's `trim()` removes all characters up to the space, including control characters.
    if name.trim_matches(|c| c <= ' ') != name {
        problems.push("api key name may not begin or end with whitespace".to_owned());
    }
    if name.starts_with('_') {
        problems.push("api key name may not begin with an underscore".to_owned());
    }
    problems
}

async fn create(
    state: &AppState,
    subject: &Subject,
    input: CreateRequest,
) -> Result<ApiResponse, ApiError> {
    check_content(&input.role_descriptors, Some(&input.metadata))?;
    let now_ms = state.clock.now_ms();
    let id = generate::api_key_id(state.random, now_ms)?;
    let secret = state.random.secret()?;
    let expiration = input
        .expiration
        .map(|expiration| expiration.after(now_ms, "expiration"))
        .transpose()?;
    let key = NewKey {
        id,
        secret_hash: credentials::hash(state.random, &secret)?,
        name: input.name.unwrap_or_default(),
        creation: now_ms,
        expiration,
        metadata: input.metadata,
        role_descriptors: descriptors_json(&input.role_descriptors),
        limited_by: snapshot(subject),
        owner: owner(subject),
    };
    state.store.insert_key(&key).await?;
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
    Ok(ApiResponse::ok(body))
}

struct GrantRequest {
    grant: GrantCredentials,
    run_as: Option<String>,
    key: CreateRequest,
}

/// Credentials of the future owner.
enum GrantCredentials {
    Password {
        username: String,
        password: SecretString,
    },
    AccessToken(SecretString),
}

/// Creates a key for the user with the given credentials, or for the user that this user may run
/// as.
pub(crate) async fn grant_api_key(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let input = GrantRequest::parse(request.fields_xcontent("grant_api_key_request")?)?;
    input.key.validate(request.state.version)?;
    request.authorize()?;
    let subject = authenticate_owner(request, &input.grant).await?;
    let owner = match &input.run_as {
        None => subject,
        Some(username) => match authenticate::look_up_run_as(request.state, username).await? {
            Some(found) => found.caller(subject, AUTHENTICATE)?.subject,
            None => {
                return Err(grant_refused(ApiError::Unauthenticated {
                    reason: format!(
                        "unable to authenticate user [{}] for action [{}]",
                        subject.principal(),
                        request.action.name
                    ),
                    detail: None,
                }));
            }
        },
    };
    create(request.state, &owner, input.key).await
}

impl GrantRequest {
    fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let grant_type = fields.string("grant_type")?;
        let username = fields.string("username")?;
        let password = fields.string("password")?.map(SecretString::from);
        let access_token = fields.string("access_token")?.map(SecretString::from);
        let run_as = fields.string("run_as")?;
        let client_authentication = fields.object("client_authentication")?;
        let key = fields.value("api_key").unwrap_or_else(|| json!({}));
        fields.finish()?;
        let grant_type = grant_type.ok_or_else(|| ApiError::illegal("Required [grant_type]"))?;
        let grant = match (grant_type.as_str(), username, password, access_token) {
            ("password", Some(username), Some(password), None) => {
                GrantCredentials::Password { username, password }
            }
            ("access_token", None, None, Some(token)) => GrantCredentials::AccessToken(token),
            ("password", username, password, token) => {
                return Err(unsuitable(
                    "password",
                    &[
                        ("username", username.is_none()),
                        ("password", password.is_none()),
                    ],
                    &[("access_token", token.is_some())],
                ));
            }
            ("access_token", username, password, token) => {
                return Err(unsuitable(
                    "access_token",
                    &[("access_token", token.is_none())],
                    &[
                        ("username", username.is_some()),
                        ("password", password.is_some()),
                    ],
                ));
            }
            (other, ..) => {
                return Err(ApiError::validation(format!(
                    "grant_type [{other}] is not supported"
                )));
            }
        };
        if client_authentication.is_some() {
            return Err(match grant {
                GrantCredentials::AccessToken(_) => ApiError::SecurityBadRequest(
                    "[client_authentication] not supported with the supplied access_token type"
                        .to_owned(),
                ),
                GrantCredentials::Password { .. } => ApiError::validation(
                    "[client_authentication] is not supported for grant_type [password]",
                ),
            });
        }
        let key = CreateRequest::parse(Fields::of(
            match key {
                Value::Null => json!({}),
                key => key,
            },
            ErrorStyle::XContent("api_key_request"),
        )?)?;
        Ok(Self { grant, run_as, key })
    }
}

/// Lists the missing and the unexpected fields of a grant type.
fn unsuitable(
    grant_type: &str,
    missing: &[(&str, bool)],
    superfluous: &[(&str, bool)],
) -> ApiError {
    let mut problems = Vec::new();
    for (field, _) in missing.iter().filter(|(_, missing)| *missing) {
        problems.push(format!(
            "[{field}] is required for grant_type [{grant_type}]"
        ));
    }
    for (field, _) in superfluous.iter().filter(|(_, given)| *given) {
        problems.push(format!(
            "[{field}] is not supported for grant_type [{grant_type}]"
        ));
    }
    ApiError::Validation(problems)
}

async fn authenticate_owner(
    request: &ApiRequest<'_>,
    grant: &GrantCredentials,
) -> Result<Arc<Subject>, ApiError> {
    let subject = match grant {
        GrantCredentials::Password { username, password } => {
            require_password(request, username, password).await
        }
        GrantCredentials::AccessToken(access_token) => {
            authenticate::check_access_token(request.state, access_token).await
        }
    };
    subject.map_err(|error| match error {
        ApiError::Unauthenticated { .. } | ApiError::TokenExpired => grant_refused(error),
        other => other,
    })
}

fn grant_refused(cause: ApiError) -> ApiError {
    ApiError::GrantRefused {
        cause: Box::new(cause),
    }
}

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
