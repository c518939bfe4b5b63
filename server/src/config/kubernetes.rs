//! Environment variables that Kubernetes sets in every pod for a Service named `agent-keys`, or whose name begins so.
//! They share our prefix and are no settings.

use std::net::{IpAddr, SocketAddr};

/// Returns true for a variable of Kubernetes with a value of its shape. `name` is what follows `AGENT_KEYS_`.
///
/// For a Service with port 5680 they are `SERVICE_HOST`, `SERVICE_PORT`, `SERVICE_PORT_<NAME>`, `PORT`,
/// `PORT_5680_TCP`, and the latter with `_PROTO`, `_PORT` and `_ADDR`. A Service named `agent-keys-engine` has its own
/// name between the prefix and these.
pub(super) fn sets(name: &str, value: &str) -> bool {
    let is_port = value.parse::<u16>().is_ok();
    let is_host = value.parse::<IpAddr>().is_ok();
    if is_host && ends_with(name, "SERVICE_HOST") {
        return true;
    }
    if is_port && (ends_with(name, "SERVICE_PORT") || has_word(name, "SERVICE_PORT_")) {
        return true;
    }
    if is_endpoint(value) && ends_with(name, "PORT") {
        return true;
    }
    let Some((number, rest)) = port_and_rest(name) else {
        return false;
    };
    let Some((protocol, part)) = ["TCP", "UDP", "SCTP"]
        .into_iter()
        .find_map(|protocol| Some((protocol, rest.strip_prefix(protocol)?)))
    else {
        return false;
    };
    match part {
        "" => is_endpoint(value),
        "_PROTO" => value.eq_ignore_ascii_case(protocol),
        "_PORT" => value == number,
        "_ADDR" => is_host,
        _ => false,
    }
}

/// An address such as `tcp://10.0.0.1:5680`.
fn is_endpoint(value: &str) -> bool {
    value.split_once("://").is_some_and(|(protocol, address)| {
        matches!(protocol, "tcp" | "udp" | "sctp") && address.parse::<SocketAddr>().is_ok()
    })
}

fn ends_with(name: &str, words: &str) -> bool {
    let before = name.strip_suffix(words);
    before.is_some_and(|before| before.is_empty() || before.ends_with('_'))
}

fn has_word(name: &str, words: &str) -> bool {
    name.starts_with(words) || name.contains(&format!("_{words}"))
}

/// The number in a name such as `PORT_5680_TCP_ADDR`, and what follows it.
fn port_and_rest(name: &str) -> Option<(&str, &str)> {
    let at = match name.strip_prefix("PORT_") {
        Some(rest) => rest,
        None => name.split_once("_PORT_")?.1,
    };
    let (number, rest) = at.split_once('_')?;
    number.parse::<u16>().is_ok().then_some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::sets;

    #[test]
    fn variables_of_a_service_are_recognised() {
        for (name, value) in [
            ("SERVICE_HOST", "10.96.0.7"),
            ("SERVICE_HOST", "fd00::7"),
            ("SERVICE_PORT", "5680"),
            ("SERVICE_PORT_WEB", "5680"),
            ("PORT", "tcp://10.96.0.7:5680"),
            ("PORT", "tcp://[fd00::7]:5680"),
            ("PORT_5680_TCP", "tcp://10.96.0.7:5680"),
            ("PORT_5680_TCP_PROTO", "tcp"),
            ("PORT_5680_TCP_PORT", "5680"),
            ("PORT_5680_TCP_ADDR", "10.96.0.7"),
            ("PORT_53_UDP", "udp://10.96.0.7:53"),
            ("ENGINE_SERVICE_HOST", "10.96.0.8"),
            ("ENGINE_SERVICE_PORT_ES", "9200"),
            ("ENGINE_PORT_9200_TCP_ADDR", "10.96.0.8"),
            ("ENGINE_PORT", "tcp://10.96.0.8:9200"),
        ] {
            assert!(sets(name, value), "{name}={value}");
        }
    }

    #[test]
    fn other_names_and_other_values_are_mistakes() {
        for (name, value) in [
            ("SERVICE_HOST", "keys.example.com"),
            ("SERVICE_PORT", "http"),
            ("SERVICE_PORT", "70000"),
            ("SERVICE_USER", "10.96.0.7"),
            ("PORT", "5680"),
            ("PORT", "127.0.0.1:5680"),
            ("SUPPORT", "tcp://10.96.0.7:5680"),
            ("PORT_5680_TCP", "5680"),
            ("PORT_5680_TCP_PORT", "5681"),
            ("PORT_5680_TCP_ADR", "10.96.0.7"),
            ("PORT_5680_HTTP", "tcp://10.96.0.7:5680"),
            ("LISTN", "10.96.0.7"),
        ] {
            assert!(!sets(name, value), "{name}={value}");
        }
    }
}
