//! Users of the native realm, the rules for new passwords, and `apm_agent_key_role`, which lets a user create agent keys.

use super::{agent_key::MissingPrivilege, secret::Secret};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt};

/// Maximum length of a user name, in characters.
pub const USERNAME_CHARACTERS_MAX: usize = 507;

/// A user name: 1 to [`USERNAME_CHARACTERS_MAX`] printable ASCII characters, no white space at either end, no `:`.
///
/// Elasticsearch accepts a `:`, but Basic authentication cannot carry a user name with one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

/// Reason for rejecting a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UsernameError {
    Empty,
    TooLong,
    /// A character outside printable ASCII.
    NotPrintableAscii,
    Colon,
}

impl Username {
    /// Parses a user name without the spaces around it.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        let text = text.trim();
        if text.is_empty() {
            Err(UsernameError::Empty)
        } else if text.chars().count() > USERNAME_CHARACTERS_MAX {
            Err(UsernameError::TooLong)
        } else if !text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
            Err(UsernameError::NotPrintableAscii)
        } else if text.contains(':') {
            Err(UsernameError::Colon)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// Parses the name of an existing user, which may hold a colon.
    pub fn of_existing(text: &str) -> Result<Self, UsernameError> {
        match Self::parse(text) {
            Err(UsernameError::Colon) => Ok(Self(text.trim().to_owned())),
            parsed => parsed,
        }
    }
}

string_newtype!(Username, UsernameError, Username::parse);

impl fmt::Display for UsernameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Enter a user name.",
            Self::TooLong => "Use at most 507 characters.",
            Self::NotPrintableAscii => "Use letters, digits and signs without accents.",
            Self::Colon => "Remove “:”. A user name with a colon cannot sign in.",
        })
    }
}

/// User name and password of a sign-in, as typed. Elasticsearch validates them.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
}

/// A user as Elasticsearch stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub username: String,
    pub full_name: Option<String>,
    pub email: Option<String>,
    pub roles: Vec<String>,
    /// True if the user may sign in.
    pub enabled: bool,
    /// True for a reserved user, of which only the password can be changed.
    pub reserved: bool,
    /// Number of active keys. Elasticsearch before 8.13 cannot count them.
    pub active_keys: Option<u64>,
}

impl User {
    pub fn has_agent_key_role(&self) -> bool {
        self.roles.iter().any(|role| role == AGENT_KEY_ROLE)
    }
}

/// Returns what a reserved user is for and may do, in one sentence.
pub fn reserved_user_purpose(username: &str) -> &'static str {
    match username {
        "elastic" => "Superuser: may do everything in this cluster.",
        "kibana" | "kibana_system" => {
            "Kibana’s own connection: may manage Kibana’s data and create API keys for its users."
        }
        "logstash_system" => "Logstash’s own connection: may store monitoring data.",
        "beats_system" => "Beats’ own connection: may store monitoring data.",
        "apm_system" => "APM Server’s own connection: may store monitoring data.",
        "remote_monitoring_user" => {
            "Metricbeat’s own connection: may collect and store monitoring data."
        }
        _ => "Built into Elasticsearch. Its roles say what it may do.",
    }
}

/// A validated request for a new user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    pub username: Username,
    pub password: NewPassword,
    pub full_name: Option<String>,
    pub email: Option<String>,
    /// True to give the user the agent key role.
    pub agent_key_role: bool,
}

/// Validation errors of the form for a new user, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewUserErrors {
    pub username: Option<UsernameError>,
    /// True if a user of this name exists.
    pub username_taken: bool,
    pub password: Option<PasswordError>,
    /// True if the full name has more than 200 characters or invisible ones.
    pub full_name: bool,
    /// True if the e-mail address has more than 320 characters, no `@`, or invisible ones.
    pub email: bool,
}

/// Origin of a new password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordSource {
    /// The password in the form.
    #[default]
    Typed,
    /// A random password, which the response shows once.
    Generated,
}

/// A generated password. One response carries it to the browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratedPassword {
    pub username: String,
    pub password: Secret,
}

