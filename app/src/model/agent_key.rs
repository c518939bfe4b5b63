//! Agent keys as Elasticsearch stores them: id, status, privileges, labels.

use super::{
    key_name::KeyName,
    new_agent_key::OperationId,
    secret::Secret,
    timestamp::{DAY_MS, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A key that ends within this time is shown as ending soon.
pub const EXPIRES_SOON_MS: i64 = 14 * DAY_MS;

/// Elasticsearch's id of a key: 1 to 100 characters of `A-Z a-z 0-9 - _`.
///
/// Elasticsearch reads `*` and lists in some places where an id is expected; none of them gets past this type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    /// The id, if the text can be one.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (!text.is_empty() && text.len() <= 100 && text.chars().all(allowed))
            .then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a key id")
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key does at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyStatus {
    /// It works, and goes on until `until` or until somebody revokes it.
    Active {
        /// When it ends.
        until: Option<Timestamp>,
    },
    /// It ended by itself.
    Expired {
        /// When it ended.
        at: Timestamp,
    },
    /// Somebody revoked it.
    Revoked {
        /// When, where Elasticsearch tells (8.12 and later).
        at: Option<Timestamp>,
    },
}

impl KeyStatus {
    /// Whether the key works but ends within [`EXPIRES_SOON_MS`].
    pub fn expires_soon(self, now: Timestamp) -> bool {
        matches!(self, Self::Active { until: Some(until) } if until <= now.plus_ms(EXPIRES_SOON_MS))
    }
}

/// Who made a key, judged by its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeySource {
    /// This application.
    AgentKeys,
    /// Kibana, or another tool that marks its keys with `application: apm` as Kibana does.
    Kibana,
    /// A tool that does not mark its keys, such as `apm-server apikey create` or Stack Management.
    Elsewhere,
}

/// Whether a key's secret reached anybody, as far as this application knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// The key was made elsewhere.
    MadeElsewhere,
    /// The page that drew the secret said so.
    Confirmed,
    /// The secret left a short while ago.
    Awaited,
    /// The secret left, and no page ever said that it has drawn it: nobody may have it, or somebody.
    Unconfirmed,
    /// The secret never left: the answer that held it was lost.
    Never,
    /// The key was made by this application, and its database does not know it: the database is older.
    NotRecorded,
}

/// What a key grants, judged by its role descriptors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyRights {
    /// Elasticsearch before 8.5 does not tell.
    NotTold,
    /// There are no descriptors: everything that its owner could do when it was made.
    OwnersAll,
    /// What the descriptors name.
    Described {
        /// Application privileges for `apm`, sorted. Keys made elsewhere may hold others than our two.
        privileges: Vec<String>,
        /// True if they grant more than that: cluster or index privileges, or other applications.
        more: bool,
    },
}

impl KeyRights {
    /// Application privileges for `apm`, as far as they are known.
    pub fn privileges(&self) -> &[String] {
        match self {
            Self::Described { privileges, .. } => privileges,
            Self::NotTold | Self::OwnersAll => &[],
        }
    }

    /// What is wrong with it for an agent's key, in a few words.
    pub fn finding(&self) -> Option<&'static str> {
        match self {
            Self::OwnersAll => Some("Everything its owner could do"),
            Self::Described { more: true, .. } => Some("More than an agent needs"),
            Self::NotTold | Self::Described { more: false, .. } => None,
        }
    }
}

/// One key of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentKey {
    /// Elasticsearch's id.
    pub id: KeyId,
    /// The name as stored. Keys made elsewhere may break our rules, so this is plain text.
    pub name: String,
    /// The user who created it; empty where Elasticsearch does not tell.
    pub owner: String,
    /// The realm of that user.
    pub realm: String,
    /// When it was created.
    pub created: Timestamp,
    /// What it does now.
    pub status: KeyStatus,
    /// What it grants.
    pub rights: KeyRights,
    /// What it is for.
    pub labels: Labels,
    /// Who made it.
    pub source: KeySource,
    /// Whether its secret reached anybody.
    pub delivery: Delivery,
    /// Whether the person who looks may revoke it.
    pub revocable: bool,
}

/// A key, and the moment from which it is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundAgentKey {
    /// The key.
    pub key: AgentKey,
    /// Its role descriptors as Elasticsearch holds them, as JSON; `None` where it does not tell.
    pub descriptors: Option<String>,
    /// True if the key is revoked, and some nodes may still accept it from their cache.
    pub in_cache: bool,
    /// When Elasticsearch was asked.
    pub read_at: Timestamp,
}

/// A key that was just made, with its secret. It exists in one response and on one page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedAgentKey {
    /// The request that made it, by which the page says that it has drawn the secret.
    pub operation: OperationId,
    /// Elasticsearch's id.
    pub id: KeyId,
    /// The name that was asked for.
    pub name: KeyName,
    /// When it ends.
    pub expiration: Option<Timestamp>,
    /// What it is for.
    pub labels: Labels,
    /// The secret half, as in `id:key`.
    pub api_key: Secret,
    /// Base64 of `id:key`, the form that agents expect.
    pub encoded: Secret,
    /// Where agents send their data, from the settings; `None` when nobody has set it.
    pub apm_server_url: Option<String>,
}

/// The result of a revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedAgentKey {
    /// Which key.
    pub id: KeyId,
    /// Its name.
    pub name: String,
    /// It had been revoked before; nothing changed.
    pub already: bool,
}

/// What an agent key may do at APM Server. These are the two that Kibana offers.
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
    /// Both, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::EventWrite, Self::ConfigAgentRead];

    /// Elasticsearch's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConfigAgentRead => "config_agent:read",
            Self::EventWrite => "event:write",
        }
    }

    /// The privilege of that name, if it is one of the two.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|privilege| privilege.name() == name)
    }
}

/// One or both privileges, without repetition. A key without any would authenticate nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<AgentPrivilege>", into = "Vec<AgentPrivilege>")]
pub struct AgentPrivileges(Vec<AgentPrivilege>);

impl AgentPrivileges {
    /// The set of the given privileges; `None` when there is none.
    pub fn new(privileges: impl IntoIterator<Item = AgentPrivilege>) -> Option<Self> {
        let mut privileges: Vec<_> = privileges.into_iter().collect();
        privileges.sort_unstable();
        privileges.dedup();
        (!privileges.is_empty()).then_some(Self(privileges))
    }

    /// Whether the set holds `privilege`.
    pub fn contains(&self, privilege: AgentPrivilege) -> bool {
        self.0.contains(&privilege)
    }

    /// Elasticsearch's names, sorted.
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

/// The longest label, in characters.
pub const LABEL_CHARACTERS_MAX: usize = 100;

/// Optional labels, kept in the key's metadata. They fill in the configuration snippets and can be searched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// The service that uses the key.
    pub service: Option<String>,
    /// Where it runs, for example `production`.
    pub environment: Option<String>,
    /// Who answers for it.
    pub team: Option<String>,
}

/// A label that cannot be used: too long, or with control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelError;

/// Reads one label; an empty field is no label.
pub fn parse_label(text: &str) -> Result<Option<String>, LabelError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.chars().count() > LABEL_CHARACTERS_MAX || text.chars().any(char::is_control) {
        return Err(LabelError);
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_id() {
        assert!(KeyId::parse("kX3mRZkB7tQ2hVn0aLwd").is_some());
        for text in ["", "*", "_all,x", "a b", "a/b", "..", &"a".repeat(101)] {
            assert!(KeyId::parse(text).is_none(), "{text}");
        }
    }
}
