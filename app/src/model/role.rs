//! The role that lets a person create agent keys.

use serde::{Deserialize, Serialize};

/// The role's name, as Elastic documents it.
pub const AGENT_KEY_ROLE: &str = "apm_agent_key_role";

/// How the role stands in Elasticsearch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentKeyRole {
    /// What is there.
    pub state: RoleState,
    /// Fields of a later version of Elasticsearch, as JSON. They stay when the role is repaired.
    pub unknown_fields: Option<String>,
    /// The whole request that creates or repairs it, as `PUT /_security/role/…` with its JSON body, for whoever may send it.
    pub request: String,
    /// The Kibana space that the recipe names.
    pub kibana_space: String,
}

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoleState {
    /// No such role.
    Missing,
    /// It grants exactly what the recipe grants.
    AsDocumented,
    /// It exists and is different.
    Differs {
        /// The difference between the role's JSON and the recipe's, line by line.
        diff: Vec<DiffLine>,
    },
    /// The person may not see it. The request is still worth showing: they can hand it on.
    Unknown,
}

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffLine {
    /// Where the line stands.
    pub side: DiffSide,
    /// The line, indented, without a line break.
    pub text: String,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiffSide {
    /// In both.
    Both,
    /// Only in the role as it is; repairing removes it.
    Removed,
    /// Only in the recipe; repairing adds it.
    Added,
}
