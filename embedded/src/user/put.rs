//! `PUT|POST /_security/user/{username}`: creates or replaces a user.

use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::change_password::{NewPassword, new_password};
use crate::{
    error::ApiError,
    fields::Fields,
    http::call::{Answer, Call},
    store::users::User,
};

/// The name of requests without credentials, where they are allowed.
const ANONYMOUS: &str = "_anonymous";

struct Input {
    roles: Vec<String>,
    full_name: Option<String>,
    email: Option<String>,
    metadata: Map<String, Value>,
    enabled: bool,
    password: Option<NewPassword>,
}

/// Stores the user. Without a password a user that exists keeps theirs.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let username = call.segment(0);
    let input = Input::parse(username, call.written(&format!("user [{username}]"))?)?;
    input.validate(username)?;
    call.authorize()?;
    let store = &call.shared.store;
    if store
        .user(username)
        .await?
        .is_some_and(|user| user.reserved)
    {
        return Err(ApiError::validation(format!(
            "user [{username}] is reserved and only the password can be changed"
        )));
    }
    if username == ANONYMOUS {
        return Err(ApiError::validation(format!(
            "user [{username}] is anonymous and cannot be modified via the API"
        )));
    }
    let subject = &call.caller.subject;
    let oneself = username == subject.username && subject.api_key_id().is_none();
    if oneself && !input.enabled {
        return Err(ApiError::validation(
            "native and reserved realm users may not update the enabled status of their own account",
        ));
    }
    let password_hash = match input.password {
        None => None,
        Some(NewPassword::Hash(hash)) => Some(hash),
        Some(NewPassword::Plain(password)) => Some(call.shared.passwords.hash(&password).await?),
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
        Some(created) => Ok(Answer::ok(json!({ "created": created }))),
        None => Err(ApiError::validation(
            "password must be specified unless you are updating an existing user",
        )),
    }
}

impl Input {
    fn parse(username: &str, mut fields: Fields) -> Result<Self, ApiError> {
        if let Some(named) = fields.string("username")?
            && named != username
        {
            return Err(ApiError::illegal(format!(
                "[username] [{named}] does not match the username in the path [{username}]"
            )));
        }
        let roles = match fields.strings("roles")?.as_deref() {
            // A single string is a list with commas.
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
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Validation(problems))
        }
    }
}

/// What is wrong with a username, if anything.
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
