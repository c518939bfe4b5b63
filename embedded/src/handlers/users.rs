//! Users (`/_security/user`), and the caller's own identity and privileges
//! (`/_security/_authenticate`, `/_security/user/_privileges`).

use crate::{
    auth::authorization::refusal,
    error::ApiError,
    fields::Fields,
    http::{request::ApiRequest, response::ApiResponse},
    identity::CredentialKind,
    passwords::{PASSWORD_CHARACTERS_MIN, Passwords},
    roles::{
        descriptor::{IndexEntry, RoleDescriptor},
        permission::ApplicationPermission,
    },
    store::users::User,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Name of unauthenticated callers, where they are allowed.
const ANONYMOUS: &str = "_anonymous";

struct PutUserRequest {
    roles: Vec<String>,
    full_name: Option<String>,
    email: Option<String>,
    metadata: Map<String, Value>,
    enabled: bool,
    password: Option<NewPassword>,
}

/// Stores a user. Without a password an existing user keeps the current one.
pub(crate) async fn put_user(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let username = request.segment(0);
    let input = PutUserRequest::parse(
        &request.state.passwords,
        username,
        request.fields_parse(&format!("user [{username}]"))?,
    )?;
    input.validate(username)?;
    request.authorize()?;
    let store = &request.state.store;
    let mut problems = Vec::new();
    let subject = &request.caller.subject;
    let own_account = subject.is_stored_user(username);
    if own_account && !input.enabled {
        problems.push(
            "native and reserved realm users may not update the enabled status of their own account"
                .to_owned(),
        );
    }
    if username == ANONYMOUS {
        problems.push(anonymous("modified via the API"));
    } else if is_reserved(request, username).await? {
        problems.push(format!(
            "user [{username}] is reserved and only the password can be changed"
        ));
    }
    ApiError::check_rules(problems)?;
    let password_hash = match input.password {
        None => None,
        Some(NewPassword::Hash(hash)) => Some(hash),
        Some(NewPassword::Plain(password)) => Some(request.hash(&password).await?),
    };
    let user = User {
        username: username.to_owned(),
        password_hash,
        roles: input.roles,
        full_name: input.full_name,
        email: input.email,
        metadata: input.metadata,
        enabled: input.enabled,
        reserved: false,
    };
    match store.put_user(&user).await? {
        Some(created) => Ok(ApiResponse::ok(json!({ "created": created }))),
        None => Err(ApiError::invalid(
            "password must be specified unless you are updating an existing user",
        )),
    }
}

async fn is_reserved(request: &ApiRequest<'_>, username: &str) -> Result<bool, ApiError> {
    let user = request.state.store.user(username).await?;
    Ok(user.is_some_and(|user| user.reserved))
}

fn anonymous(refused: &str) -> String {
    format!("user [{ANONYMOUS}] is anonymous and cannot be {refused}")
}

impl PutUserRequest {
    fn parse(passwords: &Passwords, username: &str, mut fields: Fields) -> Result<Self, ApiError> {
        if let Some(named) = fields.string("username")?
            && named != username
        {
            return Err(ApiError::illegal(format!(
                "[username] [{named}] does not match the username in the path [{username}]"
            )));
        }
        let roles = match fields.strings("roles")?.as_deref() {
            // A single string is a comma-separated list.
            Some([one]) => one
                .split(',')
                .map(str::trim)
                .filter(|role| !role.is_empty())
                .map(str::to_owned)
                .collect(),
            Some(list) => list.to_vec(),
            None => Vec::new(),
        };
        let input = Self {
            roles,
            full_name: fields.string_or_null("full_name")?,
            email: fields.string_or_null("email")?,
            metadata: fields.object_or_null("metadata")?.unwrap_or_default(),
            enabled: fields.boolean("enabled")?.unwrap_or(true),
            password: new_password(
                passwords,
                fields.string_or_null("password")?.map(SecretString::from),
                fields.string_or_null("password_hash")?,
            )?,
        };
        fields.finish()?;
        Ok(input)
    }

    fn validate(&self, username: &str) -> Result<(), ApiError> {
        let mut problems = Vec::new();
        problems.extend(username_problem(username));
        if self.metadata.keys().any(|key| key.starts_with('_')) {
            problems.push("metadata keys may not start with [_]".to_owned());
        }
        ApiError::check_rules(problems)
    }
}

/// Returns the rule that a username breaks.
fn username_problem(username: &str) -> Option<String> {
    let length = username.chars().count();
    let printable = username.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if !(1..=507).contains(&length) || !printable || username.trim() != username {
        return Some(
            "Username must be at least 1 and no more than 507 characters. It can contain alphanumeric characters (a-z, A-Z, 0-9), spaces, punctuation, and printable symbols in the Basic Latin (ASCII) block. Leading or trailing whitespace is not allowed."
                .to_owned(),
        );
    }
    None
}

/// Returns the requested users, reserved ones included, all by default; 404 when none of the named
/// exists.
pub(crate) async fn get_users(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    request.parameters.flag("with_profile_uid")?;
    let names = request.segment_list(0);
    request.authorize()?;
    let mut users = Map::new();
    if names.is_empty() {
        for user in request.state.store.users().await? {
            users.insert(user.username.clone(), user.to_json());
        }
    }
    for name in &names {
        if let Some(user) = request.state.store.user(name).await? {
            users.insert(user.username.clone(), user.to_json());
        }
    }
    Ok(ApiResponse::found(
        names.is_empty() || !users.is_empty(),
        Value::Object(users),
    ))
}

/// Deletes a user. The user's keys stay valid.
pub(crate) async fn delete_user(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let username = request.segment(0);
    request.authorize()?;
    if username == ANONYMOUS {
        return Err(ApiError::illegal(anonymous("deleted")));
    }
    if is_reserved(request, username).await? {
        return Err(ApiError::illegal(format!(
            "user [{username}] is reserved and cannot be deleted"
        )));
    }
    let found = request.state.store.delete_user(username).await?;
    Ok(ApiResponse::found(found, json!({ "found": found })))
}

/// Enables or disables a user. Repeating it is allowed; callers cannot change themselves.
pub(crate) async fn set_user_enabled(
    request: &ApiRequest<'_>,
    enabled: bool,
) -> Result<ApiResponse, ApiError> {
    let username = request.segment(0);
    request.authorize()?;
    if request.caller.subject.is_stored_user(username) {
        return Err(ApiError::illegal(
            "users may not update the enabled status of their own account",
        ));
    }
    if username == ANONYMOUS {
        return Err(ApiError::illegal(anonymous("modified using the api")));
    }
    if !request
        .state
        .store
        .set_user_enabled(username, enabled)
        .await?
    {
        return Err(ApiError::invalid(
            "only existing users can be enabled or disabled",
        ));
    }
    Ok(ApiResponse::ok(json!({})))
}

enum NewPassword {
    Plain(SecretString),
    /// A PHC string of argon2id from the request.
    Hash(String),
}

/// Changes a password. The old password is invalid at once.
///
/// Callers that authenticated with a password may change their own. API keys and tokens may not,
/// so that a leaked one does not take over the account.
pub(crate) async fn change_password(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let subject = &request.caller.subject;
    let username = match request.segments.first() {
        Some(username) => username.as_str(),
        None => subject.username.as_str(),
    };
    let mut fields = request.fields_parse("change password request")?;
    let password = new_password(
        &request.state.passwords,
        fields.string_or_null("password")?.map(SecretString::from),
        fields.string_or_null("password_hash")?,
    )?;
    fields.finish()?;
    let Some(password) = password else {
        return Err(ApiError::validation("password must be specified"));
    };
    let own = username == subject.username;
    let by_password = subject.credential == CredentialKind::Password
        && request
            .caller
            .on_behalf
            .as_ref()
            .is_none_or(|by| by.credential == CredentialKind::Password);
    match (own, by_password) {
        (true, true) => {}
        (true, false) => return Err(refusal(&request.caller, request.action)),
        (false, _) => request.authorize()?,
    }
    if username == ANONYMOUS {
        return Err(ApiError::illegal(anonymous("modified via the API")));
    }
    let hash = match password {
        NewPassword::Plain(password) => request.hash(&password).await?,
        NewPassword::Hash(hash) => hash,
    };
    if !request
        .state
        .store
        .set_user_password(username, &hash)
        .await?
    {
        return Err(ApiError::invalid(
            "user must exist in order to change password",
        ));
    }
    Ok(ApiResponse::ok(json!({})))
}

/// Returns the password of a request, if it has one.
fn new_password(
    passwords: &Passwords,
    plain: Option<SecretString>,
    hash: Option<String>,
) -> Result<Option<NewPassword>, ApiError> {
    match (plain, hash) {
        (Some(_), Some(_)) => Err(ApiError::validation(
            "password and password_hash may not be specified together",
        )),
        (Some(plain), None) => {
            if plain.expose_secret().chars().count() < PASSWORD_CHARACTERS_MIN {
                return Err(ApiError::Invalid(format!(
                    "passwords must be at least [{PASSWORD_CHARACTERS_MIN}] characters long"
                )));
            }
            Ok(Some(NewPassword::Plain(plain)))
        }
        (None, Some(hash)) => {
            if !passwords.accepts(&hash) {
                return Err(ApiError::illegal(
                    "The provided password hash is not a hash or it could not be resolved to a supported hash algorithm. The supported password hash algorithms are [argon2id]",
                ));
            }
            Ok(Some(NewPassword::Hash(hash)))
        }
        (None, None) => Ok(None),
    }
}

pub(crate) fn get_authentication(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    request.authorize()?;
    Ok(ApiResponse::ok(request.caller.to_json()))
}

/// Returns the merged privileges of the caller's roles.
pub(crate) fn get_user_privileges(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    request.authorize()?;
    let permission = &request.caller.subject.permission;
    if permission.has_assigned() {
        return Err(ApiError::illegal(
            "Cannot retrieve privileges for API keys with assigned role descriptors. Please use the Get API key information API https://ela.st/es-api-get-api-key",
        ));
    }
    let registered = request.state.store.application_privileges();
    let applications: Vec<Value> = permission
        .applications(&registered)
        .iter()
        .flat_map(ApplicationPermission::entries)
        .map(|entry| {
            json!({
                "application": entry.application,
                "privileges": entry.privileges,
                "resources": entry.resources,
            })
        })
        .collect();
    Ok(ApiResponse::ok(merge(permission.roles(), applications)))
}

fn merge(roles: &[RoleDescriptor], applications: Vec<Value>) -> Value {
    let cluster: BTreeSet<&String> = roles.iter().flat_map(|role| &role.cluster).collect();
    let run_as: BTreeSet<&String> = roles.iter().flat_map(|role| &role.run_as).collect();
    let mut merged = json!({
        "cluster": cluster,
        "global": distinct(roles.iter().filter_map(|role| role.global.as_ref())),
        "indices": merge_indices(roles),
        "applications": applications,
        "run_as": run_as,
    });
    let entries = |list: fn(&RoleDescriptor) -> &Option<Value>| {
        distinct(
            roles
                .iter()
                .filter_map(move |role| list(role).as_ref()?.as_array())
                .flatten(),
        )
    };
    let remote = [
        ("remote_indices", entries(|role| &role.remote_indices)),
        ("remote_cluster", entries(|role| &role.remote_cluster)),
    ];
    if let Some(object) = merged.as_object_mut() {
        for (name, entries) in remote {
            if !entries.is_empty() {
                object.insert(name.to_owned(), entries.into());
            }
        }
    }
    merged
}

fn distinct<'v>(values: impl Iterator<Item = &'v Value>) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for value in values {
        if !kept.contains(value) {
            kept.push(value.clone());
        }
    }
    kept
}

