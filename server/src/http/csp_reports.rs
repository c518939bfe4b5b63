//! Reports of browsers about what the Content Security Policy blocked. Anybody may send one, so a report is counted, and
//! the first, the second, the fourth and so on are logged, cut to a length and without queries.

use super::Web;
use axum::{body::Bytes, extract::State};
use http::StatusCode;
use serde::Deserialize;
use url::Url;

/// Path of the reports, below the base path.
pub(super) const PATH: &str = "/csp-reports";
/// A browser's reports of one page.
const BYTES_MAX: usize = 16 * 1_024;
const CHARACTERS_MAX: usize = 200;

/// The two forms of a body: of `report-uri`, and of `report-to`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    One {
        #[serde(rename = "csp-report")]
        report: Report,
    },
    Several(Vec<Entry>),
}

#[derive(Deserialize)]
struct Entry {
    body: Report,
}

#[derive(Deserialize)]
struct Report {
    #[serde(
        rename = "effective-directive",
        alias = "effectiveDirective",
        alias = "violated-directive"
    )]
    directive: String,
    #[serde(rename = "blocked-uri", alias = "blockedURL", default)]
    blocked: String,
    #[serde(rename = "document-uri", alias = "documentURL", default)]
    page: String,
}

/// Takes the reports of a page.
pub(super) async fn receive(State(web): State<Web>, body: Bytes) -> StatusCode {
    if body.len() > BYTES_MAX {
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    let reports = match serde_json::from_slice(&body) {
        Ok(Body::One { report }) => vec![report],
        Ok(Body::Several(entries)) => entries.into_iter().map(|entry| entry.body).collect(),
        Err(_) => return StatusCode::BAD_REQUEST,
    };
    for report in reports {
        let count = web.state.metrics.csp_report();
        if count.is_power_of_two() {
            tracing::warn!(
                count,
                directive = cut(&report.directive),
                blocked = place(&report.blocked),
                page = place(&report.page),
                "a browser reports that the Content Security Policy blocked something"
            );
        }
    }
    StatusCode::NO_CONTENT
}

/// An address without its query and fragment, which may hold what a user typed. A word such as `inline` stays.
fn place(address: &str) -> String {
    match Url::parse(address) {
        Ok(mut url) => {
            url.set_query(None);
            url.set_fragment(None);
            // Fails for addresses that have neither.
            let _ = (url.set_username(""), url.set_password(None));
            cut(url.as_str())
        }
        Err(_) => cut(address),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_a_report_loses_query_user_and_length() {
        let rows = [
            ("inline", "inline"),
            (
                "https://evil.example/a.js?token=1#x",
                "https://evil.example/a.js",
            ),
            ("https://user:secret@evil.example/", "https://evil.example/"),
            (
                "data:text/javascript,alert(1)",
                "data:text/javascript,alert(1)",
            ),
        ];
        for (address, expected) in rows {
            assert_eq!(place(address), expected);
        }
        let long = format!("https://evil.example/{}", "a".repeat(1_000));
        assert_eq!(place(&long).len(), CHARACTERS_MAX);
    }
}
