//! Settings of the APM integration, and the keys that count against APM Server's limit.
//!
//! The settings are stored here. The fragment of `apm-server.yml` on the page applies them to APM Server.

use serde::{Deserialize, Serialize};
use std::fmt;

/// APM Server's own default for the limit of unique keys.
pub const LIMIT_DEFAULT: u32 = 100;
/// The highest limit that can be set here.
pub const LIMIT_MAX: u32 = 10_000_000;

/// The settings of the APM integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApmSettings {
    /// Where agents send their data; `None` until somebody sets it.
    pub server_url: Option<ServerUrl>,
    /// Whether APM Server accepts API keys.
    pub api_key_enabled: bool,
    /// How many unique keys APM Server remembers per minute; more are refused. 1 to [`LIMIT_MAX`].
    pub api_key_limit: u32,
}

impl Default for ApmSettings {
    fn default() -> Self {
        Self {
            server_url: None,
            api_key_enabled: false,
            api_key_limit: LIMIT_DEFAULT,
        }
    }
}

/// The address of APM Server: `http` or `https`, a host, no user, no query, no trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerUrl(String);

/// Why a text is not APM Server's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerUrlError {
    /// It does not begin with `http://` or `https://`.
    Scheme,
    /// There is no host, or it holds characters that no host has.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// It carries a user, a query or a fragment.
    Extra,
    /// Over 2,000 characters.
    TooLong,
}

impl ServerUrl {
    /// Reads an address.
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

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a key sent there can be read on the way.
    pub fn is_plain_text(&self) -> bool {
        self.0.starts_with("http://")
    }
}

impl TryFrom<String> for ServerUrl {
    type Error = ServerUrlError;

    fn try_from(text: String) -> Result<Self, ServerUrlError> {
        Self::parse(&text)
    }
}

impl From<ServerUrl> for String {
    fn from(url: ServerUrl) -> Self {
        url.0
    }
}

impl fmt::Display for ServerUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "Begin with https:// or http://.",
            Self::Host => "Enter a host name, for example https://apm.example.com:8200.",
            Self::Port => "The port is a number from 1 to 65535.",
            Self::Extra => "Leave out user names, “?” and “#”.",
            Self::TooLong => "Use at most 2,000 characters.",
        })
    }
}

/// What is wrong with the form, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApmSettingsErrors {
    /// The address cannot be used.
    pub server_url: Option<ServerUrlError>,
    /// The limit is not a whole number from 1 to [`LIMIT_MAX`].
    pub limit: bool,
}

/// Everything the page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApmIntegration {
    /// As saved.
    pub settings: ApmSettings,
    /// How many keys count for the limit now.
    pub active_keys: KeysInUse,
    /// Where APM Server finds Elasticsearch to check keys. In embedded mode this must stand in the fragment.
    pub elasticsearch_url: String,
    /// Whether it is the embedded engine.
    pub embedded: bool,
}

impl ApmIntegration {
    /// The limit that holds every key twice, as during a rotation. `None` where no key may be seen.
    pub fn recommended_limit(&self) -> Option<RecommendedLimit> {
        RecommendedLimit::of(self.active_keys)
    }
}

/// A limit to set. As text: the number, with “at least” where keys may not be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecommendedLimit {
    /// The limit that holds the keys that are counted.
    pub limit: u32,
    /// True if there may be more keys.
    pub at_least: bool,
}

impl RecommendedLimit {
    /// For these keys, unless none of them may be seen.
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
        write!(f, "{at_least}{}", self.limit)
    }
}

/// The limit that holds `active_keys` twice, rounded up to the next ten, and never less than APM Server's own default.
pub fn recommended_limit(active_keys: u64) -> u32 {
    let twice = active_keys
        .saturating_mul(2)
        .div_ceil(10)
        .saturating_mul(10);
    u32::try_from(twice)
        .unwrap_or(LIMIT_MAX)
        .clamp(LIMIT_DEFAULT, LIMIT_MAX)
}

/// Keys that grant privileges of `apm` without our or Kibana's mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MadeElsewhere {
    /// Elasticsearch before 8.5 does not tell what a key grants.
    #[default]
    NotTold,
    /// Elasticsearch refused to list them, or could not.
    Failed,
    /// So many were found.
    Counted {
        /// All of them, whatever their status.
        total: u64,
        /// Those that work now.
        active: u64,
        /// True if every key was read. If not, there may be more.
        all_read: bool,
    },
}

impl MadeElsewhere {
    /// Those that work now, as far as they are known.
    pub fn active(self) -> u64 {
        match self {
            Self::NotTold | Self::Failed => 0,
            Self::Counted { active, .. } => active,
        }
    }

    /// All of them, as far as they are known.
    pub fn total(self) -> u64 {
        match self {
            Self::NotTold | Self::Failed => 0,
            Self::Counted { total, .. } => total,
        }
    }
}

/// How many keys count for APM Server's limit, as far as a person may see them. As text: the number, with “At least”
/// where there may be more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysInUse {
    /// Those that were counted.
    pub counted: u64,
    /// Why there may be more.
    pub uncounted: Option<Uncounted>,
}

/// Why keys are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Uncounted {
    /// The person may not see any key.
    Hidden,
    /// The person may see only their own.
    OtherOwners,
    /// Elasticsearch before 8.5 does not tell what a key grants.
    MadeElsewhere,
    /// Keys without the mark could not be listed.
    Failed,
    /// There are more keys without the mark than are read.
    TooMany,
}

impl KeysInUse {
    /// The keys of a person who may not see any.
    pub const HIDDEN: Self = Self {
        counted: 0,
        uncounted: Some(Uncounted::Hidden),
    };

    /// `marked` keys that work now, and those made elsewhere.
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

    /// The same, after another key was made.
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
        write!(f, "{at_least}{}", self.counted)
    }
}

impl fmt::Display for Uncounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hidden => "You may not see any keys, so none are counted.",
            Self::OtherOwners => "Only your own keys are counted.",
            Self::MadeElsewhere => {
                "Keys made elsewhere are not counted: Elasticsearch does not tell what they grant."
            }
            Self::Failed => "Keys made elsewhere could not be counted.",
            Self::TooMany => "There are too many keys to look at all of them.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_scheme_host_and_nothing_secret() {
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
    fn the_recommended_limit_holds_every_key_twice() {
        assert_eq!(recommended_limit(0), 100);
        assert_eq!(recommended_limit(50), 100);
        assert_eq!(recommended_limit(51), 110);
        assert_eq!(recommended_limit(128), 260);
        assert_eq!(recommended_limit(u64::MAX), LIMIT_MAX);
    }
}
