//! Cluster privileges as data: names, and the actions they stand for.

use crate::{
    pattern::{any_covers, covers, overlap},
    version::Version,
};

/// A cluster privilege: the actions it includes, minus those it excludes.
pub(crate) struct ClusterPrivilege {
    pub(crate) name: &'static str,
    pub(crate) includes: &'static [&'static str],
    pub(crate) excludes: &'static [&'static str],
}

const fn privilege(name: &'static str, includes: &'static [&'static str]) -> ClusterPrivilege {
    ClusterPrivilege {
        name,
        includes,
        excludes: &[],
    }
}

/// All privileges, sorted by name as in `_builtin`.
#[rustfmt::skip]
pub(crate) const CLUSTER_PRIVILEGES: &[ClusterPrivilege] = &[
    privilege("all", &["*"]),
    privilege("cancel_task", &["cluster:admin/tasks/cancel"]),
    privilege("create_snapshot", &["cluster:admin/snapshot/create", "cluster:admin/snapshot/status*", "cluster:admin/snapshot/get", "cluster:admin/repository/get"]),
    privilege("cross_cluster_replication", &["cluster:internal/xpack/ccr/*", "cluster:monitor/ccr/*"]),
    privilege("cross_cluster_search", &["cluster:monitor/remote/*", "cluster:monitor/state"]),
    privilege("delegate_pki", &["cluster:admin/xpack/security/delegate_pki", "cluster:admin/xpack/security/token/invalidate"]),
    privilege("grant_api_key", &["cluster:admin/xpack/security/api_key/grant*"]),
    ClusterPrivilege { name: "manage", includes: &["cluster:*", "indices:admin/template/*", "indices:admin/index_template/*"], excludes: &["cluster:admin/xpack/security/*"] },
    privilege("manage_api_key", &["cluster:admin/xpack/security/api_key/*"]),
    privilege("manage_autoscaling", &["cluster:admin/autoscaling/*"]),
    privilege("manage_behavioral_analytics", &["cluster:admin/xpack/application/analytics/*"]),
    privilege("manage_ccr", &["cluster:admin/xpack/ccr/*", "cluster:monitor/xpack/ccr/*"]),
    privilege("manage_connector", &["cluster:admin/xpack/connector/*"]),
    privilege("manage_data_frame_transforms", &["cluster:admin/data_frame/*", "cluster:monitor/data_frame/*", "cluster:monitor/transform/*", "cluster:admin/transform/*"]),
    privilege("manage_data_stream_global_retention", &["cluster:admin/data_stream/global_retention/*"]),
    privilege("manage_enrich", &["cluster:admin/xpack/enrich/*"]),
    privilege("manage_ilm", &["cluster:admin/ilm/*"]),
    privilege("manage_index_templates", &["indices:admin/template/*", "indices:admin/index_template/*", "cluster:admin/component_template/*"]),
    privilege("manage_inference", &["cluster:admin/xpack/inference/*", "cluster:monitor/xpack/inference*", "cluster:internal/xpack/inference*"]),
    privilege("manage_ingest_pipelines", &["cluster:admin/ingest/pipeline/*"]),
    privilege("manage_logstash_pipelines", &["cluster:admin/logstash/pipeline/*"]),
    privilege("manage_ml", &["cluster:admin/xpack/ml/*", "cluster:monitor/xpack/ml/*"]),
    privilege("manage_oidc", &["cluster:admin/xpack/security/oidc/*"]),
    privilege("manage_own_api_key", &[
        "cluster:admin/xpack/security/api_key/create", "cluster:admin/xpack/security/api_key/get", "cluster:admin/xpack/security/api_key/query",
        "cluster:admin/xpack/security/api_key/update", "cluster:admin/xpack/security/api_key/bulk_update",
        "cluster:admin/xpack/security/api_key/invalidate",
    ]),
    privilege("manage_pipeline", &["cluster:admin/ingest/pipeline/*"]),
    privilege("manage_rollup", &["cluster:admin/xpack/rollup/*", "cluster:monitor/xpack/rollup/*"]),
    privilege("manage_saml", &["cluster:admin/xpack/security/saml/*", "cluster:admin/xpack/security/token/invalidate", "cluster:admin/xpack/security/token/refresh"]),
    privilege("manage_search_application", &["cluster:admin/xpack/application/search_application/*"]),
    privilege("manage_search_query_rules", &["cluster:admin/xpack/query_rules/*"]),
    privilege("manage_search_synonyms", &["cluster:admin/synonyms/*", "cluster:admin/synonym_rules/*"]),
    privilege("manage_security", &["cluster:admin/xpack/security/*"]),
    privilege("manage_service_account", &["cluster:admin/xpack/security/service_account/*"]),
    privilege("manage_slm", &["cluster:admin/slm/*", "cluster:admin/ilm/operation_mode/*"]),
    privilege("manage_token", &["cluster:admin/xpack/security/token/*"]),
    privilege("manage_transform", &["cluster:admin/data_frame/*", "cluster:monitor/data_frame/*", "cluster:monitor/transform/*", "cluster:admin/transform/*"]),
    privilege("manage_user_profile", &["cluster:admin/xpack/security/profile/*"]),
    privilege("manage_watcher", &["cluster:admin/xpack/watcher/*", "cluster:monitor/xpack/watcher/*"]),
    privilege("monitor", &["cluster:monitor/*"]),
    privilege("monitor_connector", &["cluster:admin/xpack/connector/get", "cluster:admin/xpack/connector/list"]),
    privilege("monitor_data_frame_transforms", &["cluster:monitor/data_frame/*", "cluster:monitor/transform/*"]),
    privilege("monitor_data_stream_global_retention", &["cluster:admin/data_stream/global_retention/get"]),
    privilege("monitor_enrich", &["cluster:monitor/xpack/enrich/*"]),
    privilege("monitor_esql", &["cluster:monitor/xpack/esql/*"]),
    privilege("monitor_inference", &["cluster:monitor/xpack/inference*", "cluster:internal/xpack/inference*"]),
    privilege("monitor_ml", &["cluster:monitor/xpack/ml/*"]),
    privilege("monitor_rollup", &["cluster:monitor/xpack/rollup/*"]),
    privilege("monitor_snapshot", &["cluster:admin/snapshot/status*", "cluster:admin/snapshot/get", "cluster:admin/repository/get"]),
    privilege("monitor_stats", &["cluster:monitor/stats*"]),
    privilege("monitor_text_structure", &["cluster:monitor/text_structure/*"]),
    privilege("monitor_transform", &["cluster:monitor/data_frame/*", "cluster:monitor/transform/*"]),
    privilege("monitor_watcher", &["cluster:monitor/xpack/watcher/*"]),
    privilege("none", &[]),
    privilege("post_behavioral_analytics_event", &["cluster:admin/xpack/application/analytics/post_event"]),
    privilege("read_ccr", &["cluster:monitor/state", "cluster:monitor/xpack/ccr/*"]),
    privilege("read_connector_secrets", &["cluster:admin/xpack/connector/secret/get"]),
    privilege("read_fleet_secrets", &["cluster:admin/fleet/secrets/get"]),
    privilege("read_ilm", &["cluster:admin/ilm/get", "cluster:admin/ilm/operation_mode/get"]),
    privilege("read_pipeline", &["cluster:admin/ingest/pipeline/get", "cluster:admin/ingest/pipeline/simulate"]),
    privilege("read_project_routing", &["cluster:monitor/project_routing/get"]),
    privilege("read_security", &[
        "cluster:admin/xpack/security/api_key/get", "cluster:admin/xpack/security/api_key/query", "cluster:admin/xpack/security/privilege/builtin/get",
        "cluster:admin/xpack/security/privilege/get", "cluster:admin/xpack/security/profile/get",
        "cluster:admin/xpack/security/profile/has_privileges", "cluster:admin/xpack/security/profile/suggest", "cluster:admin/xpack/security/role/get",
        "cluster:admin/xpack/security/role/query", "cluster:admin/xpack/security/role_mapping/get", "cluster:admin/xpack/security/service_account/get",
        "cluster:admin/xpack/security/service_account/credential/get*", "cluster:admin/xpack/security/user/get",
        "cluster:admin/xpack/security/user/has_privileges", "cluster:admin/xpack/security/user/list_privileges",
        "cluster:admin/xpack/security/user/query", "cluster:admin/xpack/security/settings/get",
    ]),
    privilege("read_slm", &["cluster:admin/slm/get", "cluster:admin/slm/status", "cluster:admin/ilm/operation_mode/get"]),
    privilege("transport_client", &["cluster:monitor/nodes/liveness", "cluster:monitor/state"]),
    privilege("write_connector_secrets", &["cluster:admin/xpack/connector/secret/*"]),
    privilege("write_fleet_secrets", &["cluster:admin/fleet/secrets/*"]),
];

/// The privilege with this name. Names are case-insensitive.
pub(crate) fn find(name: &str) -> Option<&'static ClusterPrivilege> {
    CLUSTER_PRIVILEGES
        .iter()
        .find(|privilege| privilege.name.eq_ignore_ascii_case(name))
}

