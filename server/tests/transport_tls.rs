//! TLS to Elasticsearch: certificate authorities, fingerprints, client certificates.

use crate::transport::{Gateway, connect, engine, read};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use server::{
    config::{Cluster, TlsFiles, Trust},
    elasticsearch::{Elasticsearch, Error},
};
use sha2::{Digest, Sha256};
use std::{path::Path, sync::Arc};
use url::Url;

/// A certificate authority of one test.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(self.0.der()).into()
    }

    /// A certificate for `host` and its key, both PEM.
    pub(crate) fn issue(&self, host: &str, expired: bool) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, host);
        if expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A client certificate in two files.
    pub(crate) fn client_files(&self, directory: &Path, expired: bool) -> TlsFiles {
        let (cert, key) = (directory.join("client.pem"), directory.join("client.key"));
        let (certificate, private) = self.issue("agent-keys", expired);
        std::fs::write(&cert, certificate).unwrap();
        std::fs::write(&key, private).unwrap();
        TlsFiles { cert, key }
    }

    /// What a server uses that shows a certificate of this authority.
    pub(crate) fn server(
        &self,
        host: &str,
        expired: bool,
        sends_ca: bool,
        clients: Option<&Self>,
    ) -> ServerConfig {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (certificate, key) = self.issue(host, expired);
        let mut chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        if sends_ca {
            chain.push(self.0.der().clone());
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let builder = ServerConfig::builder();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.0.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
                builder.with_client_cert_verifier(verifier.unwrap())
            }
        };
        builder.with_single_cert(chain, key).unwrap()
    }

    /// The certificate of the authority.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn file(&self, directory: &Path) -> Trust {
        let path = directory.join("ca.pem");
        std::fs::write(&path, self.0.pem()).unwrap();
        Trust::CaFile(path)
    }
}

pub(crate) fn trusting(gateway: &Gateway, trust: Trust) -> Cluster {
    Cluster {
        trust,
        ..Cluster::from(gateway.url())
    }
}

#[tokio::test]
async fn fingerprint_trusts_what_its_ca_issued_and_nothing_else() {
    let engine = engine().await;
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let table = [
        (
            "right",
            "localhost",
            false,
            true,
            ours.fingerprint(),
            Ok(()),
        ),
        (
            "wrong",
            "localhost",
            false,
            true,
            theirs.fingerprint(),
            Err(Error::Tls),
        ),
        (
            "CA not sent",
            "localhost",
            false,
            false,
            ours.fingerprint(),
            Err(Error::Tls),
        ),
        (
            "expired",
            "localhost",
            true,
            true,
            ours.fingerprint(),
            Err(Error::Tls),
        ),
        (
            "other host",
            "example.com",
            false,
            true,
            ours.fingerprint(),
            Err(Error::Tls),
        ),
    ];
    for (what, host, expired, sends_ca, fingerprint, expected) in table {
        let config = ours.server(host, expired, sends_ca, None);
        let gateway = Gateway::start_tls(&engine, config).await;
        let elasticsearch = connect(trusting(&gateway, Trust::CaFingerprint(fingerprint)));
        assert_eq!(read(&elasticsearch).await, expected, "{what}");
        assert_eq!(gateway.requests(), usize::from(expected.is_ok()), "{what}");
    }
    // A certificate of another authority, with ours sent beside it.
    let (certificate, key) = theirs.issue("localhost", false);
    let chain = vec![
        CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap(),
        ours.0.der().clone(),
    ];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(chain, key).unwrap();
    let gateway = Gateway::start_tls(&engine, config).await;
    let trust = Trust::CaFingerprint(ours.fingerprint());
    let elasticsearch = connect(trusting(&gateway, trust));
    assert_eq!(read(&elasticsearch).await, Err(Error::Tls));
}

