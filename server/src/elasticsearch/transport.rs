//! HTTP to the nodes of one Elasticsearch: addresses, TLS, HTTP proxy, and which node is used.
//!
//! The first address is used while it can be reached. A node that cannot be connected to is left out for a while, and
//! the next one is used. The files named in the settings are read again when they change.

use super::{
    Error,
    connection::{StartError, explain, read_answer},
};
use crate::config::{Cluster, TlsFiles, Trust};
use futures::{StreamExt, stream::FuturesUnordered};
use reqwest::{Certificate, Client, ClientBuilder, Identity, Proxy, redirect, retry};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use url::Url;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Limit for finding out whether a node answers at all.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The largest answer to that.
const PROBE_BYTES_MAX: usize = 64 * 1024;
/// How long a node is left out after its first failure. Doubles with each further one.
const DEAD_TIME: Duration = Duration::from_secs(1);
const DEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// Files are looked at this often, when a request is made.
const FILES_CHECK_INTERVAL: Duration = Duration::from_secs(1);

const CA_FILE: &str = "AGENT_KEYS_ELASTICSEARCH_CA_FILE";
const CLIENT_CERT_FILE: &str = "AGENT_KEYS_ELASTICSEARCH_CLIENT_CERT_FILE";
const CLIENT_KEY_FILE: &str = "AGENT_KEYS_ELASTICSEARCH_CLIENT_KEY_FILE";

/// The way to one Elasticsearch. Cheap to clone.
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
    /// The state of the files from which it was made.
    files: Vec<Option<SystemTime>>,
    checked: Instant,
}

