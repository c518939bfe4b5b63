//! Short description of a browser, from its `User-Agent`.
//!
//! The header is untrusted text. Only words listed here are kept, or a program's name in plain letters.

/// Longest name of a program that is not listed.
const NAME_CHARACTERS_MAX: usize = 32;

/// Browsers by their token in the header. Those that also claim to be another come first.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
];

/// Operating systems, in the same way.
const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

/// Describes the browser, for example “Firefox on Linux”; `None` if nothing in the header is recognised.
pub fn describe(user_agent: &str) -> Option<String> {
    let find = |words: &[(&str, &'static str)]| {
        words
            .iter()
            .find(|(word, _)| user_agent.contains(word))
            .map(|(_, name)| *name)
    };
    let safari = || (user_agent.contains("Safari/")).then_some("Safari");
    let browser = find(&BROWSERS).or_else(safari);
    let system = find(&SYSTEMS);
    match (browser, system) {
        (Some(browser), Some(system)) => Some(format!("{browser} on {system}")),
        (Some(browser), None) => Some(browser.to_owned()),
        (None, Some(system)) => Some(format!("A browser on {system}")),
        (None, None) => program(user_agent),
    }
}

/// Returns the name before the version, for example `curl` of `curl/8.14.1`.
fn program(user_agent: &str) -> Option<String> {
    let name = user_agent.split(['/', ' ']).next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_name = !name.is_empty() && name.len() <= NAME_CHARACTERS_MAX && name.chars().all(plain);
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn known_browsers_and_systems_are_named() {
        let mozilla = "Mozilla/5.0";
        let like = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (said, called) in [
            (
                format!("{mozilla} (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
                "Firefox on Linux",
            ),
            (
                format!(
                    "{mozilla} (Windows NT 10.0; Win64; x64) {like} Chrome/142.0.0.0 Safari/537.36"
                ),
                "Chrome on Windows",
            ),
            (
                format!(
                    "{mozilla} (Windows NT 10.0) {like} Chrome/142.0.0.0 Safari/537.36 Edg/142.0"
                ),
                "Edge on Windows",
            ),
            (
                format!(
                    "{mozilla} (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.5 Safari/605.1.15"
                ),
                "Safari on macOS",
            ),
            (
                format!(
                    "{mozilla} (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile Safari/604.1"
                ),
                "Safari on iPhone",
            ),
            (
                format!(
                    "{mozilla} (Linux; Android 15) {like} Chrome/142.0.0.0 Mobile Safari/537.36"
                ),
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (X11; Linux) Something".to_owned(),
                "A browser on Linux",
            ),
            ("curl/8.14.1".to_owned(), "curl"),
        ] {
            assert_eq!(describe(&said).as_deref(), Some(called), "{said}");
        }
    }

    #[test]
    fn unlisted_text_is_not_kept() {
        for said in [
            "",
            " ",
            "<script>alert(1)</script>",
            "a\u{202e}b",
            &"x".repeat(33),
        ] {
            assert_eq!(describe(said), None, "{said}");
        }
        assert_eq!(
            describe("<b>Firefox/1</b> Linux").as_deref(),
            Some("Firefox on Linux")
        );
    }
}
