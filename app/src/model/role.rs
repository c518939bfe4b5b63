//! `apm_agent_key_role`, which lets a user create agent keys.

use super::privilege::MissingPrivilege;
use serde::{Deserialize, Serialize};

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
