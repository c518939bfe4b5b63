//! `PUT|POST /_security/user/[{username}/]_password`: gives a user another password.

use argon2::password_hash::phc::PasswordHash;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::{
    authentication::Credential,
    authorization::refusal,
    error::ApiError,
    http::call::{Answer, Call},
};

/// The shortest password, in characters.
const PASSWORD_CHARACTERS_MIN: usize = 6;

/// A password to store.
pub(crate) enum NewPassword {
    Plain(SecretString),
    /// A PHC string of argon2id, made elsewhere.
    Hash(String),
}

/// Stores the password; the old one fails at once.
///
/// Everyone who signed in with a password may change their own. A key or a token may not:
/// whoever found it would own the account.
pub(crate) async fn handle(call: &Call<'_>) -> Result<Answer, ApiError> {
    let subject = &call.caller.subject;
    let username = match call.segments.first() {
        Some(username) => username.as_str(),
        None => subject.username.as_str(),
    };
    let mut fields = call.written("change password request")?;
    let password = new_password(
        fields.string_or_null("password")?.map(SecretString::from),
        fields.string_or_null("password_hash")?,
    )?;
    fields.finish()?;
    let Some(password) = password else {
        return Err(ApiError::validation("password must be specified"));
    };
    let own = username == subject.username;
    let by_password = subject.credential == Credential::Password
        && call
            .caller
            .on_behalf
            .as_ref()
            .is_none_or(|by| by.credential == Credential::Password);
    match (own, by_password) {
        (true, true) => {}
        (true, false) => return Err(refusal(&call.caller, call.action)),
        (false, _) => call.authorize()?,
    }
    let hash = match password {
        NewPassword::Plain(password) => call.shared.passwords.hash(&password).await?,
        NewPassword::Hash(hash) => hash,
    };
    if !call.shared.store.set_user_password(username, &hash).await? {
        return Err(ApiError::validation(
            "user must exist in order to change password",
        ));
    }
    Ok(Answer::ok(json!({})))
}

/// The password that a request gives, if it gives one.
pub(crate) fn new_password(
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
            // Anything but argon2id, and anything dearer than what we make ourselves, is refused:
            // checking it later would cost whatever the hash says.
            let acceptable = PasswordHash::new(&hash).is_ok_and(|parsed| {
                parsed.algorithm.as_str() == "argon2id"
                    && argon2::Params::try_from(&parsed)
                        .is_ok_and(|cost| cost.m_cost() <= 65_536 && cost.t_cost() <= 4)
            });
            if !acceptable {
                return Err(ApiError::illegal(
                    "The provided password hash is not a hash or it could not be resolved to a supported hash algorithm. The supported password hash algorithms are [argon2id]",
                ));
            }
            Ok(Some(NewPassword::Hash(hash)))
        }
        (None, None) => Ok(None),
    }
}
