//! Index privileges as data: names, and the actions they stand for.

use crate::pattern::{any_covers, covers};

/// All names with their actions, sorted by name as in `_builtin`.
#[rustfmt::skip]
pub(crate) const INDEX_PRIVILEGES: &[(&str, &[&str])] = &[
    ("all", &["indices:*", "internal:transport/proxy/indices:*"]),
    ("auto_configure", &["indices:admin/auto_create", "indices:admin/mapping/auto_put", "indices:admin/mapping/put"]),
    ("create", &["indices:data/write/index*", "indices:data/write/bulk*", "indices:admin/mapping/auto_put"]),
    ("create_doc", &["indices:data/write/index", "indices:data/write/index[op_type:create]", "indices:data/write/bulk*", "indices:data/write/simulate/bulk*"]),
    ("create_index", &["indices:admin/create", "indices:admin/auto_create", "indices:admin/data_stream/create"]),
    ("cross_cluster_replication", &["indices:data/read/xpack/ccr/shard_changes*", "indices:monitor/stats*", "indices:admin/seq_no/*"]),
    ("cross_cluster_replication_internal", &["indices:internal/admin/ccr/restore/*"]),
    ("delete", &["indices:data/write/delete*", "indices:data/write/bulk*"]),
    ("delete_index", &["indices:admin/delete", "indices:admin/data_stream/delete"]),
    ("index", &["indices:data/write/index*", "indices:data/write/bulk*", "indices:data/write/update*", "indices:data/write/simulate/bulk*"]),
    ("maintenance", &["indices:admin/refresh*", "indices:admin/flush*", "indices:admin/synced_flush", "indices:admin/forcemerge*"]),
    ("manage", &["indices:monitor/*", "indices:admin/*"]),
    ("manage_data_stream_lifecycle", &["indices:admin/data_stream/lifecycle/*"]),
    ("manage_failure_store", &["indices:monitor/*::failures", "indices:admin/*::failures"]),
    ("manage_follow_index", &["indices:admin/xpack/ccr/*"]),
    ("manage_ilm", &["indices:admin/ilm/*"]),
    ("manage_leader_index", &["indices:admin/xpack/ccr/forget_follower*"]),
    ("monitor", &["indices:monitor/*"]),
    ("none", &[]),
    ("read", &["indices:data/read/*"]),
    ("read_cross_cluster", &["internal:transport/proxy/indices:data/read/*", "indices:admin/shards/search_shards"]),
    ("read_failure_store", &["indices:data/read/*::failures"]),
    ("view_index_metadata", &[
        "indices:admin/aliases/get", "indices:admin/get", "indices:admin/exists", "indices:admin/mappings/get*", "indices:admin/mappings/fields/get*",
        "indices:admin/types/exists", "indices:admin/validate/query", "indices:monitor/settings/get", "indices:admin/ilm/explain",
        "indices:admin/resolve/*", "indices:admin/data_stream/get", "indices:admin/shards/search_shards",
    ]),
    ("write", &["indices:data/write/*", "indices:admin/mapping/auto_put"]),
];

fn find(name: &str) -> Option<&'static [&'static str]> {
    INDEX_PRIVILEGES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, actions)| *actions)
}

/// Returns true for a privilege name or a pattern of actions.
pub(crate) fn is_valid(name: &str) -> bool {
    find(name).is_some()
        || name.starts_with("indices:")
        || name.starts_with("internal:")
        || name == "*"
}

/// Returns true if the privileges `held` imply the privilege or action pattern `requested`.
pub(crate) fn grants<'a>(held: impl Iterator<Item = &'a str>, requested: &str) -> bool {
    let mut missing: Vec<&str> = match find(requested) {
        Some(actions) => actions.to_vec(),
        None => vec![requested],
    };
    for name in held {
        match find(name) {
            Some(actions) => {
                missing.retain(|action| !any_covers(actions.iter().copied(), action));
            }
            None => missing.retain(|action| !covers(name, action)),
        }
    }
    missing.is_empty()
}

/// Returns true for a system index, which ordinary patterns do not cover.
pub(crate) fn is_restricted(name: &str) -> bool {
    const RESTRICTED: [&str; 8] = [
        ".security",
        ".security-*",
        ".kibana*",
        ".fleet-*",
        ".tasks*",
        ".async-search*",
        ".apm-agent-configuration*",
        ".apm-custom-link*",
    ];
    any_covers(RESTRICTED.into_iter(), name)
}
