//! Privileges by Elasticsearch's names.

use serde::{Deserialize, Serialize};

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
