//! Settings of the APM integration, and the keys that count against APM Server's limit.
//!
//! The settings are stored here. The fragment of `apm-server.yml` on the page applies them to APM Server.

use super::text::grouped;
use serde::{Deserialize, Serialize};
use std::fmt;

/// APM Server's default limit of unique keys.
pub const LIMIT_DEFAULT: u32 = 100;
/// Maximum limit that can be set here.
pub const LIMIT_MAX: u32 = 10_000_000;

/// The settings of the APM integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApmSettings {
    /// Address of APM Server; `None` until it is set.
    pub server_url: Option<ServerUrl>,
    /// True if APM Server accepts API keys.
    pub api_key_enabled: bool,
    /// Unique keys that APM Server accepts per minute, from 1 to [`LIMIT_MAX`]. It refuses keys beyond the limit.
    pub api_key_limit: u32,
    /// Active keys that a user may own, from 1 to [`LIMIT_MAX`]; `None` for no limit. At the limit, a new key is refused.
    pub keys_per_user_max: Option<u32>,
}

impl Default for ApmSettings {
    fn default() -> Self {
        Self {
            server_url: None,
            api_key_enabled: false,
            api_key_limit: LIMIT_DEFAULT,
            keys_per_user_max: None,
        }
    }
}

/// The address of APM Server: `http` or `https`, a host, no user, no query, no trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerUrl(String);

/// Reason for rejecting an address of APM Server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerUrlError {
    Scheme,
    /// The host is missing or has invalid characters.
    Host,
    Port,
    /// There is a user, a query or a fragment.
    Extra,
    /// More than 2,000 characters.
    TooLong,
}

impl ServerUrl {
    pub fn parse(text: &str) -> Result<Self, ServerUrlError> {
        let text = text.trim().trim_end_matches('/');
        if text.len() > 2_000 {
            return Err(ServerUrlError::TooLong);
        }
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or(ServerUrlError::Scheme)?;
        if rest.contains(['@', '?', '#']) {
            return Err(ServerUrlError::Extra);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']').ok_or(ServerUrlError::Host)?;
                if host.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err(ServerUrlError::Host);
                }
                (host, after)
            }
            None => match authority.find(':') {
                Some(colon) => authority.split_at(colon),
                None => (authority, ""),
            },
        };
        let host_ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(host_ok) {
            return Err(ServerUrlError::Host);
        }
        let port_ok = match port.strip_prefix(':') {
            Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0),
            None => port.is_empty(),
        };
        if !port_ok {
            return Err(ServerUrlError::Port);
        }
        let path_ok = |c: char| c.is_ascii_alphanumeric() || "/-._~%!$&'()*+,;=:".contains(c);
        if !path.chars().all(path_ok) {
            return Err(ServerUrlError::Host);
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns true if the connection is not encrypted, so that keys can be read on the way.
    pub fn is_plain_text(&self) -> bool {
        self.0.starts_with("http://")
    }
}

string_newtype!(ServerUrl, ServerUrlError, ServerUrl::parse);

impl fmt::Display for ServerUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "Begin with https:// or http://.",
            Self::Host => "Enter a host name, for example https://apm.example.com:8200.",
            Self::Port => "Enter a port from 1 to 65535.",
            Self::Extra => "Remove user names, “?” and “#”.",
            Self::TooLong => "Use at most 2,000 characters.",
        })
    }
}

/// Validation errors of the form, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApmSettingsErrors {
    pub server_url: Option<ServerUrlError>,
    /// True if the limit is not an integer from 1 to [`LIMIT_MAX`].
    pub limit: bool,
    /// True if the limit for a user is neither empty nor such an integer.
    pub keys_per_user: bool,
}

/// Parses a limit: an integer from 1 to [`LIMIT_MAX`].
pub fn parse_limit(text: &str) -> Option<u32> {
    let limit = text.trim().parse().ok()?;
    (1..=LIMIT_MAX).contains(&limit).then_some(limit)
}

/// Content of the page “APM integration”.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApmIntegration {
    pub settings: ApmSettings,
    /// Keys that count against the limit.
    pub active_keys: KeysInUse,
    /// Address of Elasticsearch for APM Server. With the embedded engine, the fragment must name it.
    pub elasticsearch_url: String,
    /// True for the embedded engine.
    pub embedded: bool,
}

impl ApmIntegration {
    /// Returns the limit that fits every key twice, as during a rotation. `None` if the user may not see any key.
    pub fn recommended_limit(&self) -> Option<RecommendedLimit> {
        RecommendedLimit::of(self.active_keys)
    }
}

/// A recommended limit. Displays as the number, with “at least” if some keys are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecommendedLimit {
    /// Limit for the counted keys.
    pub limit: u32,
    /// True if some keys may not be counted.
    pub at_least: bool,
}

impl RecommendedLimit {
    /// Returns `None` if the user may not see any key.
    pub fn of(keys: KeysInUse) -> Option<Self> {
        (keys != KeysInUse::HIDDEN).then(|| Self {
            limit: recommended_limit(keys.counted),
            at_least: keys.uncounted.is_some(),
        })
    }
}

impl fmt::Display for RecommendedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_least = if self.at_least { "at least " } else { "" };
        write!(f, "{at_least}{}", grouped(self.limit.into()))
    }
}

