//! The signed-in user, their permissions, and the cluster.

use super::problem::ElasticsearchFault;
use serde::{Deserialize, Serialize};

/// The person who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// Elasticsearch's user name.
    pub username: String,
    /// The realm that checked the password.
    pub realm: String,
    /// The name for people, where Elasticsearch has one.
    pub full_name: Option<String>,
    /// What they may do.
    pub access: Access,
    /// Where they are.
    pub cluster: Cluster,
    /// The request that makes the agent key role, for those who may not see the list: they can hand it on.
    pub role_request: Option<String>,
}

/// The Elasticsearch behind this application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its address, without credentials.
    pub url: String,
    /// Whether it is the embedded engine.
    pub embedded: bool,
    /// Name and version, where the person may see them.
    pub about: Option<ClusterAbout>,
    /// Why it does not answer. While this is set, `Viewer::access` grants nothing.
    pub fault: Option<ElasticsearchFault>,
}

/// What `GET /` tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterAbout {
    /// The cluster's name.
    pub name: String,
    /// Elasticsearch's version.
    pub version: String,
}

/// What the sign-in page shows before anybody is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginInfo {
    /// The address of Elasticsearch, without credentials.
    pub url: String,
    /// Whether it is the embedded engine.
    pub embedded: bool,
    /// Whether it answers at this moment.
    pub reachable: bool,
    /// Whether the password would travel between browser and application in plain text, off this machine.
    pub plain_http: bool,
}

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
pub enum KeyScope {
    /// Those of every owner.
    All,
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
    pub list_scope: KeyScope,
    /// Whose keys `revoke` covers.
    pub revoke_scope: KeyScope,
    /// Whether `event:write` can be handed on to a key.
    pub can_delegate_event_write: bool,
    /// Whether `config_agent:read` can be handed on to a key.
    pub can_delegate_config_agent_read: bool,
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
            list_scope: KeyScope::Own,
            revoke_scope: KeyScope::Own,
            can_delegate_event_write: false,
            can_delegate_config_agent_read: false,
            manage_security: missing(),
            save_settings: missing(),
        }
    }
}
