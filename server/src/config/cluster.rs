//! Settings of a cluster: addresses, TLS, HTTP proxy.

use super::{Error, TlsFiles, elasticsearch_url, listener::pair_of_files, source::Values};
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use url::Url;

/// Addresses of a cluster and the settings of its client.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The first of `elasticsearch.url`, `AGENT_KEYS_ELASTICSEARCH_URL`: `http` or `https`, without user and password.
    /// A path is kept.
    pub url: Url,
    /// The further addresses in the same setting, separated by commas. Each is used while those before it cannot be
    /// reached.
    pub fallback_urls: Vec<Url>,
    pub trust: Trust,
    /// `elasticsearch.client_cert_file` and `elasticsearch.client_key_file`,
    /// `AGENT_KEYS_ELASTICSEARCH_CLIENT_CERT_FILE` and `AGENT_KEYS_ELASTICSEARCH_CLIENT_KEY_FILE`: PEM files; both or
    /// neither. Default: no client certificate.
    pub client_certificate: Option<TlsFiles>,
    /// `elasticsearch.proxy`, `AGENT_KEYS_ELASTICSEARCH_PROXY` (a secret): the URL of an HTTP proxy, which may hold
    /// user and password. Default: none; `HTTP_PROXY` and its like are not followed.
    pub proxy: Option<SecretString>,
}

/// Trusted certificates of Elasticsearch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Certificate authorities of the operating system.
    System,
    /// `elasticsearch.ca_file`, `AGENT_KEYS_ELASTICSEARCH_CA_FILE`: only those issued by a certificate in this PEM file.
    CaFile(PathBuf),
    /// `elasticsearch.ca_fingerprint`, `AGENT_KEYS_ELASTICSEARCH_CA_FINGERPRINT`: only those issued by the CA
    /// certificate with this SHA-256 fingerprint. The server must send that certificate in its chain.
    CaFingerprint([u8; 32]),
}

impl From<Url> for Cluster {
    fn from(url: Url) -> Self {
        Self {
            url,
            fallback_urls: Vec::new(),
            trust: Trust::System,
            client_certificate: None,
            proxy: None,
        }
    }
}

/// Reads the cluster's settings. `None` if no address is given.
pub(super) fn read(values: &mut Values) -> Result<Option<Cluster>, Error> {
    let trust = trust(values)?;
    let client_certificate = pair_of_files(
        (
            values.named_text("elasticsearch.client_cert_file"),
            "AGENT_KEYS_ELASTICSEARCH_CLIENT_CERT_FILE",
        ),
        (
            values.named_text("elasticsearch.client_key_file"),
            "AGENT_KEYS_ELASTICSEARCH_CLIENT_KEY_FILE",
        ),
    )?;
    let proxy = proxy(values)?;
    let Some((name, text)) = values.named_text("elasticsearch.url") else {
        return Ok(None);
    };
    let no_user = "leave out user and password: each person signs in with their own";
    let mut urls = Vec::new();
    for part in text.split(',').map(str::trim) {
        let url = elasticsearch_url(name.clone(), part, no_user)?;
        if urls.contains(&url) {
            let reason = "name each address once";
            return Err(Error::Invalid { name, reason });
        }
        urls.push(url);
    }
    let url = urls.remove(0);
    Ok(Some(Cluster {
        url,
        fallback_urls: urls,
        trust,
        client_certificate,
        proxy,
    }))
}

fn trust(values: &mut Values) -> Result<Trust, Error> {
    let file = values.named_text("elasticsearch.ca_file");
    let fingerprint = values.named_text("elasticsearch.ca_fingerprint");
    match (file, fingerprint) {
        (None, None) => Ok(Trust::System),
        (Some((_, path)), None) => Ok(Trust::CaFile(path.into())),
        (None, Some((name, text))) => match parse_fingerprint(&text) {
            Some(digest) => Ok(Trust::CaFingerprint(digest)),
            None => Err(Error::Invalid {
                name,
                reason: "use the SHA-256 fingerprint of the CA certificate: 64 hexadecimal digits, with or without \
                         colons",
            }),
        },
        (Some(_), Some((name, _))) => Err(Error::Invalid {
            name,
            reason: "cannot be used together with AGENT_KEYS_ELASTICSEARCH_CA_FILE; give one",
        }),
    }
}

/// As Elasticsearch prints it, or as `openssl x509 -fingerprint` does.
fn parse_fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| *byte != b':')
        .map(|byte| {
            char::from(byte)
                .to_digit(16)
                .and_then(|d| u8::try_from(d).ok())
        })
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |all, digit| all << 4 | digit))
        .collect();
    let is_whole = digits.len() == 64;
    bytes.try_into().ok().filter(|_| is_whole)
}

fn proxy(values: &mut Values) -> Result<Option<SecretString>, Error> {
    let Some((name, text)) = values.secret("elasticsearch.proxy", 1)? else {
        return Ok(None);
    };
    let is_proxy = Url::parse(text.expose_secret()).is_ok_and(|url| {
        url.scheme() == "http"
            && url.host_str().is_some()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
    });
    if !is_proxy {
        let reason = "use the address of an HTTP proxy such as http://proxy.example.com:3128";
        return Err(Error::Invalid { name, reason });
    }
    Ok(Some(text))
}
