//! Elasticsearch's native users.

use super::{
    password::{NewPassword, PasswordError},
    role::AGENT_KEY_ROLE,
    secret::Secret,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest user name, in characters.
pub const USERNAME_CHARACTERS_MAX: usize = 507;

/// The most users that are shown at once.
pub const USERS_MAX: usize = 100;

/// A user name: 1 to [`USERNAME_CHARACTERS_MAX`] printable ASCII characters, no white space at either end, no `:`.
///
/// Elasticsearch would store a `:`, and then nobody could sign in with it: Basic authentication cannot carry one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

/// Why a text is not a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UsernameError {
    /// Nothing was typed.
    Empty,
    /// Longer than [`USERNAME_CHARACTERS_MAX`].
    TooLong,
    /// White space at either end.
    OuterSpace,
    /// A character outside printable ASCII.
    NotPrintableAscii,
    /// A `:`.
    Colon,
}

impl Username {
    /// Reads a user name.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        if text.is_empty() {
            Err(UsernameError::Empty)
        } else if text.chars().count() > USERNAME_CHARACTERS_MAX {
            Err(UsernameError::TooLong)
        } else if text.trim() != text {
            Err(UsernameError::OuterSpace)
        } else if !text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
            Err(UsernameError::NotPrintableAscii)
        } else if text.contains(':') {
            Err(UsernameError::Colon)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The name of a user who exists. Elasticsearch lets it hold a colon, though nobody can sign in with it then.
    pub fn of_existing(text: &str) -> Result<Self, UsernameError> {
        match Self::parse(text) {
            Err(UsernameError::Colon) => Ok(Self(text.to_owned())),
            parsed => parsed,
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Username {
    type Error = UsernameError;

    fn try_from(text: String) -> Result<Self, UsernameError> {
        Self::parse(&text)
    }
}

impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for UsernameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Enter a user name.",
            Self::TooLong => "Use at most 507 characters.",
            Self::OuterSpace => "Remove the space at the start or end.",
            Self::NotPrintableAscii => "Use letters, digits and signs without accents.",
            Self::Colon => "Leave out “:”. Nobody could sign in with it.",
        })
    }
}

/// A person's name and password, for the moment of signing in. Exactly as typed: whatever they are, Elasticsearch judges them.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A user, as Elasticsearch holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name to sign in with, as stored.
    pub username: String,
    /// The name for people.
    pub full_name: Option<String>,
    /// Where to write to them.
    pub email: Option<String>,
    /// Every role they hold.
    pub roles: Vec<String>,
    /// Whether they may sign in.
    pub enabled: bool,
    /// Whether Elasticsearch keeps this user for itself; only its password can be changed.
    pub reserved: bool,
    /// How many of their keys work now; `None` where Elasticsearch cannot count them (before 8.13).
    pub active_keys: Option<u64>,
}

impl User {
    /// Whether they hold the agent key role.
    pub fn has_agent_key_role(&self) -> bool {
        self.roles.iter().any(|role| role == AGENT_KEY_ROLE)
    }
}

/// A user to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// The name to sign in with.
    pub username: Username,
    /// The first password.
    pub password: NewPassword,
    /// The name for people.
    pub full_name: Option<String>,
    /// Where to write to them.
    pub email: Option<String>,
    /// Whether they get the agent key role at once.
    pub agent_key_role: bool,
}

/// What is wrong with the form for a new user, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewUserErrors {
    /// The name cannot be used.
    pub username: Option<UsernameError>,
    /// There is a user of this name.
    pub username_taken: bool,
    /// The password cannot be used.
    pub password: Option<PasswordError>,
    /// The full name cannot be used: over 200 characters, or control characters.
    pub full_name: bool,
    /// The e-mail address cannot be used: over 320 characters, no `@`, or control characters.
    pub email: bool,
}

/// Everything the users page shows, to those who may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserList {
    /// By user name: those that match the search, at most [`USERS_MAX`].
    pub users: Vec<User>,
    /// How many match the search.
    pub matching: usize,
    /// How many there are.
    pub total: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_can_be_carried_by_basic_authentication() {
        assert!(Username::parse("d.whitfield").is_ok());
        assert_eq!(Username::parse(""), Err(UsernameError::Empty));
        assert_eq!(Username::parse("a:b"), Err(UsernameError::Colon));
        assert_eq!(Username::parse(" a"), Err(UsernameError::OuterSpace));
        assert_eq!(Username::parse("é"), Err(UsernameError::NotPrintableAscii));
        assert_eq!(
            Username::parse(&"a".repeat(508)),
            Err(UsernameError::TooLong)
        );
    }
}
