//! Role descriptors: the privileges of a role or an API key, and the rules for them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    error::ApiError,
    privileges::{application, cluster, index},
    version::Version,
};

/// Maximum length of a description, in UTF-16 units as in Elasticsearch.
const DESCRIPTION_UNITS_MAX: usize = 1000;

/// Limits on the names and patterns of a role or a key. Elasticsearch has none.
const TEXTS_MAX: usize = 10_000;
const TEXT_BYTES_MAX: usize = 1_024;

/// The privileges of a role, or of one descriptor of an API key.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RoleDescriptor {
    pub(crate) name: String,
    pub(crate) cluster: Vec<String>,
    pub(crate) indices: Vec<IndexEntry>,
    pub(crate) applications: Vec<ApplicationEntry>,
    pub(crate) run_as: Vec<String>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) global: Option<Value>,
    pub(crate) remote_indices: Option<Value>,
    pub(crate) remote_cluster: Option<Value>,
    pub(crate) restriction: Option<Value>,
    pub(crate) description: Option<String>,
}

pub(crate) type RoleMap = BTreeMap<String, RoleDescriptor>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IndexEntry {
    pub(crate) names: Vec<String>,
    pub(crate) privileges: Vec<String>,
    pub(crate) field_security: Option<Value>,
    /// A query as JSON text.
    pub(crate) query: Option<String>,
    pub(crate) allow_restricted_indices: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApplicationEntry {
    pub(crate) application: String,
    pub(crate) privileges: Vec<String>,
    pub(crate) resources: Vec<String>,
}

/// The owner of a descriptor. Roles and API keys accept different fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DescriptorKind {
    Role,
    ApiKey,
}

impl RoleDescriptor {
    /// Returns true if the descriptor grants nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.cluster.is_empty()
            && self.indices.is_empty()
            && self.applications.is_empty()
            && self.run_as.is_empty()
            && self.global.is_none()
            && self.remote_indices.is_none()
            && self.remote_cluster.is_none()
    }

    /// The applications whose privileges the role may manage.
    pub(crate) fn managed_applications(&self) -> impl Iterator<Item = &str> {
        self.global
            .as_ref()
            .and_then(|global| global.pointer("/application/manage/applications"))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    }

    /// All names and patterns.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let indices = self.indices.iter();
        let applications = self.applications.iter();
        self.cluster
            .iter()
            .chain(&self.run_as)
            .chain(indices.flat_map(|entry| entry.names.iter().chain(&entry.privileges)))
            .chain(applications.flat_map(|entry| {
                let lists = entry.privileges.iter().chain(&entry.resources);
                lists.chain([&entry.application])
            }))
            .map(String::as_str)
    }

    /// The role without its description, as in the snapshot of a key.
    pub(crate) fn without_description(&self) -> Self {
        Self {
            description: None,
            ..self.clone()
        }
    }

    /// The normalized form: the fields that are always present, and the others unless they are
    /// empty.
    pub(crate) fn to_json(&self) -> Value {
        let mut json = json!({
            "cluster": self.cluster,
            "indices": self.indices.iter().map(IndexEntry::to_json).collect::<Vec<_>>(),
            "applications": self.applications.iter().map(ApplicationEntry::to_json).collect::<Vec<_>>(),
            "run_as": self.run_as,
            "metadata": self.metadata,
            "transient_metadata": { "enabled": true },
        });
        if let Some(object) = json.as_object_mut() {
            let optional = [
                ("global", self.global.clone()),
                ("remote_indices", self.remote_indices.clone()),
                ("remote_cluster", self.remote_cluster.clone()),
                ("restriction", self.restriction.clone()),
                ("description", self.description.clone().map(Value::String)),
            ];
            for (name, value) in optional {
                if let Some(value) = value {
                    object.insert(name.to_owned(), value);
                }
            }
        }
        json
    }
}

