//! Client address and protocol of a request, also behind proxies.
//!
//! Any client can send forwarding headers, so they count only from a proxy that the settings name. `X-Forwarded-For` is read from right to left, because each proxy appends
//! its peer. The first address that is not a trusted proxy is the client's; the addresses left of it are not verified.
//! `Forwarded` is never read: a proxy that sets only `X-Forwarded-For` passes the client's own `Forwarded` on.

use super::Web;
use crate::config::TrustedProxies;
use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use http::{Extensions, HeaderMap, header::HOST, uri::Authority};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Once,
};

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Address and protocol of the client.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientInfo {
    /// Address of the browser, or of the first proxy that is not trusted.
    pub(super) address: Option<IpAddr>,
    /// True if the browser uses TLS, with us or with a trusted proxy.
    pub(super) tls: bool,
    /// True if passwords are sent unencrypted beyond this machine.
    pub(super) plain_http: bool,
    /// True if a trusted proxy sent the request.
    pub(super) by_proxy: bool,
    /// Port of our pages in the browser, if it is not the one that goes without saying.
    pub(super) port: Option<u16>,
}

impl ClientInfo {
    /// Returns true if a trusted proxy says that its client uses TLS.
    pub(super) fn is_forwarded_tls(
        trusted: &TrustedProxies,
        peer: IpAddr,
        headers: &HeaderMap,
    ) -> bool {
        trusted.contains(peer) && protocol_is_tls(headers) == Some(true)
    }

    fn resolve(web: &Web, request: &Request) -> Self {
        let (extensions, headers) = (request.extensions(), request.headers());
        let peer = extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(address)| address.ip().to_canonical());
        let by_proxy = peer.is_some_and(|peer| web.trusted_proxies.contains(peer));
        if let Some(peer) = peer
            && !by_proxy
            && headers.contains_key(FORWARDED_FOR)
        {
            log_untrusted(peer);
        }
        let forwarded_tls = by_proxy.then(|| protocol_is_tls(headers)).flatten();
        Self {
            address: peer.map(|peer| client_from_forwarded(&web.trusted_proxies, peer, headers)),
            tls: forwarded_tls.unwrap_or(web.tls),
            plain_http: forwarded_tls.map_or(web.plain_http, |tls| !tls),
            by_proxy,
            port: visible_port(web, request),
        }
    }

    /// The client of the request with these extensions.
    pub(super) fn of(extensions: &Extensions) -> Self {
        // The outermost layer inserted it. Without that layer, the address is unknown and the connection insecure.
        extensions.get().copied().unwrap_or(Self {
            address: None,
            tls: false,
            plain_http: true,
            by_proxy: false,
            port: None,
        })
    }
}

/// Logs a probably missing setting, once per process: any client can send this header.
fn log_untrusted(peer: IpAddr) {
    static LOGGED: Once = Once::new();
    LOGGED.call_once(|| {
        tracing::warn!(
            %peer,
            "X-Forwarded-For is ignored: it came from an address that AGENT_KEYS_TRUSTED_PROXIES does not name"
        );
    });
}

/// Inserts the [`ClientInfo`] for the layers below.
pub(super) async fn resolve(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let client = ClientInfo::resolve(&web, &request);
    request.extensions_mut().insert(client);
    next.run(request).await
}

/// The port of `AGENT_KEYS_PUBLIC_URL`, or else of `Host`.
fn visible_port(web: &Web, request: &Request) -> Option<u16> {
    let port = match &web.public_url {
        Some(url) => url.port(),
        None => {
            let host = request.headers().get(HOST);
            let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
            // HTTP/2 has the host in the address.
            let authority = host.as_ref().or(request.uri().authority());
            authority.and_then(Authority::port_u16)
        }
    };
    port.filter(|port| !matches!(port, 80 | 443))
}

/// Returns the first address, counted from the peer, that is not a trusted proxy. A hop that is not an address ends the
/// search.
pub(super) fn client_from_forwarded(
    trusted: &TrustedProxies,
    peer: IpAddr,
    headers: &HeaderMap,
) -> IpAddr {
    let values = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut hops = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    let mut address = peer;
    while trusted.contains(address) {
        let Some(next) = hops.next().and_then(parse_hop) else {
            break;
        };
        address = next;
    }
    address
}

/// Parses an address. Some proxies append the port.
fn parse_hop(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().or_else(|_| with_port()).ok()?;
    Some(address.to_canonical())
}

/// Returns true if the last `X-Forwarded-Proto`, which the nearest proxy appended, is `https`.
fn protocol_is_tls(headers: &HeaderMap) -> Option<bool> {
    let last = headers.get_all(FORWARDED_PROTO).iter().next_back()?;
    let word = last.to_str().ok()?.rsplit(',').next()?.trim();
    match word.to_ascii_lowercase().as_str() {
        "https" => Some(true),
        "http" => Some(false),
        _ => None,
    }
}
