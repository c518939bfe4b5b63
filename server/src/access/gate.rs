//! Kibana's own gate in front of its agent keys page, kept here.

use crate::{
    config,
    elasticsearch::has_privileges::{ApplicationQuestion, PrivilegeAnswer},
};
use app::model::access::MissingPrivilege;

/// The application whose privileges agents use.
pub const APM: &str = "apm";
const KIBANA: &str = "kibana-.kibana";
const FEATURE_ALL: &str = "feature_apm.all";
const FEATURE_READ: &str = "feature_apm.read";
/// Each of these opens the page for changing. The broad ones include the narrow one, but Elasticsearch only knows
/// that where Kibana has registered its privileges, so each is asked for by name.
const CHANGING: [&str; 3] = [FEATURE_ALL, "all", "space_all"];
/// Each of these opens it for reading only.
const READING: [&str; 3] = [FEATURE_READ, "read", "space_read"];

/// Whether Kibana's gate counts, and for which space.
#[derive(Clone, Debug)]
pub struct Gate {
    /// `space:default`; `None` when the gate is switched off.
    resource: Option<String>,
    space: String,
}

impl Gate {
    /// The gate, as the settings want it.
    pub fn new(access: &config::Access) -> Self {
        let resource = match access.kibana_feature {
            config::KibanaFeature::Require => Some(format!("space:{}", access.kibana_space)),
            config::KibanaFeature::Ignore => None,
        };
        Self {
            resource,
            space: access.kibana_space.clone(),
        }
    }

    /// The id of the space.
    pub fn space(&self) -> &str {
        &self.space
    }

    pub(super) fn question(&self) -> Option<ApplicationQuestion<'_>> {
        let resource = self.resource.as_deref()?;
        Some(ApplicationQuestion {
            application: KIBANA,
            privileges: CHANGING.into_iter().chain(READING).collect(),
            resources: vec![resource],
        })
    }

    pub(super) fn missing_for_reading(&self, answer: &PrivilegeAnswer) -> Option<MissingPrivilege> {
        let opening: Vec<_> = CHANGING.into_iter().chain(READING).collect();
        self.missing(answer, &opening, FEATURE_READ)
    }

    pub(super) fn missing_for_changing(
        &self,
        answer: &PrivilegeAnswer,
    ) -> Option<MissingPrivilege> {
        self.missing(answer, &CHANGING, FEATURE_ALL)
    }

    fn missing(
        &self,
        answer: &PrivilegeAnswer,
        opening: &[&str],
        named: &str,
    ) -> Option<MissingPrivilege> {
        let resource = self.resource.as_deref()?;
        let opens = |privilege: &&str| answer.application(KIBANA, resource, privilege);
        (!opening.iter().any(opens)).then(|| MissingPrivilege::Application {
            application: KIBANA.to_owned(),
            privilege: named.to_owned(),
            resource: resource.to_owned(),
        })
    }
}
