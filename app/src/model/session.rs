//! Sessions, as the people see them whose they are.

use super::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest name of a session.
const ID_BYTES_MAX: usize = 64;

/// The name of a session. Whoever knows it has no part of the session. The default names none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionId(String);

impl SessionId {
    /// The name, if the text can be one.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let can_be = !text.is_empty() && text.len() <= ID_BYTES_MAX && text.bytes().all(plain);
        can_be.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A session that lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSession {
    /// Its name.
    pub id: String,
    /// Whose it is.
    pub username: String,
    /// The realm that checked the password.
    pub realm: String,
    /// The browser, as it named itself, in a few words; `None` when it did not.
    pub browser: Option<String>,
    /// Where the person signed in from.
    pub address: Option<String>,
    /// When.
    pub signed_in_at: Timestamp,
    /// When it was last used, to the minute.
    pub used_at: Timestamp,
    /// Whether the question came in this very session.
    pub is_this: bool,
}

/// Sessions that live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// The one used last comes first.
    pub sessions: Vec<LiveSession>,
    /// Whether there are more than these.
    pub more: bool,
    /// The server's clock.
    pub now: Timestamp,
}

/// Which session was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndedSession {
    /// The one in which that was asked.
    This,
    /// Another one.
    Another,
}

/// Why a session ended that its browser did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionEnd {
    /// Its person ended it in another session.
    Elsewhere,
    /// Somebody who manages security ended it.
    Administrator,
    /// Its person signed in in too many places.
    TooMany,
}

impl SessionEnd {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Elsewhere, Self::Administrator, Self::TooMany];

    /// The word that is stored, and that stands in the sign-in page's address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::Administrator => "administrator",
            Self::TooMany => "too-many",
        }
    }

    /// The end of this word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }

    /// What the person reads on the sign-in page.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Elsewhere => "This session was ended from another place. Sign in again.",
            Self::Administrator => "An administrator ended this session. Sign in again.",
            Self::TooMany => {
                "This session ended because you signed in in more than five places. Sign in again."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_name_is_short_and_plain() {
        for good in ["a", "0197b2c8-7a11-7000-8000-3f2a7d5e9b10", "AbC_-9"] {
            assert_eq!(SessionId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "*", "a b", "a,b", "../a", "\u{e9}", &"a".repeat(65)] {
            assert_eq!(SessionId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_end_is_found_by_its_word() {
        for end in SessionEnd::ALL {
            assert_eq!(SessionEnd::parse(end.name()), Some(end));
        }
        assert_eq!(SessionEnd::parse("ended"), None);
    }
}
