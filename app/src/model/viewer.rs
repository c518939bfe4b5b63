//! The person who is signed in, and the cluster they are signed in to.

use super::{access::Access, problem::ElasticsearchFault};
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
pub struct FrontDoor {
    /// The address of Elasticsearch, without credentials.
    pub url: String,
    /// Whether it is the embedded engine.
    pub embedded: bool,
    /// Whether it answers at this moment.
    pub reachable: bool,
    /// Whether the password would travel between browser and application in plain text, off this machine.
    pub plain_http: bool,
}
