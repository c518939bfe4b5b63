//! The signed-in user, their permissions, and the cluster.

use super::privilege::MissingPrivilege;
use serde::{Deserialize, Serialize};

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