/// The names that `version` has, sorted.
pub(crate) fn names(version: Version) -> impl Iterator<Item = &'static str> {
    CLUSTER_PRIVILEGES
        .iter()
        .map(|privilege| privilege.name)
        .filter(move |name| version.has_cluster_privilege(name))
}

/// Returns the error for a name that is neither a privilege of `version` nor a pattern of actions.
pub(crate) fn problem(name: &str, version: Version) -> Option<String> {
    let known = is_action(name)
        || find(name).is_some_and(|privilege| version.has_cluster_privilege(privilege.name));
    (!known).then(|| {
        let names: Vec<_> = names(version).collect();
        format!(
            "unknown cluster privilege [{}]. a privilege must be either one of the predefined cluster privilege names [{}] or a pattern over one of the available cluster actions",
            name.to_lowercase(),
            names.join(",")
        )
    })
}

fn is_action(name: &str) -> bool {
    name.starts_with("cluster:") || name.starts_with("indices:") || name == "*"
}

/// Returns true if one of the privileges `held` grants `action`.
pub(crate) fn grants_action<'a>(held: impl Iterator<Item = &'a str>, action: &str) -> bool {
    implies(held, &[action], &[])
}

/// Returns true if the privileges `held` imply the privilege or action pattern `requested`.
pub(crate) fn grants_privilege<'a>(held: impl Iterator<Item = &'a str>, requested: &str) -> bool {
    match find(requested) {
        Some(privilege) => implies(held, privilege.includes, privilege.excludes),
        None => implies(held, &[requested], &[]),
    }
}

