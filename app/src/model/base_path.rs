//! The path below which all addresses are.

use std::sync::Arc;

/// Longer ones leave too little of what cookies and logs hold.
const BYTES_MAX: usize = 100;

/// First parts of addresses of our own: below them, a path with the base and one without could not be told apart.
const TAKEN: [&str; 6] = [
    "api",
    "health",
    "login",
    "pkg",
    "reauthenticate",
    "settings",
];

/// The path below which all addresses are, where a host name is shared with other applications: `/agent-keys`, for
/// example. Empty by default. It starts with `/` and does not end with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasePath(Arc<str>);

/// The text is no base path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotABasePath;

impl Default for BasePath {
    fn default() -> Self {
        Self("".into())
    }
}

impl BasePath {
    /// Reads parts of small letters, digits, `-` and `_`, each after a `/`. A `/` at the end makes no difference.
    ///
    /// No capitals: the router's forms send them in small letters.
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

    /// As it stands before every address: empty, or such as `/agent-keys`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address in the browser of what is at `path` of ours.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// What is left of an address in the browser, or `None` of one that is not below this path. Without the `/` at its
    /// end, the base path itself leaves nothing.
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
    fn a_base_path_is_parts_of_plain_characters() {
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
    fn only_what_is_below_is_stripped() {
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
