//! Users of the native realm, and the rules for new passwords.

use super::{role::AGENT_KEY_ROLE, secret::Secret};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt};

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

/// The shortest password, in characters.
pub const PASSWORD_CHARACTERS_MIN: usize = 15;
/// The longest password that is sent, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 4_096;
/// So many different characters must be left of it without what everybody knows.
const OWN_CHARACTERS_MIN: usize = 5;

/// What passwords that are tried first are made of: words of the well-known lists, rows of keys, and our own words.
const KNOWN_WORDS: [&str; 65] = [
    "1q2w3e",
    "1qaz",
    "2wsx",
    "3edc",
    "4r5t6y",
    "abc123",
    "access",
    "admin",
    "administrator",
    "agent",
    "apm",
    "asdf",
    "asdfghjkl",
    "baseball",
    "batman",
    "changeit",
    "changeme",
    "charlie",
    "cluster",
    "computer",
    "default",
    "donald",
    "dragon",
    "elastic",
    "elasticsearch",
    "football",
    "forever",
    "freedom",
    "hello",
    "iloveyou",
    "internet",
    "jordan",
    "kennwort",
    "key",
    "kibana",
    "letmein",
    "login",
    "master",
    "michael",
    "monkey",
    "mustang",
    "observability",
    "passphrase",
    "passwd",
    "password",
    "passwort",
    "princess",
    "qazwsx",
    "qwert",
    "qwertyuiop",
    "root",
    "search",
    "secret",
    "shadow",
    "starwars",
    "sunshine",
    "superman",
    "superuser",
    "system",
    "test",
    "trustno1",
    "user",
    "welcome",
    "whatever",
    "zxcvbnm",
];

/// A new password, exactly as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPassword(Secret);

/// Why a password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PasswordError {
    /// Shorter than [`PASSWORD_CHARACTERS_MIN`].
    TooShort,
    /// Longer than [`PASSWORD_BYTES_MAX`].
    TooLong,
    /// Made of what everybody tries first.
    EasilyGuessed,
}

impl NewPassword {
    /// Judges a new password for this user; nothing is trimmed.
    pub fn parse(password: Secret, username: &str) -> Result<Self, PasswordError> {
        let text = password.expose();
        if text.chars().count() < PASSWORD_CHARACTERS_MIN {
            Err(PasswordError::TooShort)
        } else if text.len() > PASSWORD_BYTES_MAX {
            Err(PasswordError::TooLong)
        } else if own_characters(text, username) < OWN_CHARACTERS_MIN {
            Err(PasswordError::EasilyGuessed)
        } else {
            Ok(Self(password))
        }
    }

    /// The password.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

/// How many different characters are left without the user's name, known words (also with digits in the place of
/// letters), spaces, and steps from one character to its neighbour, as in `123456` or `aaaa`.
fn own_characters(password: &str, username: &str) -> usize {
    let characters: Vec<char> = password.chars().map(lower).collect();
    let letters: Vec<char> = characters.iter().copied().map(as_letter).collect();
    let mut known = vec![false; characters.len()];
    let name = (username.chars().count() >= 3).then_some(username);
    for word in KNOWN_WORDS.into_iter().chain(name) {
        let word: Vec<char> = word.chars().map(lower).collect();
        for text in [&characters, &letters] {
            for (at, window) in text.windows(word.len()).enumerate() {
                if window == word {
                    known[at..at + word.len()].fill(true);
                }
            }
        }
    }
    let step = |at: usize| at > 0 && are_neighbours(characters[at - 1], characters[at]);
    let own = (0..characters.len())
        .filter(|at| !known[*at] && !step(*at) && !characters[*at].is_whitespace());
    own.map(|at| characters[at]).collect::<BTreeSet<_>>().len()
}

fn lower(character: char) -> char {
    character.to_lowercase().next().unwrap_or(character)
}

/// The letter for which people write this.
fn as_letter(character: char) -> char {
    match character {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

fn are_neighbours(one: char, other: char) -> bool {
    u32::from(one).abs_diff(u32::from(other)) <= 1
        || matches!((one, other), ('9', '0') | ('0', '9'))
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "Use at least 15 characters.",
            Self::TooLong => "Use at most 4,096 bytes.",
            Self::EasilyGuessed => {
                "This is easy to guess. Use words that have nothing to do with the user or this product."
            }
        })
    }
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

    fn judge(text: &str) -> Result<(), PasswordError> {
        NewPassword::parse(Secret::new(text.to_owned()), "d.whitfield").map(|_| ())
    }

    #[test]
    fn a_password_is_counted_in_characters_and_capped_in_bytes() {
        assert_eq!(judge("correct horse "), Err(PasswordError::TooShort));
        assert_eq!(judge("correct horse b"), Ok(()));
        assert_eq!(judge("ÄöÜßéèñçøåæœđłþ"), Ok(()));
        let long = "0fz8".repeat(1_024);
        assert_eq!(judge(&long[1..]), Err(PasswordError::EasilyGuessed));
        let long = "0fz8qk".repeat(700);
        assert_eq!(judge(&long[..4_096]), Ok(()));
        assert_eq!(judge(&long[..4_097]), Err(PasswordError::TooLong));
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for guess in [
            "passwordpassword",
            "P@ssw0rdP4$$w0rd",
            "Elasticsearch2026!",
            "kibana-admin-123",
            "AgentKeysAgentKeys",
            "d.whitfield.2026",
            "123456789012345",
            "aaaaaaaaaaaaaaaaaaaa",
            "abcdefghijklmnopqrst",
            "qwertyuiopasdfghjkl",
            "1q2w3e4r5t6y1q2w3e",
            "                    ",
            "dogdogdogdogdogdog",
            "Welcome To Kibana 1",
        ] {
            assert_eq!(judge(guess), Err(PasswordError::EasilyGuessed), "{guess}");
        }
    }

    #[test]
    fn any_characters_will_do_that_are_not() {
        for fine in [
            "correct horse battery",
            "password of the purple giraffe",
            "482905716380254",
            "жили-были дед да баба",
            "🦀🚀🌵🧂🪁🎻🧯🪗🛶🧲🥝🦔🪐🧶🎈",
            " leading and trailing ",
        ] {
            assert_eq!(judge(fine), Ok(()), "{fine}");
        }
    }
}
