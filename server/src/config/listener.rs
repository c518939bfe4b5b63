//! Settings of the listener: TLS, base path, public URL, limits, and the proxies in front of it.

use super::{Error, source::Values};
use app::model::base_path::BasePath;
use ipnet::IpNet;
use platform::connection_limit::ConnectionLimits;
use std::{net::IpAddr, ops::RangeInclusive, path::PathBuf, time::Duration};
use url::Url;

/// Connections of one address: ten browsers with six each. At most half of all.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;

/// Certificate chain and private key, both PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Limits of the listener: number of connections, and time for each part of a request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connections: ConnectionLimits,
    /// From the first byte to the end of the handshake.
    pub tls_handshake_timeout: Duration,
    /// From the end of the handshake to the end of the first request's headers.
    pub first_request_timeout: Duration,
    /// From the end of one request to the end of the next one's headers.
    pub header_timeout: Duration,
    /// From the headers to the end of the body.
    pub body_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: ConnectionLimits {
                // Half of the file descriptors of a process on most machines.
                connections_max: 512,
                connections_per_address_max: CONNECTIONS_PER_ADDRESS_MAX,
                idle_timeout: Duration::from_secs(75),
            },
            tls_handshake_timeout: Duration::from_secs(10),
            first_request_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
        }
    }
}

/// Networks of the proxies whose `X-Forwarded-*` headers count. None by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// The text holds no networks, or a network of all addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotNetworks;

impl TrustedProxies {
    /// Reads networks and addresses, separated by commas.
    pub fn parse(text: &str) -> Result<Self, NotNetworks> {
        text.split(',')
            .map(|part| network(part.trim()))
            .collect::<Option<_>>()
            .map(Self)
            .ok_or(NotNetworks)
    }

    /// Returns true if the address is in one of the networks.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn network(text: &str) -> Option<IpNet> {
    let network: IpNet = match text.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().into(),
        Err(_) => text.parse().ok()?,
    };
    // A network of all addresses would let every client choose its own address.
    (network.prefix_len() > 0).then_some(network)
}

pub(super) fn tls_files(values: &mut Values) -> Result<Option<TlsFiles>, Error> {
    pair_of_files(
        (
            values.named_text("tls.cert_file"),
            "AGENT_KEYS_TLS_CERT_FILE",
        ),
        (values.named_text("tls.key_file"), "AGENT_KEYS_TLS_KEY_FILE"),
    )
}

/// Certificate and key, each with the name of its setting: both or neither.
pub(super) fn pair_of_files(
    (cert, cert_setting): (Option<(String, String)>, &'static str),
    (key, key_setting): (Option<(String, String)>, &'static str),
) -> Result<Option<TlsFiles>, Error> {
    match (cert, key) {
        (Some((_, cert)), Some((_, key))) => Ok(Some(TlsFiles {
            cert: cert.into(),
            key: key.into(),
        })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::Half {
            given: cert_setting,
            missing: key_setting,
        }),
        (None, Some(_)) => Err(Error::Half {
            given: key_setting,
            missing: cert_setting,
        }),
    }
}

pub(super) fn trusted_proxies(values: &mut Values) -> Result<TrustedProxies, Error> {
    let Some((name, text)) = values.named_text("trusted_proxies") else {
        return Ok(TrustedProxies::default());
    };
    TrustedProxies::parse(&text).map_err(|_| Error::Invalid {
        name,
        reason: "use the proxies' networks, separated by commas, such as 10.1.0.0/16, fd00:1::/64; a network of all addresses is refused",
    })
}

pub(super) fn base_path(values: &mut Values) -> Result<BasePath, Error> {
    let Some((name, text)) = values.named_text("base_path") else {
        return Ok(BasePath::default());
    };
    BasePath::parse(&text).map_err(|_| Error::Invalid {
        name,
        reason: "use a path of small letters, digits, - and _, such as /agent-keys; it cannot begin with a path of \
                 Agent Keys itself, such as /settings",
    })
}

pub(super) fn public_url(values: &mut Values) -> Result<Option<Url>, Error> {
    let Some((name, text)) = values.named_text("public_url") else {
        return Ok(None);
    };
    let is_origin = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
    };
    let url = text.parse().ok().filter(is_origin);
    let reason = "use scheme, host and port as browsers show them, such as https://keys.example.com; a path goes into \
                  AGENT_KEYS_BASE_PATH";
    url.map(Some).ok_or(Error::Invalid { name, reason })
}

/// Names without scheme, port and path, separated by commas.
pub(super) fn host_names(values: &mut Values) -> Result<Vec<String>, Error> {
    let Some((name, text)) = values.named_text("host_names") else {
        return Ok(Vec::new());
    };
    let is_name = |part: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        !part.is_empty() && part.bytes().all(allowed)
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    if !parts.iter().all(is_name) {
        let reason =
            "use host names without scheme and port, separated by commas, such as keys.example.com";
        return Err(Error::Invalid { name, reason });
    }
    Ok(parts.into_iter().map(str::to_owned).collect())
}

pub(super) fn limits(values: &mut Values) -> Result<Limits, Error> {
    /// Fewer would lock out a user with two browsers; more would exceed the file descriptors of any machine.
    const RANGE: RangeInclusive<usize> = 16..=100_000;
    let limits = Limits::default();
    let Some((name, text)) = values.named_text("connections_max") else {
        return Ok(limits);
    };
    let number = text.parse().ok().filter(|number| RANGE.contains(number));
    let connections_max = number.ok_or(Error::Invalid {
        name,
        reason: "use a number from 16 to 100000",
    })?;
    Ok(Limits {
        connections: ConnectionLimits {
            connections_max,
            connections_per_address_max: CONNECTIONS_PER_ADDRESS_MAX.min(connections_max / 2),
            ..limits.connections
        },
        ..limits
    })
}
