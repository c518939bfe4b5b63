//! What the person who looks may do, as Elasticsearch answered it.

use serde::{Deserialize, Serialize};

/// A privilege that is missing, by Elasticsearch's names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MissingPrivilege {
    /// A cluster privilege.
    Cluster(String),
    /// A privilege of an application.
    Application {
        /// The application, for example `apm`.
        application: String,
        /// The privilege, for example `event:write`.
        privilege: String,
        /// The resource it was asked for, for example `space:default`.
        resource: String,
    },
}

/// A thing somebody may or may not do. A refusal carries what is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permit {
    /// May.
    Granted,
    /// May not, because these are missing.
    Missing(Vec<MissingPrivilege>),
}

impl Permit {
    /// Whether it is granted.
    pub fn is_granted(&self) -> bool {
        matches!(self, Self::Granted)
    }
}

/// How many keys somebody may act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// Those of every owner.
    Everybody,
    /// Only their own.
    Own,
}

/// Everything the pages need to know about a person's rights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// See the list.
    pub list: Permit,
    /// Create keys at all. Which of the two privileges they may hand on is in `hand_on`.
    pub create: Permit,
    /// Revoke keys.
    pub revoke: Permit,
    /// Whose keys `list` shows.
    pub list_reach: Reach,
    /// Whose keys `revoke` covers.
    pub revoke_reach: Reach,
    /// Whether `event:write` can be handed on to a key.
    pub hand_on_event_write: bool,
    /// Whether `config_agent:read` can be handed on to a key.
    pub hand_on_config_agent_read: bool,
    /// See and change users and the role.
    pub manage_security: Permit,
    /// Change the APM integration settings.
    pub save_settings: Permit,
}

impl Access {
    /// Grants nothing, as long as Elasticsearch does not answer.
    pub fn none() -> Self {
        let missing = || Permit::Missing(Vec::new());
        Self {
            list: missing(),
            create: missing(),
            revoke: missing(),
            list_reach: Reach::Own,
            revoke_reach: Reach::Own,
            hand_on_event_write: false,
            hand_on_config_agent_read: false,
            manage_security: missing(),
            save_settings: missing(),
        }
    }
}
