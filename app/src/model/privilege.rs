//! The application privileges of an APM agent.

use serde::{Deserialize, Serialize};

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
