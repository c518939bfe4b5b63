//! HTTP to the nodes of one Elasticsearch: addresses, and the node for the next request.
//!
//! The first address is used while it can be reached. A node that refuses connections is left out for a while, and
//! the next one is used. Certificate files are read again when they change.

use super::{
    Error,
    error::{causes, explain},
    response::{Response, read_response},
    tls::{ClientError, http_client},
};
use crate::{
    certificate,
    config::{Cluster, Trust},
};
use futures::{StreamExt, stream::FuturesUnordered};
use reqwest::Client;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use url::Url;

/// Limit of a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The largest response to a probe.
const PROBE_BYTES_MAX: usize = 64 * 1024;
/// Time for which a node is left out after its first failure. Doubles with each further one.
const DEAD_TIME: Duration = Duration::from_secs(1);
const DEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// Interval of checks for changed files. A check happens only when a request is made.
const FILES_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Different faults of a node that are logged until it answers again.
const FAULTS_LOGGED_MAX: usize = 8;

/// Nodes and HTTP client of one Elasticsearch. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Transport(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cluster: Cluster,
    address: String,
    nodes: Vec<Node>,
    client: Mutex<CurrentClient>,
}

/// One address of the cluster.
#[derive(Debug)]
pub(super) struct Node {
    /// Ends with a slash.
    pub(super) url: Url,
    failures: Mutex<Failures>,
    /// Faults that were logged since the last response.
    logged: Mutex<BTreeSet<String>>,
}

/// Failures since the node was last reached.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    dead_until: Option<Instant>,
}

#[derive(Debug)]
struct CurrentClient {
    http: Client,
    /// Modification times of the files from which it was built.
    files: Vec<Option<SystemTime>>,
    checked: Instant,
}

impl Transport {
    pub(super) fn new(cluster: Cluster) -> Result<Self, ClientError> {
        let urls = [&cluster.url].into_iter().chain(&cluster.fallback_urls);
        let nodes: Vec<Node> = urls.cloned().map(Node::new).collect();
        let addresses: Vec<&str> = nodes.iter().map(Node::address).collect();
        let client = CurrentClient {
            files: modified(&cluster),
            http: http_client(&cluster)?,
            checked: Instant::now(),
        };
        Ok(Self(Arc::new(Inner {
            address: addresses.join(", "),
            nodes,
            client: Mutex::new(client),
            cluster,
        })))
    }

    /// All addresses, without the slash at the end, separated by commas.
    pub(super) fn address(&self) -> &str {
        &self.0.address
    }

    /// The first address, without the slash at the end.
    pub(super) fn first_address(&self) -> &str {
        self.0.cluster.url.as_str().trim_end_matches('/')
    }

    /// Ends of the certificates in the files of the settings, in seconds since 1970.
    pub(super) fn certificate_ends(&self) -> Vec<(&'static str, i64)> {
        let cluster = &self.0.cluster;
        let ca_file = match &cluster.trust {
            Trust::CaFile(path) => Some(("elasticsearch_ca", path)),
            Trust::System | Trust::CaFingerprint(_) => None,
        };
        let client = cluster.client_certificate.as_ref();
        let client = client.map(|files| ("elasticsearch_client", &files.cert));
        let files = ca_file.into_iter().chain(client);
        files
            .filter_map(|(name, path)| Some((name, certificate::first_end(path)?)))
            .collect()
    }

    /// The HTTP client, rebuilt when one of its files has changed. An unusable file leaves the client as it was.
    pub(super) fn http(&self) -> Client {
        let mut client = self.0.client.lock().unwrap_or_else(PoisonError::into_inner);
        if client.files.is_empty() || client.checked.elapsed() < FILES_CHECK_INTERVAL {
            return client.http.clone();
        }
        client.checked = Instant::now();
        let files = modified(&self.0.cluster);
        if files != client.files {
            client.files = files;
            match http_client(&self.0.cluster) {
                Ok(http) => {
                    client.http = http;
                    tracing::info!("read the certificates for Elasticsearch again");
                }
                Err(error) => {
                    tracing::warn!(%error, "the changed certificates for Elasticsearch cannot be used");
                }
            }
        }
        client.http.clone()
    }

    /// The nodes in the order in which to try them: those that can be reached, then those that are left out for now, the
    /// soonest to return first.
    pub(super) fn nodes(&self) -> Vec<&Node> {
        let now = Instant::now();
        let mut nodes: Vec<&Node> = self.0.nodes.iter().collect();
        // Stable: among equals the order of the setting stays.
        nodes.sort_by_key(|node| node.dead_until().filter(|until| *until > now));
        nodes
    }