#[tokio::test]
async fn client_certificate_is_shown_to_a_server_that_requires_one() {
    let engine = engine().await;
    let directory = tempfile::tempdir().unwrap();
    let (ours, clients) = (Authority::new("ours"), Authority::new("clients"));
    let config = ours.server("localhost", false, true, Some(&clients));
    let gateway = Gateway::start_tls(&engine, config).await;
    let files = clients.client_files(directory.path(), false);
    for trust in [
        ours.file(directory.path()),
        Trust::CaFingerprint(ours.fingerprint()),
    ] {
        let without = trusting(&gateway, trust.clone());
        assert!(read(&connect(without.clone())).await.is_err());
        let seen = gateway.requests();
        let with = Cluster {
            client_certificate: Some(files.clone()),
            ..without
        };
        assert_eq!(read(&connect(with)).await, Ok(()));
        assert_eq!(gateway.requests(), seen + 1);
    }
}

#[tokio::test]
async fn unusable_client_certificate_stops_the_start_and_names_the_setting() {
    let directory = tempfile::tempdir().unwrap();
    let ours = Authority::new("ours");
    let files = ours.client_files(directory.path(), false);
    let other_key = directory.path().join("other.key");
    std::fs::write(&other_key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let junk = directory.path().join("junk");
    std::fs::write(&junk, "no PEM").unwrap();
    let missing = directory.path().join("missing");
    let table = [
        (
            files.cert.clone(),
            other_key,
            "CLIENT_CERT_FILE and AGENT_KEYS",
        ),
        (files.cert.clone(), junk.clone(), "CLIENT_KEY_FILE"),
        (junk, files.key.clone(), "CLIENT_CERT_FILE"),
        (missing, files.key, "CLIENT_CERT_FILE: cannot read"),
    ];
    for (cert, key, names) in table {
        for trust in [ours.file(directory.path()), Trust::CaFingerprint([0; 32])] {
            let cluster = Cluster {
                trust,
                client_certificate: Some(TlsFiles {
                    cert: cert.clone(),
                    key: key.clone(),
                }),
                ..Cluster::from("https://localhost/".parse::<Url>().unwrap())
            };
            let _ = rustls::crypto::ring::default_provider().install_default();
            let error = Elasticsearch::new(cluster).unwrap_err();
            assert!(error.to_string().contains(names), "{error}");
        }
    }
}

#[tokio::test]
async fn changed_ca_file_is_read_again() {
    let engine = engine().await;
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let config = new.server("localhost", false, true, None);
    let gateway = Gateway::start_tls(&engine, config).await;
    let elasticsearch = connect(trusting(&gateway, old.file(directory.path())));
    assert_eq!(read(&elasticsearch).await, Err(Error::Tls));
    // An unusable file changes nothing.
    std::fs::write(directory.path().join("ca.pem"), "").unwrap();
    assert_eq!(read(&elasticsearch).await, Err(Error::Tls));
    let _ = new.file(directory.path());
    crate::support::eventually("the new authority is trusted", async || {
        read(&elasticsearch).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn renewed_client_certificate_is_read_again() {
    let engine = engine().await;
    let directory = tempfile::tempdir().unwrap();
    let (ours, clients) = (Authority::new("ours"), Authority::new("clients"));
    let config = ours.server("localhost", false, true, Some(&clients));
    let gateway = Gateway::start_tls(&engine, config).await;
    for trust in [
        ours.file(directory.path()),
        Trust::CaFingerprint(ours.fingerprint()),
    ] {
        let seen = gateway.requests();
        let elasticsearch = connect(Cluster {
            client_certificate: Some(clients.client_files(directory.path(), true)),
            ..trusting(&gateway, trust)
        });
        assert!(read(&elasticsearch).await.is_err());
        assert_eq!(gateway.requests(), seen);
        let _ = clients.client_files(directory.path(), false);
        crate::support::eventually("the renewed certificate is accepted", async || {
            read(&elasticsearch).await.is_ok()
        })
        .await;
        assert_eq!(gateway.requests(), seen + 1);
    }
}
