//! The built-in roles of Elasticsearch.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::{Value, json};

use crate::roles::descriptor::{DescriptorKind, RoleDescriptor};

/// Name of the role that grants everything.
pub(crate) const SUPERUSER: &str = "superuser";

/// The built-in roles by name, with `_reserved` in their metadata.
pub(crate) static BUILT_IN_ROLES: LazyLock<BTreeMap<String, RoleDescriptor>> =
    LazyLock::new(|| {
        let mut roles = BTreeMap::new();
        if let Value::Object(definitions) = definitions() {
            for (name, definition) in definitions {
                // An invalid definition grants nothing. A test checks that all are valid.
                let mut role = RoleDescriptor::parse(&name, definition, DescriptorKind::Role)
                    .unwrap_or_default();
                role.metadata.insert("_reserved".to_owned(), true.into());
                roles.insert(name, role);
            }
        }
        roles
    });

fn kibana(privilege: &str) -> Value {
    json!([{ "application": "kibana-.kibana", "privileges": [privilege], "resources": ["*"] }])
}

fn definitions() -> Value {
    let readable = json!(["/~(([.]|ilm-history-).*)/"]);
    json!({
        SUPERUSER: {
            "cluster": ["all"],
            "indices": [
                { "names": ["*"], "privileges": ["all"], "allow_restricted_indices": false },
                { "names": ["*"], "privileges": ["monitor", "read", "view_index_metadata", "read_cross_cluster"], "allow_restricted_indices": true },
            ],
            "applications": [{ "application": "*", "privileges": ["*"], "resources": ["*"] }],
            "run_as": ["*"],
            "description": "Grants full access to cluster management and data indices. This role also grants direct read-only access to restricted indices like .security. A user with this role can impersonate any other user in the system.",
        },
        "viewer": {
            "indices": [
                { "names": readable, "privileges": ["read", "view_index_metadata"] },
                { "names": [".siem-signals*", ".lists-*", ".items-*"], "privileges": ["read", "view_index_metadata"] },
                { "names": [".alerts*", ".preview.alerts*"], "privileges": ["read", "view_index_metadata"] },
            ],
            "applications": kibana("read"),
            "description": "Grants read-only access to all features in Kibana (including Solutions) and to data indices.",
        },
        "editor": {
            "indices": [
                { "names": readable, "privileges": ["read", "view_index_metadata"] },
                { "names": ["observability-annotations"], "privileges": ["read", "view_index_metadata", "write"] },
                { "names": [".siem-signals*", ".lists-*", ".items-*"], "privileges": ["read", "view_index_metadata", "write", "maintenance"] },
            ],
            "applications": kibana("all"),
            "description": "Grants full access to all features in Kibana (including Solutions) and read-only access to data indices.",
        },
        "kibana_admin": {
            "applications": kibana("all"),
            "description": "Grants access to all features in Kibana.",
        },
        "kibana_user": {
            "applications": kibana("all"),
            "metadata": { "_deprecated": true, "_deprecated_reason": "Please use the [kibana_admin] role instead" },
        },
        "kibana_system": {
            "cluster": ["monitor", "manage_index_templates", "manage_token", "manage_own_api_key", "grant_api_key", "cluster:admin/xpack/security/api_key/invalidate", "cluster:admin/xpack/security/privilege/builtin/get", "delegate_pki", "manage_saml", "manage_oidc", "manage_pipeline", "manage_ilm", "manage_transform", "manage_user_profile"],
            "indices": [
                { "names": [".kibana*", ".reporting-*"], "privileges": ["all"], "allow_restricted_indices": true },
                { "names": [".apm-agent-configuration*", ".apm-custom-link*"], "privileges": ["all"], "allow_restricted_indices": true },
                { "names": ["apm-*", "logs-apm*", "metrics-apm*", "traces-apm*"], "privileges": ["read", "read_cross_cluster"] },
            ],
            "global": { "application": { "manage": { "applications": ["kibana-*"] } } },
            "description": "Grants access necessary for the Kibana system user to read from and write to the Kibana indices, manage index templates and tokens, and check the availability of the Elasticsearch cluster.",
        },
        "apm_system": {
            "cluster": ["monitor", "cluster:admin/xpack/monitoring/bulk"],
            "indices": [{ "names": [".monitoring-beats-*"], "privileges": ["create_index", "create_doc"] }],
            "description": "Grants access necessary for the APM system user to send system-level data to Elasticsearch.",
        },
        "apm_user": {
            "indices": [
                { "names": ["apm-*", "logs-apm.*", "logs-apm-*", "metrics-apm.*", "metrics-apm-*", "traces-apm.*", "traces-apm-*"], "privileges": ["read", "view_index_metadata"] },
                { "names": [".ml-anomalies*"], "privileges": ["read", "view_index_metadata"] },
            ],
            "applications": [{ "application": "kibana-*", "privileges": ["reserved_ml_apm_user"], "resources": ["*"] }],
            "metadata": { "_deprecated": true, "_deprecated_reason": "This role will be removed in a future major release. Please use editor and viewer roles instead" },
        },
        "monitoring_user": {
            "cluster": ["cluster:monitor/main", "cluster:monitor/xpack/info", "cluster:monitor/remote/info"],
            "indices": [{ "names": [".monitoring-*", "metricbeat-*"], "privileges": ["read", "read_cross_cluster"] }],
            "applications": [{ "application": "kibana-*", "privileges": ["reserved_monitoring"], "resources": ["*"] }],
            "description": "Grants the minimum privileges required for any user of X-Pack monitoring other than those required to use Kibana.",
        },
        "remote_monitoring_agent": {
            "cluster": ["manage_index_templates", "manage_ingest_pipelines", "monitor", "cluster:admin/ilm/get", "cluster:admin/ilm/put", "cluster:monitor/xpack/watcher/watch/get", "cluster:admin/xpack/watcher/watch/put", "cluster:admin/xpack/watcher/watch/delete"],
            "indices": [{ "names": [".monitoring-*", "metricbeat-*"], "privileges": ["all"] }],
        },
        "remote_monitoring_collector": {
            "cluster": ["monitor"],
            "indices": [
                { "names": ["*"], "privileges": ["monitor"], "allow_restricted_indices": true },
                { "names": [".kibana*"], "privileges": ["read"], "allow_restricted_indices": true },
            ],
        },
        "beats_system": {
            "cluster": ["monitor", "cluster:admin/xpack/monitoring/bulk"],
            "indices": [{ "names": [".monitoring-beats-*"], "privileges": ["create_index", "create_doc"] }],
        },
        "beats_admin": {
            "indices": [{ "names": [".management-beats"], "privileges": ["all"] }],
        },
        "logstash_system": {
            "cluster": ["monitor", "cluster:admin/xpack/monitoring/bulk"],
        },
        "logstash_admin": {
            "cluster": ["manage_logstash_pipelines"],
            "indices": [{ "names": [".logstash*"], "privileges": ["create", "delete", "index", "manage", "read"], "allow_restricted_indices": true }],
        },
        "ingest_admin": {
            "cluster": ["manage_index_templates", "manage_pipeline"],
        },
        "reporting_user": {
            "applications": [{ "application": "kibana-.kibana", "privileges": ["reserved_reporting_user"], "resources": ["*"] }],
            "metadata": { "_deprecated": true, "_deprecated_reason": "Please grant access via Kibana privileges instead." },
        },
        "machine_learning_admin": {
            "cluster": ["manage_ml"],
            "indices": [{ "names": [".ml-anomalies*", ".ml-notifications*", ".ml-state*", ".ml-meta*", ".ml-stats-*"], "privileges": ["view_index_metadata", "read"] }],
            "applications": [{ "application": "kibana-*", "privileges": ["reserved_ml_admin"], "resources": ["*"] }],
        },
        "machine_learning_user": {
            "cluster": ["monitor_ml"],
            "indices": [{ "names": [".ml-anomalies*", ".ml-notifications*"], "privileges": ["view_index_metadata", "read"] }],
            "applications": [{ "application": "kibana-*", "privileges": ["reserved_ml_user"], "resources": ["*"] }],
        },
        "snapshot_user": {
            "cluster": ["create_snapshot", "cluster:admin/repository/get"],
            "indices": [{ "names": ["*"], "privileges": ["view_index_metadata"], "allow_restricted_indices": true }],
        },
        "transform_admin": {
            "cluster": ["manage_transform"],
            "indices": [{ "names": [".transform-notifications-*"], "privileges": ["view_index_metadata", "read"] }],
        },
        "transform_user": {
            "cluster": ["monitor_transform"],
            "indices": [{ "names": [".transform-notifications-*"], "privileges": ["view_index_metadata", "read"] }],
        },
        "transport_client": { "cluster": ["transport_client"] },
        "watcher_admin": {
            "cluster": ["manage_watcher"],
            "indices": [{ "names": [".watches", ".triggered_watches", ".watcher-history-*"], "privileges": ["read"], "allow_restricted_indices": true }],
        },
        "watcher_user": {
            "cluster": ["monitor_watcher"],
            "indices": [{ "names": [".watches", ".watcher-history-*"], "privileges": ["read"], "allow_restricted_indices": true }],
        },
        "rollup_admin": { "cluster": ["manage_rollup"] },
        "rollup_user": { "cluster": ["monitor_rollup"] },
        "enrich_user": {
            "cluster": ["manage_enrich", "manage_ingest_pipelines", "monitor"],
            "indices": [{ "names": [".enrich-*"], "privileges": ["manage", "write", "read"] }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{BUILT_IN_ROLES, definitions};

    #[test]
    fn built_in_roles_are_valid() {
        let defined = definitions().as_object().unwrap().len();
        assert_eq!(BUILT_IN_ROLES.len(), defined);
        for (name, role) in BUILT_IN_ROLES.iter() {
            assert!(!role.is_empty(), "{name}");
        }
    }
}
