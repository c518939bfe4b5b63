//! Passwords that are given to users here.
//!
//! Elasticsearch takes six characters of anything. Whoever chooses a password for somebody else, at a form of ours,
//! is asked for more: a password alone keeps strangers out, so it is long, and not made of what is tried first. There
//! is no other rule: any character counts as it is typed, and may be pasted.

use super::secret::Secret;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt};

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
