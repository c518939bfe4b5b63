//! `GET /`: the cluster's name and version. Needs the privilege `monitor`, which agent key users do not have.

use super::{Connection, Error, connection::Effect};
use http::Method;
use serde::Deserialize;

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
}

impl Connection {
    /// Asks for name and version.
    #[tracing::instrument(name = "elasticsearch.cluster.info", skip_all)]
    pub async fn info(&self) -> Result<Info, Error> {
        let answer = self.send::<()>(Effect::Reads, Method::GET, &[], &[], None);
        answer.await?.read()
    }
}
