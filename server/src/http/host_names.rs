//! Host names for which the listeners answer.
//!
//! A page of another site can point its own name at this machine (DNS rebinding), and its script would then be of the
//! same origin as ours. Over plain HTTP a listener therefore answers for addresses, for names that cannot be registered,
//! and for those of the settings. With TLS the certificate has the same effect.

use super::{Web, client_addr::ClientInfo};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, Uri, header::HOST};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// Explanation for the operator, whose own name it may be.
const REFUSAL: &str = "Agent Keys does not answer for this host name. If it is yours, name it in AGENT_KEYS_PUBLIC_URL \
                       or AGENT_KEYS_HOST_NAMES.\n";
/// Ends of names that cannot be registered: of this machine, of the local network, and of Kubernetes.
const UNREGISTERED: [&str; 5] = [".localhost", ".local", ".internal", ".home.arpa", ".svc"];

/// Names of the settings, in lower case.
#[derive(Clone, Debug, Default)]
pub struct HostNames(Arc<[String]>);

impl HostNames {
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(
            names
                .into_iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
        )
    }

    /// Returns true if the request names no other host. One without a name comes from no browser.
    pub(super) fn answer(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let named = headers.get_all(HOST).iter().map(|value| value.as_bytes());
        let mut named = named.chain(uri.authority().map(|name| name.as_str().as_bytes()));
        named.all(|name| name.is_empty() || self.contains(name))
    }

    /// Returns true for one of our hosts, with or without a port.
    fn contains(&self, name: &[u8]) -> bool {
        let Ok(name) = std::str::from_utf8(name) else {
            return false;
        };
        let bare = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if name.parse::<SocketAddr>().is_ok() || bare.unwrap_or(name).parse::<IpAddr>().is_ok() {
            return true;
        }
        let (host, port) = name.split_once(':').unwrap_or((name, ""));
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if host.is_empty()
            || !host.bytes().all(allowed)
            || port.contains(|c: char| !c.is_ascii_digit())
        {
            return false;
        }
        // A name without a dot is of this machine or network, such as a container's.
        !host.contains('.')
            || UNREGISTERED.iter().any(|end| host.ends_with(end))
            || self.0.contains(&host)
    }
}

/// Refuses a request for a host name that is not ours. Health checks are answered for every name.
pub(super) async fn refuse_unknown(
    State(web): State<Web>,
    request: Request,
    next: Next,
) -> Response {
    let is_encrypted = ClientInfo::of(request.extensions()).tls;
    let is_probe = request.uri().path().starts_with("/health/");
    if is_encrypted || is_probe || web.host_names.answer(request.uri(), request.headers()) {
        return next.run(request).await;
    }
    (StatusCode::MISDIRECTED_REQUEST, REFUSAL).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_that_are_ours_are_answered() {
        let names = HostNames::new(["Keys.Example.com".to_owned()]);
        let ours = [
            "127.0.0.1",
            "127.0.0.1:5680",
            "[::1]:5680",
            "192.0.2.1",
            "localhost:5680",
            "LOCALHOST",
            "keys.localhost",
            "keys.example.com",
            "KEYS.example.com.:443",
            "agent-keys:9200",
            "agent-keys.tools.svc.cluster.local",
        ];
        let others = [
            "evil.example",
            "evil.example:5680",
            "keys.example.com.evil.example",
            "xkeys.example.com",
            "www.keys.example.com",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1.nip.io",
            "notlocalhost.example",
            "evil.example@localhost.example",
            "[::1].evil.example",
            "evil.example,localhost",
            "\u{2122}.example",
            " ",
        ];
        for name in ours {
            assert!(names.contains(name.as_bytes()), "{name}");
        }
        for name in others {
            assert!(!names.contains(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn every_name_of_a_request_counts() {
        let names = HostNames::default();
        let headers = |hosts: &[&'static str]| {
            let hosts = hosts.iter().map(|host| (HOST, host.parse().unwrap()));
            hosts.collect::<HeaderMap>()
        };
        let (path, ours, other): (Uri, Uri, Uri) = (
            "/login".parse().unwrap(),
            "http://localhost/login".parse().unwrap(),
            "http://evil.example/login".parse().unwrap(),
        );
        assert!(names.answer(&path, &headers(&[])));
        assert!(names.answer(&path, &headers(&["localhost"])));
        assert!(names.answer(&ours, &headers(&["localhost"])));
        assert!(!names.answer(&path, &headers(&["evil.example"])));
        assert!(!names.answer(&other, &headers(&["localhost"])));
        assert!(!names.answer(&ours, &headers(&["evil.example"])));
        let mut both = headers(&["localhost"]);
        both.append(HOST, "evil.example".parse().unwrap());
        assert!(!names.answer(&path, &both));
    }
}
