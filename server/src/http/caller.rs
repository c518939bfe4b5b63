//! Who is at the other end, also where a proxy stands in between.
//!
//! What a request's headers say of its origin is anybody's to write, so they count only where a proxy that the
//! settings name has sent them. `X-Forwarded-For` is read from right to left, for each proxy adds what it saw at the
//! end: the first address that is no proxy of ours is the caller's, and whatever stands left of it is hearsay.
//! `Forwarded` is never read: a proxy that keeps `X-Forwarded-For` passes the caller's own `Forwarded` on as it came.

use super::Web;
use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use http::{Extensions, HeaderMap};
use ipnet::IpNet;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Once,
};

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The networks of the proxies whose word counts. None by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// The text names no networks, or everybody's.
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

    fn hold(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn network(text: &str) -> Option<IpNet> {
    let network: IpNet = match text.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().into(),
        Err(_) => text.parse().ok()?,
    };
    // To trust everybody is to let everybody choose an address.
    (network.prefix_len() > 0).then_some(network)
}

/// The other end of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    /// The browser's machine, or the last proxy that nobody vouches for.
    pub(super) address: Option<IpAddr>,
    /// Whether the browser speaks TLS: with us, or with a proxy of ours.
    pub(super) tls: bool,
    /// Whether passwords travel unprotected beyond this machine.
    pub(super) plain_http: bool,
}

impl Caller {
    fn find(web: &Web, extensions: &Extensions, headers: &HeaderMap) -> Self {
        let peer = extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(address)| address.ip().to_canonical());
        let by_proxy = peer.is_some_and(|peer| web.trusted_proxies.hold(peer));
        if let Some(peer) = peer
            && !by_proxy
            && headers.contains_key(FORWARDED_FOR)
        {
            log_untrusted(peer);
        }
        let told = by_proxy.then(|| protocol_is_tls(headers)).flatten();
        Self {
            address: peer.map(|peer| walk(&web.trusted_proxies, peer, headers)),
            tls: told.unwrap_or(web.tls),
            plain_http: told.map_or(web.plain_http, |tls| !tls),
        }
    }

    /// The caller of the request with these extensions.
    pub(super) fn of(extensions: &Extensions) -> Self {
        // The outermost layer has put it there; without it nothing is known, and nothing is vouched for.
        extensions.get().copied().unwrap_or(Self {
            address: None,
            tls: false,
            plain_http: true,
        })
    }
}

/// Logs a forgotten setting, once in the life of the process: anybody can send this header.
fn log_untrusted(peer: IpAddr) {
    static LOGGED: Once = Once::new();
    LOGGED.call_once(|| {
        tracing::warn!(
            %peer,
            "X-Forwarded-For is ignored: it came from an address that AGENT_KEYS_TRUSTED_PROXIES does not name"
        );
    });
}

/// Finds the caller, before anybody asks.
pub(super) async fn find(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let caller = Caller::find(&web, request.extensions(), request.headers());
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// From the peer to the first address that is no proxy of ours. Where somebody wrote no address, the one that wrote
/// it is as far as we can see.
fn walk(trusted: &TrustedProxies, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let values = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut hops = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    let mut address = peer;
    while trusted.hold(address) {
        let Some(next) = hops.next().and_then(hop) else {
            break;
        };
        address = next;
    }
    address
}

/// An address, as some proxies write it also with a port.
fn hop(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().or_else(|_| with_port()).ok()?;
    Some(address.to_canonical())
}

/// What the proxy says that it was spoken to in: the last word, for it adds at the end.
fn protocol_is_tls(headers: &HeaderMap) -> Option<bool> {
    let last = headers.get_all(FORWARDED_PROTO).iter().next_back()?;
    let word = last.to_str().ok()?.rsplit(',').next()?.trim();
    match word.to_ascii_lowercase().as_str() {
        "https" => Some(true),
        "http" => Some(false),
        _ => None,
    }
}
