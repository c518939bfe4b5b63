//! Sessions as their owner sees them.

use super::{notice::Notice, timestamp::Timestamp};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Maximum length of a session's id, in bytes.
const ID_BYTES_MAX: usize = 64;

/// Public id of a session. It gives no access to the session. The default identifies none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionId(String);

impl SessionId {
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let can_be = !text.is_empty() && text.len() <= ID_BYTES_MAX && text.bytes().all(plain);
        can_be.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A session that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSession {
    pub id: String,
    pub username: String,
    pub realm: String,
    /// Short description of the browser's `User-Agent`, if it was sent.
    pub browser: Option<String>,
    /// Client address at sign-in.
    pub address: Option<String>,
    pub signed_in_at: Timestamp,
    /// Time of the last request, to the minute.
    pub used_at: Timestamp,
    /// True for the session of this request.
    pub is_this: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// The most recently used first.
    pub sessions: Vec<LiveSession>,
    /// True if the list is cut off.
    pub more: bool,
    /// Time of the server's clock.
    pub now: Timestamp,
    /// Message of what was just done.
    pub notice: Option<Notice>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndedSession {
    /// The session of this request.
    This,
    Another,
}

/// Reason why a session ended without a request of its browser.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum SessionEnd {
    /// Its user ended it from another session.
    Elsewhere,
    /// An administrator with `manage_security` ended it.
    Administrator,
    /// Its user exceeded the maximum number of sessions.
    TooMany,
}

impl SessionEnd {
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Returns the stored name, which the sign-in page's address uses too.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the text on the sign-in page.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Elsewhere => "You ended this session from another browser. Sign in again.",
            Self::Administrator => "An administrator ended this session. Sign in again.",
            Self::TooMany => {
                "This session ended because you signed in with more than five browsers. Sign in again."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_id_is_short_and_plain() {
        for good in ["a", "0197b2c8-7a11-7000-8000-3f2a7d5e9b10", "AbC_-9"] {
            assert_eq!(SessionId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "*", "a b", "a,b", "../a", "\u{e9}", &"a".repeat(65)] {
            assert_eq!(SessionId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn stored_reasons_do_not_change() {
        let reasons: Vec<_> = SessionEnd::ALL.iter().map(|end| end.name()).collect();
        assert_eq!(reasons, ["elsewhere", "administrator", "too-many"]);
        for end in SessionEnd::ALL {
            assert_eq!(end.name().parse(), Ok(*end));
        }
        assert!("ended".parse::<SessionEnd>().is_err());
    }
}
