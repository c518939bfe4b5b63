//! Agent keys as Elasticsearch stores them: id, status, privileges, labels.

use super::{
    notice::Notice,
    text::has_invisible,
    timestamp::{DAY_MS, Timestamp},
};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

/// A missing privilege, by Elasticsearch's names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MissingPrivilege {
    Cluster(String),
    Application {
        /// For example `apm`.
        application: String,
        /// For example `event:write`.
        privilege: String,
        /// For example `space:default`.
        resource: String,
    },
}

/// Remaining lifetime below which a key is shown as expiring soon.
pub const EXPIRES_SOON_MS: i64 = 14 * DAY_MS;

/// Elasticsearch's id of a key: 1 to 100 characters of `A-Z a-z 0-9 - _`.
///
/// In some places Elasticsearch accepts `*` or a list instead of an id. This type holds neither.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (!text.is_empty() && text.len() <= 100 && text.chars().all(allowed))
            .then(|| Self(text.to_owned()))
    }
}

string_newtype!(KeyId, &'static str, |text: &str| KeyId::parse(text)
    .ok_or("not a key id"));

/// Status of a key at the time of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyStatus {
    Active {
        /// End of the lifetime; `None` for a key that never expires.
        until: Option<Timestamp>,
    },
    Expired {
        at: Timestamp,
    },
    Revoked {
        /// Time of the revocation. Elasticsearch before 8.12 does not return it.
        at: Option<Timestamp>,
    },
}

impl KeyStatus {
    /// Returns true if the key is active and expires within [`EXPIRES_SOON_MS`].
    pub fn expires_soon(self, now: Timestamp) -> bool {
        matches!(self, Self::Active { until: Some(until) } if until <= now.plus_ms(EXPIRES_SOON_MS))
    }
}

/// Application that created a key, according to its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeySource {
    AgentKeys,
    /// Kibana, or another tool that marks its keys with `application: apm` as Kibana does.
    Kibana,
    /// A tool that does not mark its keys, such as `apm-server apikey create` or Stack Management.
    Elsewhere,
    /// Created here. Another tool has removed this application's labels from its metadata since.
    ChangedElsewhere,
}

/// Delivery of a key's secret to a browser, as recorded by this application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// Another application created the key.
    MadeElsewhere,
    /// The browser confirmed that it displayed the secret.
    Confirmed,
    /// The secret was sent a short while ago.
    Awaited,
    /// The secret was sent, but no browser confirmed that it displayed it.
    Unconfirmed,
    /// The secret was never sent: the response that held it was lost.
    Never,
    /// This application created the key, but its database has no record of it, for example after restoring a backup.
    NotRecorded,
}

/// Privileges of a key, according to its role descriptors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyRights {
    /// Elasticsearch before 8.5 does not return role descriptors.
    NotTold,
    /// Without descriptors the key has all privileges that its owner had when it was created.
    OwnersAll,
    Described {
        /// Application privileges for `apm`, sorted. Keys of other applications may have more than the two of an agent.
        privileges: Vec<String>,
        /// True if there are cluster or index privileges too, or privileges of other applications.
        more: bool,
    },
}

impl KeyRights {
    /// Returns the known application privileges for `apm`.
    pub fn privileges(&self) -> &[String] {
        match self {
            Self::Described { privileges, .. } => privileges,
            Self::NotTold | Self::OwnersAll => &[],
        }
    }

    /// Returns a short warning if the key grants more than an agent needs.
    pub fn finding(&self) -> Option<&'static str> {
        match self {
            Self::OwnersAll => Some("All privileges of its owner"),
            Self::Described { more: true, .. } => Some("More than an agent needs"),
            Self::NotTold | Self::Described { more: false, .. } => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentKey {
    pub id: KeyId,
    /// The stored name, unvalidated: keys of other applications may violate the rules of `KeyName`.
    pub name: String,
    /// User name of the creator; empty if Elasticsearch does not return it.
    pub owner: String,
    /// Realm of the owner.
    pub realm: String,
    pub created: Timestamp,
    pub status: KeyStatus,
    pub rights: KeyRights,
    pub labels: Labels,
    pub source: KeySource,
    pub delivery: Delivery,
    /// True if the signed-in user may revoke the key.
    pub revocable: bool,
}

/// A key as read at one point in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundAgentKey {
    pub key: AgentKey,
    /// Role descriptors as JSON; `None` if Elasticsearch does not return them.
    pub descriptors: Option<String>,
    /// True if the key is revoked but may still be in the cache of some nodes.
    pub in_cache: bool,
    /// Message of what was just done.
    pub notice: Option<Notice>,
    /// Rotations in which the key was replaced, or replaces another, newest first.
    pub rotations: Vec<Rotation>,
    /// The key that this one replaces, by its metadata.
    pub rotated_from: Option<KeyId>,
    /// True if the user may rotate the key.
    pub rotatable: bool,
    /// Time of the query.
    pub read_at: Timestamp,
}

/// A key by its id, with the name that it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyReference {
    pub id: KeyId,
    pub name: String,
}

