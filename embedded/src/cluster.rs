//! What a client asks about the cluster itself.

pub(crate) mod clear_cache;
pub(crate) mod health;
pub(crate) mod info;
pub(crate) mod license;
pub(crate) mod nodes_http;
pub(crate) mod xpack;
pub(crate) mod xpack_usage;

/// When and from what that version was built, as clients expect to find it.
pub(crate) const BUILD_DATE: &str = "2025-10-21T10:06:21.288851013Z";
pub(crate) const BUILD_HASH: &str = "25d88452371273dd27356c98598287b669a03eae";
/// The name of the only node and of its cluster.
pub(crate) const NODE_NAME: &str = "agent-keys";
pub(crate) const CLUSTER_NAME: &str = "agent-keys";
