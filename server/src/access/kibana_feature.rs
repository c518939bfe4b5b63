//! Kibana's feature privilege, which its own page for agent keys requires, and which is required here too.

use crate::{
    config,
    elasticsearch::{
        Connection, Error,
        security::{ApplicationPrivileges, GrantedPrivileges},
    },
};
use app::model::agent_key::MissingPrivilege;

/// The application whose privileges agents use.
pub const APM: &str = "apm";
/// The application of Kibana's privileges.
pub const KIBANA: &str = "kibana-.kibana";
const FEATURE_ALL: &str = "feature_apm.all";
const FEATURE_READ: &str = "feature_apm.read";
/// Kibana's sub-feature for changing APM's settings, agent keys among them. It comes beside a minimal privilege.
const SETTINGS_SAVE: &str = "feature_apm.settings_save";
/// Each of these opens the page for changing. The broad ones include the narrow one, but Elasticsearch only knows
/// that where Kibana has registered its privileges, so each is asked for by name.
const CHANGING: [&str; 3] = [FEATURE_ALL, "all", "space_all"];
/// Each of these opens it for reading; together with [`SETTINGS_SAVE`], for changing.
const READING: [&str; 5] = [
    FEATURE_READ,
    "feature_apm.minimal_read",
    "feature_apm.minimal_all",
    "read",
    "space_read",
];
/// Any space will do.
const ANY_SPACE: &str = "*";
/// Spaces that are asked for at once.
const SPACES_MAX: usize = 100;

/// Checks Kibana's feature privilege for a space, where the settings require it.
#[derive(Clone, Debug)]
pub struct KibanaFeatureCheck {
    /// `space:default`, or `*` for any.
    resource: String,
    /// True if Kibana's privileges are required.
    counts: bool,
}

impl KibanaFeatureCheck {
    /// The kibana_feature, as the settings want it.
    pub fn new(access: &config::Access) -> Self {
        Self {
            resource: match access.kibana_space.as_str() {
                ANY_SPACE => ANY_SPACE.to_owned(),
                space => format!("space:{space}"),
            },
            counts: access.kibana_feature == config::KibanaFeature::Require,
        }
    }

    /// The resource that stands for the space in a role: `space:default`, or `*`.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Returns the resources to check. For any space, these are the spaces that the user's roles name.
    pub(super) async fn resources(&self, connection: &Connection) -> Result<Vec<String>, Error> {
        match self.resource.as_str() {
            _ if !self.counts => Ok(Vec::new()),
            ANY_SPACE => Ok(bounded(connection.application_resources(KIBANA).await?)),
            one => Ok(vec![one.to_owned()]),
        }
    }

    /// Returns the resources to check for a role. For any space, these are the spaces that it names.
    pub(super) fn resources_of_role(&self, named: impl Fn(&str) -> Vec<String>) -> Vec<String> {
        match self.resource.as_str() {
            _ if !self.counts => Vec::new(),
            ANY_SPACE => bounded(named(KIBANA)),
            one => vec![one.to_owned()],
        }
    }

    /// Returns the check of these resources.
    pub(super) fn question<'a>(
        &self,
        resources: &'a [String],
    ) -> Option<ApplicationPrivileges<'a>> {
        (!resources.is_empty()).then(|| ApplicationPrivileges {
            application: KIBANA,
            privileges: CHANGING
                .into_iter()
                .chain(READING)
                .chain([SETTINGS_SAVE])
                .collect(),
            resources: resources.iter().map(String::as_str).collect(),
        })
    }

    pub(super) fn missing_for_reading(
        &self,
        answer: &GrantedPrivileges,
        resources: &[String],
    ) -> Option<MissingPrivilege> {
        let opens = |resource: &String| {
            let mut names = CHANGING.into_iter().chain(READING);
            names.any(|name| answer.application(KIBANA, resource, name))
        };
        self.missing(resources.iter().any(opens), FEATURE_READ)
    }

    pub(super) fn missing_for_changing(
        &self,
        answer: &GrantedPrivileges,
        resources: &[String],
    ) -> Option<MissingPrivilege> {
        let opens = |resource: &String| {
            let has = |name: &str| answer.application(KIBANA, resource, name);
            CHANGING.into_iter().any(has) || (has(SETTINGS_SAVE) && READING.into_iter().any(has))
        };
        self.missing(resources.iter().any(opens), FEATURE_ALL)
    }

    fn missing(&self, is_open: bool, named: &str) -> Option<MissingPrivilege> {
        (self.counts && !is_open).then(|| MissingPrivilege::Application {
            application: KIBANA.to_owned(),
            privilege: named.to_owned(),
            resource: self.resource.clone(),
        })
    }
}

fn bounded(mut resources: Vec<String>) -> Vec<String> {
    resources.truncate(SPACES_MAX);
    if resources.is_empty() {
        resources.push(ANY_SPACE.to_owned());
    }
    resources
}