/// A rotation, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    pub predecessor: KeyReference,
    pub successor: KeyReference,
    /// User who rotated.
    pub by: String,
    pub began_at: Timestamp,
    /// Chosen end of the predecessor; `None` if the user revokes it.
    pub ends_at: Option<Timestamp>,
    pub state: RotationState,
    /// True if the user may undo the end of the predecessor.
    pub undoable: bool,
}

/// State of a rotation, by the end of the predecessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum RotationState {
    /// No browser has confirmed that it displayed the new secret, so the old key has no new end.
    Waiting,
    /// Elasticsearch ends the old key.
    Expires,
    /// The application revokes the old key as the service user.
    Scheduled,
    /// The application is revoking the old key.
    Ending,
    /// The old key was revoked.
    Ended,
    /// The user revokes the old key.
    Open,
    /// The end of the old key could not be set: the user revokes it.
    Failed,
    /// The user undid the end of the old key.
    Undone,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedAgentKey {
    pub id: KeyId,
    pub name: String,
    /// The key had been revoked before; nothing changed.
    pub already: bool,
    /// True if some nodes may still have the key in their cache.
    pub in_cache: bool,
}

/// Privileges of an agent key at APM Server: the two that Kibana offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AgentPrivilege {
    /// Read the agent's central configuration.
    #[serde(rename = "config_agent:read")]
    ConfigAgentRead,
    /// Send traces, metrics, logs and errors.
    #[serde(rename = "event:write")]
    EventWrite,
}

impl AgentPrivilege {
    /// Both, in display order.
    pub const ALL: [Self; 2] = [Self::EventWrite, Self::ConfigAgentRead];

    /// Returns Elasticsearch's name of the privilege.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConfigAgentRead => "config_agent:read",
            Self::EventWrite => "event:write",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|privilege| privilege.name() == name)
    }
}

/// One or both privileges, without repetition. A key without privileges cannot authenticate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<AgentPrivilege>", into = "Vec<AgentPrivilege>")]
pub struct AgentPrivileges(Vec<AgentPrivilege>);

impl AgentPrivileges {
    /// Returns `None` for an empty set.
    pub fn new(privileges: impl IntoIterator<Item = AgentPrivilege>) -> Option<Self> {
        let mut privileges: Vec<_> = privileges.into_iter().collect();
        privileges.sort_unstable();
        privileges.dedup();
        (!privileges.is_empty()).then_some(Self(privileges))
    }

    pub fn both() -> Self {
        Self(vec![
            AgentPrivilege::ConfigAgentRead,
            AgentPrivilege::EventWrite,
        ])
    }

    pub fn contains(&self, privilege: AgentPrivilege) -> bool {
        self.0.contains(&privilege)
    }

    /// Returns Elasticsearch's names, sorted.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|privilege| privilege.name()).collect()
    }
}

impl TryFrom<Vec<AgentPrivilege>> for AgentPrivileges {
    type Error = &'static str;

    fn try_from(privileges: Vec<AgentPrivilege>) -> Result<Self, Self::Error> {
        Self::new(privileges).ok_or("at least one privilege")
    }
}

impl From<AgentPrivileges> for Vec<AgentPrivilege> {
    fn from(privileges: AgentPrivileges) -> Self {
        privileges.0
    }
}

/// Maximum length of a label, in characters.
pub const LABEL_CHARACTERS_MAX: usize = 100;

/// Optional labels, stored in the key's metadata. The list searches them, and the snippets use them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    pub service: Option<String>,
    pub environment: Option<String>,
    pub team: Option<String>,
}

/// Error for a label that is too long or holds control or invisible characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelError;

/// Parses one label. An empty field is no label.
pub fn parse_label(text: &str) -> Result<Option<String>, LabelError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.chars().count() > LABEL_CHARACTERS_MAX || has_invisible(text) {
        return Err(LabelError);
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_id_is_one_exact_id() {
        assert!(KeyId::parse("kX3mRZkB7tQ2hVn0aLwd").is_some());
        for text in ["", "*", "_all,x", "a b", "a/b", "..", &"a".repeat(101)] {
            assert!(KeyId::parse(text).is_none(), "{text}");
        }
    }
}
