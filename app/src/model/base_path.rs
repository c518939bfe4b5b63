//! Base path: the path below which all addresses are.

use std::sync::Arc;

/// Maximum length. A longer path would leave too little room in cookies and logs.
const BYTES_MAX: usize = 100;

/// First segments of the application's own paths. A base path that starts with one would be ambiguous.
const TAKEN: [&str; 6] = [
    "api",
    "health",
    "login",
    "pkg",
    "reauthenticate",
    "settings",
];

/// Path below which all addresses are, for a host name shared with other applications, for example `/agent-keys`.
///
/// Empty by default. Starts with `/` and does not end with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasePath(Arc<str>);

/// Error for an invalid base path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotABasePath;

impl Default for BasePath {
    fn default() -> Self {
        Self("".into())
    }
}

impl BasePath {
    /// Parses segments of lower-case letters, digits, `-` and `_`, each after a `/`. Ignores a `/` at the end.
    ///
    /// Capitals are rejected, because the router's forms send them in lower case.
    pub fn parse(text: &str) -> Result<Self, NotABasePath> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let is_part = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
                })
        };
        let is_base_path = text.starts_with('/')
            && path.len() <= BYTES_MAX
            && path.split('/').skip(1).all(is_part)
            && !path
                .split('/')
                .nth(1)
                .is_some_and(|first| TAKEN.contains(&first));
        if is_base_path {
            Ok(Self(path.into()))
        } else {
            Err(NotABasePath)
        }
    }

    /// Returns the prefix of every address: empty, or such as `/agent-keys`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Prepends the base path.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Removes the base path from an address; `None` if the address is not below it. The base path without a `/` at its end
    /// leaves an empty path.
    pub fn strip<'a>(&self, address: &'a str) -> Option<&'a str> {
        let rest = address.strip_prefix(&*self.0)?;
        let is_below = rest.is_empty() || rest.starts_with(['/', '?']);
        is_below.then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_path_has_segments_of_plain_characters() {
        for (text, path) in [
            ("/", ""),
            ("/agent-keys", "/agent-keys"),
            ("/agent-keys/", "/agent-keys"),
            ("/observability/keys_2", "/observability/keys_2"),
        ] {
            assert_eq!(BasePath::parse(text).unwrap().as_str(), path, "{text}");
        }
        let long = format!("/{}", "a".repeat(BYTES_MAX));
        for text in [
            "",
            "agent-keys",
            "//",
            "/a//b",
            "//evil.example",
            "/..",
            "/a.b",
            "/Keys",
            "/a b",
            "/a%20b",
            "/a?b",
            "/a\n",
            "/é",
            "/settings",
            "/api/keys",
            &long,
        ] {
            assert_eq!(BasePath::parse(text), Err(NotABasePath), "{text:?}");
        }
    }

    #[test]
    fn only_addresses_below_the_base_path_are_stripped() {
        let keys = BasePath::parse("/keys").unwrap();
        assert_eq!(keys.strip("/keys/login"), Some("/login"));
        assert_eq!(keys.strip("/keys?a=b"), Some("?a=b"));
        assert_eq!(keys.strip("/keys"), Some(""));
        assert_eq!(keys.strip("/keysettings"), None);
        assert_eq!(keys.strip("/login"), None);
        assert_eq!(BasePath::default().strip("/login"), Some("/login"));
        assert_eq!(keys.join("/login"), "/keys/login");
    }
}