/// Returns twice `active_keys`, rounded up to tens, and at least APM Server's default.
pub fn recommended_limit(active_keys: u64) -> u32 {
    let twice = active_keys
        .saturating_mul(2)
        .div_ceil(10)
        .saturating_mul(10);
    u32::try_from(twice)
        .unwrap_or(LIMIT_MAX)
        .clamp(LIMIT_DEFAULT, LIMIT_MAX)
}

/// Counts of keys with privileges for `apm` that neither this application nor Kibana marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MadeElsewhere {
    /// Elasticsearch before 8.5 does not return what a key grants.
    #[default]
    NotTold,
    /// Elasticsearch refused or failed to list them.
    Failed,
    Counted {
        /// Keys of any status.
        total: u64,
        /// Active keys.
        active: u64,
        /// True if all keys were read; otherwise there may be more.
        all_read: bool,
    },
}

impl MadeElsewhere {
    /// Returns the known active keys.
    pub fn active(self) -> u64 {
        match self {
            Self::NotTold | Self::Failed => 0,
            Self::Counted { active, .. } => active,
        }
    }

    /// Returns the known keys of any status.
    pub fn total(self) -> u64 {
        match self {
            Self::NotTold | Self::Failed => 0,
            Self::Counted { total, .. } => total,
        }
    }
}

/// Keys that count against APM Server's limit and that the user may see. Displays as the number, with “At least” if
/// there may be more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysInUse {
    /// Number of counted keys.
    pub counted: u64,
    /// Reason why there may be more.
    pub uncounted: Option<Uncounted>,
}

/// Reason why some keys are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Uncounted {
    /// The user may not see any key.
    Hidden,
    /// The user may see only their own keys.
    OtherOwners,
    /// Elasticsearch before 8.5 does not return what a key grants.
    MadeElsewhere,
    /// Unmarked keys could not be listed.
    Failed,
    /// There are more unmarked keys than are read.
    TooMany,
}

impl KeysInUse {
    /// Count for a user who may not see any key.
    pub const HIDDEN: Self = Self {
        counted: 0,
        uncounted: Some(Uncounted::Hidden),
    };

    /// Adds the active unmarked keys to the `marked` ones.
    pub fn of(marked: u64, elsewhere: MadeElsewhere, counts_everybody: bool) -> Self {
        let uncounted = match elsewhere {
            _ if !counts_everybody => Some(Uncounted::OtherOwners),
            MadeElsewhere::NotTold => Some(Uncounted::MadeElsewhere),
            MadeElsewhere::Failed => Some(Uncounted::Failed),
            MadeElsewhere::Counted {
                all_read: false, ..
            } => Some(Uncounted::TooMany),
            MadeElsewhere::Counted { all_read: true, .. } => None,
        };
        Self {
            counted: marked + elsewhere.active(),
            uncounted,
        }
    }

    /// Returns the count with one more key.
    pub fn and_one_more(self) -> Self {
        Self {
            counted: self.counted.saturating_add(1),
            ..self
        }
    }
}

impl fmt::Display for KeysInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_least = if self.uncounted.is_some() {
            "At least "
        } else {
            ""
        };
        write!(f, "{at_least}{}", grouped(self.counted))
    }
}

impl fmt::Display for Uncounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hidden => "You do not have permission to see keys, so none are counted.",
            Self::OtherOwners => "Only your own keys are counted.",
            Self::MadeElsewhere => {
                "Keys made elsewhere are not counted: Elasticsearch does not report their privileges."
            }
            Self::Failed => "Keys made elsewhere could not be counted.",
            Self::TooMany => "There are too many keys to count all of them.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_url_needs_scheme_and_host_and_holds_no_secret() {
        for text in [
            "https://apm.example.com:8200",
            "http://localhost:8200",
            "https://[::1]:8200",
            "https://apm.example.com/apm/one",
        ] {
            assert_eq!(ServerUrl::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(
            ServerUrl::parse("https://a.b/").unwrap().as_str(),
            "https://a.b"
        );
        assert_eq!(
            ServerUrl::parse("apm.example.com:8200"),
            Err(ServerUrlError::Scheme)
        );
        assert_eq!(
            ServerUrl::parse("javascript:alert(1)"),
            Err(ServerUrlError::Scheme)
        );
        assert_eq!(ServerUrl::parse("https://"), Err(ServerUrlError::Scheme));
        assert_eq!(ServerUrl::parse("https://a b"), Err(ServerUrlError::Host));
        assert_eq!(ServerUrl::parse("https://a:0"), Err(ServerUrlError::Port));
        assert_eq!(
            ServerUrl::parse("https://a:65536"),
            Err(ServerUrlError::Port)
        );
        assert_eq!(
            ServerUrl::parse("https://u:p@a"),
            Err(ServerUrlError::Extra)
        );
    }

    #[test]
    fn limit_is_a_whole_number_from_one() {
        assert_eq!(parse_limit(" 260 "), Some(260));
        for text in ["", "0", "-1", "1.5", "1e3", "10000001", "1,000"] {
            assert_eq!(parse_limit(text), None, "{text}");
        }
    }

    #[test]
    fn recommended_limit_fits_every_key_twice() {
        assert_eq!(recommended_limit(0), 100);
        assert_eq!(recommended_limit(50), 100);
        assert_eq!(recommended_limit(51), 110);
        assert_eq!(recommended_limit(128), 260);
        assert_eq!(recommended_limit(u64::MAX), LIMIT_MAX);
    }
}
