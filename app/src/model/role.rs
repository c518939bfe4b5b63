//! `apm_agent_key_role`, which lets a user create agent keys.

use serde::{Deserialize, Serialize};

/// Name of the role, as in Elastic's documentation.
pub const AGENT_KEY_ROLE: &str = "apm_agent_key_role";

/// The role in Elasticsearch, compared with the documented one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentKeyRole {
    pub state: RoleState,
    /// Fields of a later version of Elasticsearch, as JSON. An update keeps them.
    pub unknown_fields: Option<String>,
    /// The request that creates or updates the role: `PUT /_security/role/…` with its JSON body.
    pub request: String,
    /// Kibana space of the documented role.
    pub kibana_space: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoleState {
    Missing,
    /// The role grants exactly the documented privileges.
    AsDocumented,
    Differs {
        /// Line diff between the role's JSON and the documented one.
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

/// Side of the diff on which a line occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiffSide {
    Both,
    /// Only in the current role; an update removes the line.
    Removed,
    /// Only in the documented role; an update adds the line.
    Added,
}