fn implies<'a>(held: impl Iterator<Item = &'a str>, includes: &[&str], excludes: &[&str]) -> bool {
    let mut missing: Vec<&str> = includes.to_vec();
    for name in held {
        match find(name) {
            Some(privilege) => missing.retain(|action| {
                let included = any_covers(privilege.includes.iter().copied(), action);
                let excluded = privilege.excludes.iter().any(|exclude| {
                    overlap(exclude, action) && !excludes.iter().any(|own| covers(own, exclude))
                });
                !included || excluded
            }),
            None => missing.retain(|action| !covers(name, action)),
        }
        if missing.is_empty() {
            return true;
        }
    }
    missing.is_empty()
}

#[cfg(test)]
mod tests {
    use super::{grants_action, grants_privilege};

    fn holder_of(held: &str, requested: &str) -> bool {
        grants_privilege([held].into_iter(), requested)
    }

    #[test]
    fn all_implies_every_privilege() {
        for privilege in super::CLUSTER_PRIVILEGES {
            assert!(holder_of("all", privilege.name), "{}", privilege.name);
        }
    }

    #[test]
    fn manage_excludes_security() {
        assert!(holder_of("manage", "monitor"));
        assert!(holder_of("manage", "manage"));
        assert!(!holder_of("manage", "all"));
        assert!(!holder_of("manage", "manage_own_api_key"));
        assert!(!grants_action(
            ["manage"].into_iter(),
            "cluster:admin/xpack/security/api_key/create"
        ));
    }

    #[test]
    fn key_privileges_imply_narrower_ones() {
        assert!(holder_of("manage_security", "manage_api_key"));
        assert!(holder_of("manage_api_key", "manage_own_api_key"));
        assert!(holder_of("manage_api_key", "grant_api_key"));
        assert!(!holder_of("manage_own_api_key", "manage_api_key"));
        assert!(!holder_of("read_security", "manage_own_api_key"));
        assert!(!holder_of("manage_own_api_key", "grant_api_key"));
    }
}
