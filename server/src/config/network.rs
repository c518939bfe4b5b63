//! Settings of the listener and of the proxies in front of it.

use ipnet::IpNet;
use std::{net::IpAddr, time::Duration};

/// Limits of the listener: number of connections, and time for each part of a request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections that may be open at once. Further connections are closed at once.
    pub connections_max: usize,
    /// From the first byte to the end of the handshake.
    pub tls_handshake_timeout: Duration,
    /// From the end of the handshake to the end of the first request's headers.
    pub first_request_timeout: Duration,
    /// From the end of one request to the end of the next one's headers.
    pub header_timeout: Duration,
    /// From the headers to the end of the body.
    pub body_timeout: Duration,
    /// Without a byte in either direction.
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Half of the file descriptors of a process on most machines.
            connections_max: 512,
            tls_handshake_timeout: Duration::from_secs(10),
            first_request_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
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
