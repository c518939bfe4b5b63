//! The signed-in user with their permissions and cluster, and sessions as their owner sees them.

use super::{agent_key::MissingPrivilege, notice::Notice, timestamp::Timestamp};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// The signed-in user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    pub username: String,
    pub realm: String,
    pub full_name: Option<String>,
    pub access: Access,
    pub cluster: Cluster,
    /// Request that creates the agent key role, for a user who may not see the list and hands it to an administrator.
    pub role_request: Option<String>,
}

/// The Elasticsearch cluster of this application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// URL without credentials.
    pub url: String,
    /// True for the embedded engine.
    pub embedded: bool,
    /// `None` if the user may not see name and version.
    pub about: Option<ClusterAbout>,
    /// True if it does not answer. Then `Viewer::access` grants nothing.
    pub is_down: bool,
}

/// Response to `GET /`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterAbout {
    pub name: String,
    pub version: String,
}

/// Content of the sign-in page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginInfo {
    /// URL of Elasticsearch, without credentials.
    pub url: String,
    /// True for the embedded engine.
    pub embedded: bool,
    /// True if Elasticsearch answers.
    pub reachable: bool,
    /// True if the browser would send the password unencrypted to another machine.
    pub plain_http: bool,
}

/// Permission for an action, or the missing privileges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permit {
    Granted,
    Missing(Vec<MissingPrivilege>),
}

impl Permit {
    pub fn is_granted(&self) -> bool {
        matches!(self, Self::Granted)
    }
}

/// Keys on which the user may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyScope {
    /// Keys of every owner.
    All,
    /// Keys of the user alone.
    Own,
}

/// Permissions of the signed-in user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    pub list: Permit,
    /// Create keys. The fields `can_delegate_…` say with which privileges.
    pub create: Permit,
    pub revoke: Permit,
    /// Scope of `list`.
    pub list_scope: KeyScope,
    /// Scope of `revoke`.
    pub revoke_scope: KeyScope,
    /// True if the user can give `event:write` to a key.
    pub can_delegate_event_write: bool,
    /// True if the user can give `config_agent:read` to a key.
    pub can_delegate_config_agent_read: bool,
    pub manage_security: Permit,
    pub save_settings: Permit,
    /// Change the user's own password. Only for users of the native realm and reserved users.
    pub own_password: Permit,
}

impl Access {
    /// Grants nothing, as long as Elasticsearch does not answer.
    pub fn none() -> Self {
        let missing = || Permit::Missing(Vec::new());
        Self {
            list: missing(),
            create: missing(),
            revoke: missing(),
            list_scope: KeyScope::Own,
            revoke_scope: KeyScope::Own,
            can_delegate_event_write: false,
            can_delegate_config_agent_read: false,
            manage_security: missing(),
            save_settings: missing(),
            own_password: missing(),
        }
    }
}

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