impl Transport {
    pub(super) fn new(cluster: Cluster) -> Result<Self, StartError> {
        let urls = [&cluster.url].into_iter().chain(&cluster.fallback_urls);
        let nodes: Vec<Node> = urls.cloned().map(Node::new).collect();
        let addresses: Vec<&str> = nodes.iter().map(Node::address).collect();
        let client = CurrentClient {
            files: modified(&cluster),
            http: cluster_client(&cluster)?,
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

    /// The HTTP client, made anew when a file that it was made from has changed. A file that cannot be used leaves the
    /// client as it was.
    pub(super) fn http(&self) -> Client {
        let mut client = self.0.client.lock().unwrap_or_else(PoisonError::into_inner);
        if client.files.is_empty() || client.checked.elapsed() < FILES_CHECK_INTERVAL {
            return client.http.clone();
        }
        client.checked = Instant::now();
        let files = modified(&self.0.cluster);
        if files != client.files {
            client.files = files;
            match cluster_client(&self.0.cluster) {
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

    /// Returns true if any node answers in Elasticsearch's form. Sends no credential.
    pub(super) async fn is_reachable(&self) -> bool {
        let http = &self.http();
        let mut probes: FuturesUnordered<_> = self
            .0
            .nodes
            .iter()
            .map(|node| async move { (node, probe(http, &node.url).await) })
            .collect();
        while let Some((node, is_there)) = probes.next().await {
            if is_there {
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
        }
    }

    fn address(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// Records an answer from this node.
    pub(super) fn reached(&self) {
        *self.lock() = Failures::default();
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Failures> {
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

async fn probe(http: &Client, url: &Url) -> bool {
    let request = http.get(url.clone()).timeout(PROBE_TIMEOUT).send();
    let Ok(response) = request.await.map_err(|error| explain(&error)) else {
        return false;
    };
    // A 401 is an answer too: without a credential it is the usual one.
    read_answer(response, PROBE_BYTES_MAX, false).await.is_ok()
}

/// When each file named in the settings was last changed.
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

fn cluster_client(cluster: &Cluster) -> Result<Client, StartError> {
    let mut builder = base();
    if let Some(proxy) = &cluster.proxy {
        // reqwest's error may hold the URL, and so the password.
        let proxy = Proxy::all(proxy.expose_secret()).map_err(|_| StartError::Proxy)?;
        builder = builder.proxy(proxy);
    }
    let urls = [&cluster.url].into_iter().chain(&cluster.fallback_urls);
    let has_tls = urls.into_iter().any(|url| url.scheme() == "https");
    let pair = cluster.client_certificate.as_ref();
    let builder = match &cluster.trust {
        // Without TLS there is nothing to verify, and reading the system's certificates would only cost time.
        _ if !has_tls => builder.tls_certs_only([]),
        Trust::System => with_identity(builder, pair)?,
        Trust::CaFile(path) => {
            let certificates = read_certificates(path.clone(), CA_FILE)?;
            with_identity(builder.tls_certs_only(certificates), pair)?
        }
        Trust::CaFingerprint(fingerprint) => {
            builder.tls_backend_preconfigured(pinned_config(*fingerprint, pair)?)
        }
    };
    match builder.build() {
        Ok(client) => Ok(client),
        // The files were read; that the two do not belong together shows only here.
        Err(_) if pair.is_some() => Err(StartError::ClientCertificate),
        Err(error) => Err(error.into()),
    }
}

fn base() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .user_agent(concat!("agent-keys/", env!("CARGO_PKG_VERSION")))
}

fn with_identity(
    builder: ClientBuilder,
    pair: Option<&TlsFiles>,
) -> Result<ClientBuilder, StartError> {
    let Some(files) = pair else {
        return Ok(builder);
    };
    // Parsed for the errors, which name the setting.
    client_certificate(files)?;
    let mut pem = read_file(&files.cert, CLIENT_CERT_FILE)?;
    pem.push(b'\n');
    pem.extend(read_file(&files.key, CLIENT_KEY_FILE)?);
    let identity = Identity::from_pem(&pem).map_err(|_| StartError::ClientCertificate)?;
    Ok(builder.identity(identity))
}

fn client_certificate(
    files: &TlsFiles,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), StartError> {
    let pem = read_file(&files.cert, CLIENT_CERT_FILE)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = match chain {
        Ok(chain) if !chain.is_empty() => chain,
        _ => {
            return Err(StartError::NoCertificates {
                setting: CLIENT_CERT_FILE,
                path: files.cert.clone(),
            });
        }
    };
    let pem = read_file(&files.key, CLIENT_KEY_FILE)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| StartError::NoKey {
        setting: CLIENT_KEY_FILE,
        path: files.key.clone(),
    })?;
    Ok((chain, key))
}

fn read_certificates(path: PathBuf, setting: &'static str) -> Result<Vec<Certificate>, StartError> {
    let pem = read_file(&path, setting)?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(StartError::NoCertificates { setting, path }),
    }
}

fn read_file(path: &Path, setting: &'static str) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|source| StartError::CaFile {
        setting,
        path: path.to_owned(),
        source,
    })
}

fn pinned_config(
    fingerprint: [u8; 32],
    pair: Option<&TlsFiles>,
) -> Result<ClientConfig, StartError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = PinnedCa {
        fingerprint,
        provider: provider.clone(),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| StartError::ClientCertificate)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let Some(files) = pair else {
        return Ok(builder.with_no_client_auth());
    };
    let (chain, key) = client_certificate(files)?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|_| StartError::ClientCertificate)
}

/// Trusts the CA certificate with one SHA-256 fingerprint, if the server sends it in its chain. Signatures, validity and
/// host name are verified against that CA as usual.
#[derive(Debug)]
struct PinnedCa {
    fingerprint: [u8; 32],
    provider: Arc<CryptoProvider>,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "no certificate that the server sent has the fingerprint in AGENT_KEYS_ELASTICSEARCH_CA_FINGERPRINT"
)]
struct CaNotSent;

impl ServerCertVerifier for PinnedCa {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let is_pinned = |certificate: &&CertificateDer<'_>| {
            Sha256::digest(certificate.as_ref())[..] == self.fingerprint
        };
        let ca = intermediates
            .iter()
            .find(is_pinned)
            .ok_or_else(|| CertificateError::Other(OtherError(Arc::new(CaNotSent))))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