    /// Probes every node. Each error is the cause.
    pub(super) async fn probe_each(&self) -> Vec<(String, Result<(), String>)> {
        let http = self.http();
        let mut results = Vec::new();
        for node in &self.0.nodes {
            results.push((node.address().to_owned(), probe(&http, node).await));
        }
        results
    }

    /// Returns true if any node responds in Elasticsearch's form. Sends no credential.
    pub(super) async fn is_reachable(&self) -> bool {
        let http = &self.http();
        let mut probes: FuturesUnordered<_> = self
            .0
            .nodes
            .iter()
            .map(|node| async move { (node, probe(http, node).await) })
            .collect();
        while let Some((node, answered)) = probes.next().await {
            if answered.is_ok() {
                node.reached();
                return true;
            }
        }
        false
    }
}

impl Node {
    fn new(url: Url) -> Self {
        Self {
            url,
            failures: Mutex::default(),
            logged: Mutex::default(),
        }
    }

    fn address(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// Records a response from this node.
    pub(super) fn reached(&self) {
        *self.lock() = Failures::default();
    }

    /// The error for a request without a complete response. Its cause is logged.
    pub(super) fn explain(&self, error: &reqwest::Error) -> Error {
        self.log_fault(causes(error));
        explain(error)
    }

    /// Logs that something else answered, and after logged faults that Elasticsearch did.
    pub(super) fn note(&self, result: &Result<Response, Error>) {
        match result {
            Ok(_) => {
                let faults = std::mem::take(&mut *self.logged());
                if !faults.is_empty() {
                    tracing::info!(address = self.address(), "Elasticsearch answers again");
                }
            }
            Err(error @ (Error::Gateway(_) | Error::WrongProduct | Error::BadAnswer(_))) => {
                self.log_fault(error.to_string());
            }
            // With its cause, by `explain`.
            Err(_) => {}
        }
    }

    /// Logs each fault once until Elasticsearch answers again.
    fn log_fault(&self, cause: String) {
        let mut logged = self.logged();
        // A cause may hold something that changes with every request.
        if logged.len() < FAULTS_LOGGED_MAX && logged.insert(cause.clone()) {
            drop(logged);
            let address = self.address();
            tracing::warn!(address, cause, "no answer from Elasticsearch");
        }
    }

    fn logged(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.logged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the node out for a while.
    pub(super) fn failed(&self) {
        let mut failures = self.lock();
        let doublings = failures.count.min(5);
        failures.count += 1;
        failures.dead_until =
            Some(Instant::now() + (DEAD_TIME * 2_u32.pow(doublings)).min(DEAD_TIME_MAX));
    }

    fn dead_until(&self) -> Option<Instant> {
        self.lock().dead_until
    }

    fn lock(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns true if another node may be tried after this error. A change moves on only if nothing was sent.
pub(super) fn may_move_on(error: &Error, is_read: bool) -> bool {
    match error {
        Error::Unreachable | Error::Tls => true,
        Error::Interrupted => is_read,
        Error::Gateway(status) => is_read && matches!(status.as_u16(), 502..=504),
        _ => false,
    }
}

/// The error is the cause.
async fn probe(http: &Client, node: &Node) -> Result<(), String> {
    let request = http.get(node.url.clone()).timeout(PROBE_TIMEOUT).send();
    let cause = OnceLock::new();
    let failed = |error: &reqwest::Error| {
        cause.get_or_init(|| causes(error));
        node.explain(error)
    };
    let result = match request.await {
        // A 401 is the usual response to a request without a credential.
        Ok(response) => read_response(response, PROBE_BYTES_MAX, false, failed).await,
        Err(error) => Err(failed(&error)),
    };
    node.note(&result);
    result
        .map(drop)
        .map_err(|error| cause.into_inner().unwrap_or_else(|| error.to_string()))
}

/// Modification time of each file named in the settings.
fn modified(cluster: &Cluster) -> Vec<Option<SystemTime>> {
    let ca_file = match &cluster.trust {
        Trust::CaFile(path) => Some(path),
        Trust::System | Trust::CaFingerprint(_) => None,
    };
    let pair = cluster.client_certificate.as_ref();
    let files = ca_file
        .into_iter()
        .chain(pair.into_iter().flat_map(|files| [&files.cert, &files.key]));
    files
        .map(|path| {
            std::fs::metadata(path)
                .and_then(|file| file.modified())
                .ok()
        })
        .collect()
}