impl IndexEntry {
    pub(crate) fn to_json(&self) -> Value {
        let mut json = json!({
            "names": self.names,
            "privileges": self.privileges,
            "allow_restricted_indices": self.allow_restricted_indices,
        });
        if let Some(object) = json.as_object_mut() {
            if let Some(field_security) = &self.field_security {
                object.insert("field_security".to_owned(), field_security.clone());
            }
            if let Some(query) = &self.query {
                object.insert("query".to_owned(), query.clone().into());
            }
        }
        json
    }
}

impl ApplicationEntry {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "application": self.application,
            "privileges": self.privileges,
            "resources": self.resources,
        })
    }
}

/// The workflows that a key can be restricted to.
const WORKFLOWS: [&str; 1] = ["search_application_query"];

impl RoleDescriptor {
    /// All rules of `version` that the descriptor breaks.
    pub(crate) fn problems(&self, version: Version) -> Vec<String> {
        let mut problems = Vec::new();
        let cluster = self.cluster.iter();
        problems.extend(cluster.filter_map(|name| cluster::problem(name, version)));
        for name in self.indices.iter().flat_map(|entry| &entry.privileges) {
            if !index::is_valid(name) {
                problems.push(format!(
                    "unknown index privilege [{name}]. a privilege must be either one of the predefined fixed indices privileges or a pattern over one of the available index actions"
                ));
            }
        }
        for entry in &self.applications {
            problems.extend(application::application_name_problem(
                &entry.application,
                true,
            ));
            problems.extend(
                entry
                    .privileges
                    .iter()
                    .filter_map(|name| application::privilege_or_action_problem(name)),
            );
        }
        if self.metadata.keys().any(|key| key.starts_with('_')) {
            problems.push("role descriptor metadata keys may not start with [_]".to_owned());
        }
        if let Some(workflows) = self
            .restriction
            .as_ref()
            .and_then(|restriction| restriction.get("workflows").and_then(Value::as_array))
        {
            for workflow in workflows.iter().filter_map(Value::as_str) {
                if !WORKFLOWS.contains(&workflow) {
                    problems.push(format!(
                        "unknown workflow [{workflow}]. a workflow must be one of the predefined workflow names [{}]",
                        WORKFLOWS.join(",")
                    ));
                }
            }
        }
        if let Some(description) = &self.description
            && description.encode_utf16().count() > DESCRIPTION_UNITS_MAX
        {
            problems.push(format!(
                "Role description must be less than {DESCRIPTION_UNITS_MAX} characters."
            ));
        }
        problems
    }
}

/// Refuses names and patterns of privileges, indices, applications and resources that are too long
/// to compare.
pub(crate) fn check_lengths<'a>(mut texts: impl Iterator<Item = &'a str>) -> Result<(), ApiError> {
    if texts.any(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(ApiError::illegal(format!(
            "names and patterns may not be longer than [{TEXT_BYTES_MAX}] bytes"
        )));
    }
    Ok(())
}

/// Refuses descriptors that are too large to compare.
pub(crate) fn check_size(descriptors: &[RoleDescriptor]) -> Result<(), ApiError> {
    let texts = || descriptors.iter().flat_map(RoleDescriptor::texts);
    check_lengths(texts())?;
    if texts().count() > TEXTS_MAX {
        return Err(ApiError::illegal(format!(
            "role descriptors may not have more than [{TEXTS_MAX}] names and patterns"
        )));
    }
    Ok(())
}

/// Returns the rule that a role's name breaks.
pub(crate) fn role_name_problem(name: &str, place: DescriptorKind) -> Option<String> {
    let longest = match place {
        DescriptorKind::Role => 507,
        DescriptorKind::ApiKey => 1024,
    };
    let printable = name.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if name.is_empty() || name.chars().count() > longest || !printable || name.trim() != name {
        return Some(format!(
            "Role names must be at least 1 and no more than {longest} characters. They can contain alphanumeric characters (a-z, A-Z, 0-9), spaces, punctuation, and printable symbols in the Basic Latin (ASCII) block. Leading or trailing whitespace is not allowed."
        ));
    }
    None
}