/// Unites the index entries with the same names. An entry without a limit on fields or documents
/// lifts the limits of the others.
fn merge_indices(roles: &[RoleDescriptor]) -> Vec<Value> {
    let mut by_names: BTreeMap<(bool, BTreeSet<&str>), Vec<&IndexEntry>> = BTreeMap::new();
    for role in roles {
        // The only entry of a role with `none` as its first privilege counts as absent.
        if let [only] = role.indices.as_slice()
            && let Some(first) = only.privileges.first()
            && first.eq_ignore_ascii_case("none")
        {
            continue;
        }
        for entry in &role.indices {
            let names = entry.names.iter().map(String::as_str).collect();
            by_names
                .entry((entry.allow_restricted_indices, names))
                .or_default()
                .push(entry);
        }
    }
    by_names
        .into_iter()
        .map(|((allow_restricted_indices, names), entries)| {
            let privileges: BTreeSet<&String> =
                entries.iter().flat_map(|entry| &entry.privileges).collect();
            let mut json = json!({
                "names": names,
                "privileges": privileges,
                "allow_restricted_indices": allow_restricted_indices,
            });
            let fields: Option<Vec<&Value>> = entries
                .iter()
                .map(|entry| entry.field_security.as_ref())
                .collect();
            let queries: Option<BTreeSet<&String>> =
                entries.iter().map(|entry| entry.query.as_ref()).collect();
            if let Some(object) = json.as_object_mut() {
                if let Some(fields) = fields {
                    object.insert(
                        "field_security".to_owned(),
                        distinct(fields.into_iter()).into(),
                    );
                }
                if let Some(queries) = queries {
                    object.insert("query".to_owned(), json!(queries));
                }
            }
            json
        })
        .collect()
}
