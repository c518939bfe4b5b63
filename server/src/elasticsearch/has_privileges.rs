//! `POST /_security/user/_has_privileges`: what the person may do. Needs no privilege itself.

use super::{Connection, Error, connection::Effect};
use http::Method;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is asked.
#[derive(Clone, Debug, Serialize)]
pub struct PrivilegeQuestion<'a> {
    /// Cluster privileges.
    pub cluster: &'a [&'a str],
    /// Privileges of applications.
    pub application: Vec<ApplicationQuestion<'a>>,
}

/// Privileges of one application on one resource.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationQuestion<'a> {
    /// The application's name.
    pub application: &'a str,
    /// The privileges.
    pub privileges: Vec<&'a str>,
    /// The resources.
    pub resources: Vec<&'a str>,
}

/// What Elasticsearch answered. Only what was asked can be in it.
#[derive(Clone, Debug, Deserialize)]
pub struct PrivilegeAnswer {
    #[serde(default)]
    cluster: BTreeMap<String, bool>,
    #[serde(default)]
    application: BTreeMap<String, BTreeMap<String, BTreeMap<String, bool>>>,
}

impl PrivilegeAnswer {
    /// Whether the person has the cluster privilege. What was not answered is not granted.
    pub fn cluster(&self, privilege: &str) -> bool {
        self.cluster.get(privilege).copied().unwrap_or(false)
    }

    /// Whether the person has the application's privilege on the resource.
    pub fn application(&self, application: &str, resource: &str, privilege: &str) -> bool {
        self.application
            .get(application)
            .and_then(|resources| resources.get(resource))
            .and_then(|privileges| privileges.get(privilege))
            .copied()
            .unwrap_or(false)
    }
}

impl Connection {
    /// Asks which of these privileges the person has.
    #[tracing::instrument(name = "elasticsearch.user.has_privileges", skip_all)]
    pub async fn has_privileges(
        &self,
        question: &PrivilegeQuestion<'_>,
    ) -> Result<PrivilegeAnswer, Error> {
        let path = ["_security", "user", "_has_privileges"];
        let answer = self.send(Effect::Reads, Method::POST, &path, &[], Some(question));
        answer.await?.read()
    }

    /// The resources for which the person's roles name privileges of this application.
    #[tracing::instrument(name = "elasticsearch.user.list_privileges", skip_all)]
    pub async fn application_resources(&self, application: &str) -> Result<Vec<String>, Error> {
        let path = ["_security", "user", "_privileges"];
        let answer = self.send::<()>(Effect::Reads, Method::GET, &path, &[], None);
        let listed: ListedPrivileges = answer.await?.read()?;
        let entries = listed.applications.into_iter();
        let of_application = entries.filter(|entry| {
            let name = &entry.application;
            name == application
                || name
                    .strip_suffix('*')
                    .is_some_and(|start| application.starts_with(start))
        });
        let mut resources: Vec<_> = of_application.flat_map(|entry| entry.resources).collect();
        resources.sort();
        resources.dedup();
        Ok(resources)
    }
}

/// What roles grant, of which only applications are read.
#[derive(Debug, Deserialize)]
struct ListedPrivileges {
    #[serde(default)]
    applications: Vec<ListedApplication>,
}

#[derive(Debug, Deserialize)]
struct ListedApplication {
    application: String,
    #[serde(default)]
    resources: Vec<String>,
}
