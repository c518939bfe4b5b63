//! `GET /`: the cluster's name and version. Needs the privilege `monitor`, which agent key users do not have.

use super::{Connection, Error, capabilities, connection::Effect};
use http::Method;
use serde::Deserialize;

const SERVERLESS: &str = "serverless";

/// Name and version.
#[derive(Clone, Debug, Deserialize)]
pub struct Info {
    /// The cluster's name.
    pub cluster_name: String,
    /// Its version.
    pub version: Version,
}

/// A version.
#[derive(Clone, Debug, Deserialize)]
pub struct Version {
    /// For example `9.5.0`.
    pub number: String,
    /// `default`, or `serverless`.
    pub build_flavor: Option<String>,
}

impl Connection {
    /// Reads name and version.
    ///
    /// Errors: [`ElasticsearchFault::TooOld`](app::model::problem::ElasticsearchFault::TooOld) for a version that is
    /// not supported.
    #[tracing::instrument(name = "elasticsearch.cluster.info", skip_all)]
    pub async fn info(&self) -> Result<Info, Error> {
        let answer = self.send::<()>(Effect::Reads, Method::GET, &[], &[], None);
        let info: Info = answer.await?.read()?;
        // Serverless tells the next release, which says nothing about what it can do.
        if info.version.build_flavor.as_deref() != Some(SERVERLESS) {
            capabilities::check(&info.version.number)?;
            self.learn_version(&info.version.number);
        }
        Ok(info)
    }
}