/// The form with which users change their own password, as typed.
#[derive(Clone, Debug, Default)]
pub struct OwnPasswordForm {
    pub current: Secret,
    pub new: Secret,
    pub repeated: Secret,
}

/// Validation errors of that form, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnPasswordErrors {
    pub current: Option<CurrentPasswordError>,
    pub new: Option<PasswordError>,
    /// True if the new password and its repetition differ.
    pub repeated: bool,
}

/// Reason for rejecting the current password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CurrentPasswordError {
    Empty,
    /// Wrong, or paused after too many attempts. The response does not reveal which.
    Rejected,
}

/// Minimum length of a new password, in characters.
pub const PASSWORD_CHARACTERS_MIN: usize = 15;
/// Maximum length of a new password, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 4_096;
/// Minimum number of distinct characters outside known words, the user name and sequences.
const OWN_CHARACTERS_MIN: usize = 5;

/// Words of passwords that attackers try first: from well-known lists, keyboard rows, and the product's own terms.
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

/// A new password, as typed.
///
/// Elasticsearch accepts any six characters. A password that an administrator sets here is long and not easily guessed.
/// There is no other rule: any character counts, and pasting works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPassword(Secret);

/// Reason for rejecting a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PasswordError {
    TooShort,
    TooLong,
    EasilyGuessed,
}

impl NewPassword {
    /// Validates a new password of this user, without trimming it.
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

    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

/// Counts the distinct characters outside the user name, known words (also with digits for letters), spaces, and
/// sequences such as `123456` or `aaaa`.
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

/// Returns the letter that a digit or sign commonly replaces.
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

impl fmt::Display for CurrentPasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Enter your current password.",
            Self::Rejected => {
                "The password is wrong, or entering it is paused after too many attempts. Wait a moment and try again."
            }
        })
    }
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

/// Name of the role, as in Elastic's documentation.
pub const AGENT_KEY_ROLE: &str = "apm_agent_key_role";

/// The role in Elasticsearch, and what it grants compared with the documented one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentKeyRole {
    pub state: RoleState,
    /// Fields of a later version of Elasticsearch, as JSON. A repair keeps them.
    pub unknown_fields: Option<String>,
    /// The request that creates the documented role: `PUT /_security/role/…` with its JSON body.
    pub request: String,
    /// Kibana space of the documented role.
    pub kibana_space: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoleState {
    Missing,
    /// The role grants the documented privileges and no others.
    AsDocumented,
    /// The role grants the documented privileges and others.
    GrantsMore {
        /// The others, as JSON of a role.
        more: String,
    },
    /// The role lacks documented privileges.
    NeedsRepair {
        missing: Vec<MissingPrivilege>,
        /// Lines of the role's JSON as they are and as a repair leaves them.
        diff: Vec<DiffLine>,
    },
    /// The user may not see the role.
    Unknown,
}

/// One line of the diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffLine {
    pub side: DiffSide,
    /// Indented line, without a line break.
    pub text: String,
}

/// Side of the diff on which a line occurs. A repair removes nothing; a line only in the current role is one that a
/// repair rewrites, such as a list that becomes longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiffSide {
    Both,
    /// Only in the current role.
    Removed,
    /// Only in the repaired role.
    Added,
}

/// State of the steps that come before the first key. `None` for a step that the user may not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstSteps {
    /// True if the role works.
    pub role: Option<bool>,
    /// True if a user has the role.
    pub user: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_name_fits_basic_authentication() {
        assert!(Username::parse("d.whitfield").is_ok());
        assert_eq!(Username::parse(""), Err(UsernameError::Empty));
        assert_eq!(Username::parse("a:b"), Err(UsernameError::Colon));
        assert_eq!(Username::parse(" a b ").unwrap().as_str(), "a b");
        assert_eq!(Username::parse(" "), Err(UsernameError::Empty));
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
    fn password_has_a_minimum_of_characters_and_a_maximum_of_bytes() {
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
    fn easily_guessed_password_is_rejected() {
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
    fn any_other_password_is_accepted() {
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
