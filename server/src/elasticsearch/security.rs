//! The signed-in user, their privileges, and the cluster: `_authenticate`, `_has_privileges`, `_privileges`, `/`.

use super::{Connection, Error, call::CallKind, capabilities};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const SERVERLESS: &str = "serverless";

/// The owner of a credential.
#[derive(Clone, Debug, Deserialize)]
pub struct Authenticated {
    /// The user name as Elasticsearch spells it.
    pub username: String,
    pub full_name: Option<String>,
    /// The realm that checked the password.
    pub authentication_realm: Realm,
    /// Metadata of the user, as the realm sets it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    #[serde(default = "enabled")]
    pub enabled: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Realm {
    pub name: String,
    /// Kind of realm, for example `native` or `ldap`.
    #[serde(rename = "type", default)]
    pub kind: String,
}

fn enabled() -> bool {
    true
}

/// Privileges to ask about.
#[derive(Clone, Debug, Serialize)]
pub struct PrivilegesRequest<'a> {
    pub cluster: &'a [&'a str],
    pub application: Vec<ApplicationPrivileges<'a>>,
}

/// Privileges of one application on its resources.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationPrivileges<'a> {
    pub application: &'a str,
    pub privileges: Vec<&'a str>,
    pub resources: Vec<&'a str>,
}

/// The answer to [`PrivilegesRequest`]. It holds only the privileges of the request.
#[derive(Clone, Debug, Deserialize)]
pub struct GrantedPrivileges {
    #[serde(default)]
    cluster: BTreeMap<String, bool>,
    #[serde(default)]
    application: BTreeMap<String, BTreeMap<String, BTreeMap<String, bool>>>,
}

impl GrantedPrivileges {
    /// Answers a request in the place of Elasticsearch.
    pub fn answer(
        request: &PrivilegesRequest<'_>,
        cluster: impl Fn(&str) -> bool,
        application: impl Fn(&str, &str, &str) -> bool,
    ) -> Self {
        let of_cluster = request.cluster.iter();
        let mut applications: BTreeMap<String, BTreeMap<_, BTreeMap<_, _>>> = BTreeMap::new();
        for entry in &request.application {
            let resources = applications.entry(entry.application.to_owned());
            let resources = resources.or_default();
            for resource in &entry.resources {
                let answers = entry.privileges.iter().map(|privilege| {
                    let granted = application(entry.application, resource, privilege);
                    ((*privilege).to_owned(), granted)
                });
                resources.insert((*resource).to_owned(), answers.collect());
            }
        }
        Self {
            cluster: of_cluster
                .map(|privilege| ((*privilege).to_owned(), cluster(privilege)))
                .collect(),
            application: applications,
        }
    }

    /// Returns true if the user has the cluster privilege. A privilege without an answer is not granted.
    pub fn cluster(&self, privilege: &str) -> bool {
        self.cluster.get(privilege).copied().unwrap_or(false)
    }

    /// Returns true if the user has the application's privilege on the resource.
    pub fn application(&self, application: &str, resource: &str, privilege: &str) -> bool {
        self.application
            .get(application)
            .and_then(|resources| resources.get(resource))
            .and_then(|privileges| privileges.get(privilege))
            .copied()
            .unwrap_or(false)
    }
}

/// Privileges that the user's roles name. Only applications are read.
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

/// Name and version of the cluster.
#[derive(Clone, Debug, Deserialize)]
pub struct Info {
    pub cluster_name: String,
    pub version: Version,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Version {
    /// For example `9.5.0`.
    pub number: String,
    /// `default`, or `serverless`.
    pub build_flavor: Option<String>,
}

impl Connection {
    /// `GET /_security/_authenticate`: the owner of this connection's credential.
    #[tracing::instrument(name = "elasticsearch.user.authenticate", skip_all)]
    pub async fn authenticate(&self) -> Result<Authenticated, Error> {
        let path = ["_security", "_authenticate"];
        let response = self.send::<()>(CallKind::Read, Method::GET, &path, &[], None);
        response.await?.read()
    }

    /// `POST /_security/user/_has_privileges`: which of these the user has. Needs no privilege itself.
    #[tracing::instrument(name = "elasticsearch.user.has_privileges", skip_all)]
    pub async fn has_privileges(
        &self,
        request: &PrivilegesRequest<'_>,
    ) -> Result<GrantedPrivileges, Error> {
        let path = ["_security", "user", "_has_privileges"];
        let response = self.send(CallKind::Read, Method::POST, &path, &[], Some(request));
        response.await?.read()
    }

    /// `GET /_security/user/_privileges`: the resources for which the user's roles name privileges of this application.
    #[tracing::instrument(name = "elasticsearch.user.list_privileges", skip_all)]
    pub async fn application_resources(&self, application: &str) -> Result<Vec<String>, Error> {
        let path = ["_security", "user", "_privileges"];
        let response = self.send::<()>(CallKind::Read, Method::GET, &path, &[], None);
        let listed: ListedPrivileges = response.await?.read()?;
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

    /// `GET /`: name and version. Needs the privilege `monitor`, which agent key users do not have.
    ///
    /// Errors: [`ElasticsearchFault::TooOld`](app::model::problem::ElasticsearchFault::TooOld) for a version that is
    /// not supported.
    #[tracing::instrument(name = "elasticsearch.cluster.info", skip_all)]
    pub async fn info(&self) -> Result<Info, Error> {
        let response = self.send::<()>(CallKind::Read, Method::GET, &[], &[], None);
        let info: Info = response.await?.read()?;
        // Serverless reports the next release, which says nothing about its capabilities.
        if info.version.build_flavor.as_deref() != Some(SERVERLESS) {
            capabilities::reject_too_old(&info.version.number)?;
            self.learn_version(&info.version.number);
        }
        Ok(info)
    }
}
