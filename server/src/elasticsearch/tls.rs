//! The HTTP client for a cluster: trusted certificates, client certificate, HTTP proxy.

use crate::config::{Cluster, TlsFiles, Trust};
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
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const CA_FILE: &str = "AGENT_KEYS_ELASTICSEARCH_CA_FILE";
const CLIENT_CERT_FILE: &str = "AGENT_KEYS_ELASTICSEARCH_CLIENT_CERT_FILE";
const CLIENT_KEY_FILE: &str = "AGENT_KEYS_ELASTICSEARCH_CLIENT_KEY_FILE";

/// The client could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A file with a certificate or key cannot be read.
    #[error("{setting}: cannot read {path}: {source}", path = path.display())]
    File {
        setting: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The file holds no certificates.
    #[error("{setting}: {path} holds no PEM certificates", path = path.display())]
    NoCertificates {
        setting: &'static str,
        path: PathBuf,
    },
    /// The file holds no private key.
    #[error("{setting}: {path} holds no unencrypted PEM private key", path = path.display())]
    NoKey {
        setting: &'static str,
        path: PathBuf,
    },
    /// The client's certificate and key cannot be used together.
    #[error(
        "AGENT_KEYS_ELASTICSEARCH_CLIENT_CERT_FILE and AGENT_KEYS_ELASTICSEARCH_CLIENT_KEY_FILE do not belong together"
    )]
    ClientCertificate,
    /// The HTTP proxy's address cannot be used.
    #[error(
        "AGENT_KEYS_ELASTICSEARCH_PROXY: use the address of an HTTP proxy such as http://proxy.example.com:3128"
    )]
    Proxy,
    /// The HTTP client could not be built.
    #[error("cannot make the HTTP client for Elasticsearch")]
    Client(#[from] reqwest::Error),
}

pub(super) fn http_client(cluster: &Cluster) -> Result<Client, ClientError> {
    let mut builder = base();
    if let Some(proxy) = &cluster.proxy {
        // reqwest's error may hold the URL, and so the password.
        let proxy = Proxy::all(proxy.expose_secret()).map_err(|_| ClientError::Proxy)?;
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
        Err(_) if pair.is_some() => Err(ClientError::ClientCertificate),
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
) -> Result<ClientBuilder, ClientError> {
    let Some(files) = pair else {
        return Ok(builder);
    };
    // Parsed for the errors, which name the setting.
    client_certificate(files)?;
    let mut pem = read_file(&files.cert, CLIENT_CERT_FILE)?;
    pem.push(b'\n');
    pem.extend(read_file(&files.key, CLIENT_KEY_FILE)?);
    let identity = Identity::from_pem(&pem).map_err(|_| ClientError::ClientCertificate)?;
    Ok(builder.identity(identity))
}

fn client_certificate(
    files: &TlsFiles,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ClientError> {
    let pem = read_file(&files.cert, CLIENT_CERT_FILE)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = match chain {
        Ok(chain) if !chain.is_empty() => chain,
        _ => {
            return Err(ClientError::NoCertificates {
                setting: CLIENT_CERT_FILE,
                path: files.cert.clone(),
            });
        }
    };
    let pem = read_file(&files.key, CLIENT_KEY_FILE)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| ClientError::NoKey {
        setting: CLIENT_KEY_FILE,
        path: files.key.clone(),
    })?;
    Ok((chain, key))
}

fn read_certificates(
    path: PathBuf,
    setting: &'static str,
) -> Result<Vec<Certificate>, ClientError> {
    let pem = read_file(&path, setting)?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(ClientError::NoCertificates { setting, path }),
    }
}

fn read_file(path: &Path, setting: &'static str) -> Result<Vec<u8>, ClientError> {
    std::fs::read(path).map_err(|source| ClientError::File {
        setting,
        path: path.to_owned(),
        source,
    })
}

fn pinned_config(
    fingerprint: [u8; 32],
    pair: Option<&TlsFiles>,
) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = PinnedCa {
        fingerprint,
        provider: provider.clone(),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ClientError::ClientCertificate)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let Some(files) = pair else {
        return Ok(builder.with_no_client_auth());
    };
    let (chain, key) = client_certificate(files)?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|_| ClientError::ClientCertificate)
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
