//! Configuration snippets: one file per agent, and the fragment of `apm-server.yml`.
//!
//! A snippet is a list of parts, so that the page can mask the secret while the button copies it.

mod quote;
pub mod templates;

use crate::model::agent_key::Labels;
use quote::{kubernetes_name, otel_list};
use templates::{TEMPLATES, Template};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// Suffix of element ids.
    pub id: &'static str,
    pub label: &'static str,
    /// The file or place that the text belongs into.
    pub file: String,
    pub note: &'static str,
    pub parts: Vec<Part>,
}

/// A piece of a snippet's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Punctuation and fixed text.
    Plain(String),
    /// The name of a setting.
    Key(String),
    /// A value, quoted for its format.
    Value(String),
    /// The key in Base64, which needs no quoting in any format.
    Secret,
}

impl Snippet {
    /// Returns the whole text, with the real secret.
    pub fn text(&self, secret: &str) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Plain(text) | Part::Key(text) | Part::Value(text) => text.as_str(),
                Part::Secret => secret,
            })
            .collect()
    }
}

/// The values of a snippet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The service's name, in the characters that every Elastic agent accepts: `a-z A-Z 0-9 space _ -`.
    service: String,
    /// The service as labelled, if it has other characters.
    labelled: Option<String>,
    environment: Option<String>,
    server_url: String,
}

/// Placeholder for APM Server's address while it is not set.
pub const SERVER_URL_EXAMPLE: &str = "https://apm.example.com:8200";

impl Setting {
    /// Takes the service from the key's labels, else from its name.
    pub fn new(labels: &Labels, key_name: &str, server_url: Option<&str>) -> Self {
        let labelled = labels.service.as_deref().unwrap_or(key_name);
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-');
        let service: String = labelled
            .chars()
            .map(|c| if allowed(c) { c } else { '-' })
            .collect();
        Self {
            labelled: (service != labelled).then(|| labelled.to_owned()),
            service,
            environment: labels.environment.clone(),
            server_url: server_url.unwrap_or(SERVER_URL_EXAMPLE).to_owned(),
        }
    }

    /// Returns a sentence about a service name that had to be changed for the agents.
    pub fn renamed_service(&self) -> Option<String> {
        let labelled = self.labelled.as_ref()?;
        Some(format!(
            "Agents accept letters without accents, digits, spaces, “_” and “-” in a service name, so “{labelled}” becomes “{}” in these files.",
            self.service
        ))
    }

    /// Returns the quoted value of this name; `None` if the setting has no such value.
    fn value(&self, name: &str, quote: fn(&str) -> String) -> Option<String> {
        let environment = self.environment.as_deref();
        match name {
            "service" => Some(quote(&self.service)),
            "environment" => environment.map(quote),
            "server_url" => Some(quote(&self.server_url)),
            "object" => Some(kubernetes_name(&self.service)),
            "attributes" => environment
                .map(|text| quote(&format!("deployment.environment={}", otel_list(text)))),
            constant => Some(constant.to_owned()),
        }
    }
}

/// Returns the snippets of all agents, in the order in which the page offers them.
pub fn all(setting: &Setting) -> Vec<Snippet> {
    TEMPLATES
        .iter()
        .map(|template| from_template(template, setting))
        .collect()
}

fn from_template(template: &Template, setting: &Setting) -> Snippet {
    Snippet {
        id: template.id,
        label: template.label,
        file: template
            .file
            .replace("«object»", &kubernetes_name(&setting.service)),
        note: template.note,
        parts: fill(template.text, |name| setting.value(name, template.quote)),
    }
}

/// Fills in a template. `‹key›` marks the name of a setting, `«name»` a value, `«secret»` the secret.
///
/// A line whose value is absent is left out.
fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> Vec<Part> {
    template
        .split_inclusive('\n')
        .filter_map(|line| fill_line(line, &value))
        .flatten()
        .collect()
}

fn fill_line(line: &str, value: impl Fn(&str) -> Option<String>) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let plain = |parts: &mut Vec<Part>, text: &str| {
        if !text.is_empty() {
            parts.push(Part::Plain(text.to_owned()));
        }
    };
    let mut rest = line;
    while let Some((before, marked)) = rest.split_once(['‹', '«']) {
        plain(&mut parts, before);
        let is_key = rest[before.len()..].starts_with('‹');
        let (name, after) = marked.split_once(['›', '»'])?;
        parts.push(match name {
            key if is_key => Part::Key(key.to_owned()),
            "secret" => Part::Secret,
            name => Part::Value(value(name)?),
        });
        rest = after;
    }
    plain(&mut parts, rest);
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> Setting {
        let labels = Labels {
            service: Some("check\"out'; rm -rf <%= x %>".to_owned()),
            environment: Some("pro\\d \"q\" 'a' $HOME <%= 1 %> ${x} #é".to_owned()),
            team: None,
        };
        Setting::new(&labels, "ignored", Some("https://apm.example.com:8200"))
    }

    fn of(id: &str) -> Snippet {
        let mut snippets = all(&hostile()).into_iter();
        snippets.find(|snippet| snippet.id == id).unwrap()
    }

    #[test]
    fn every_snippet_holds_the_secret_exactly_once() {
        for snippet in all(&hostile()) {
            let secrets = snippet
                .parts
                .iter()
                .filter(|part| **part == Part::Secret)
                .count();
            assert_eq!(secrets, 1, "{}", snippet.id);
            assert_eq!(
                snippet.text("c2VjcmV0").matches("c2VjcmV0").count(),
                1,
                "{}",
                snippet.id
            );
        }
    }

    #[test]
    fn dotnet_snippet_is_strict_json() {
        let json: serde_json::Value = serde_json::from_str(&of("dotnet").text("abc==")).unwrap();
        assert_eq!(json["ElasticApm"]["ApiKey"], "abc==");
        assert_eq!(
            json["ElasticApm"]["Environment"],
            hostile().environment.unwrap()
        );
    }

    #[test]
    fn service_name_holds_only_characters_that_every_agent_accepts() {
        assert_eq!(hostile().service, "check-out-- rm -rf --- x --");
        let from_name = Setting::new(&Labels::default(), "büro/1", None);
        assert_eq!(from_name.service, "b-ro-1");
        let renamed = from_name.renamed_service().unwrap();
        assert!(renamed.contains("“büro/1” becomes “b-ro-1”"), "{renamed}");
        let unchanged = Setting::new(&Labels::default(), "check out_1-a", None);
        assert_eq!(unchanged.renamed_service(), None);
        assert_eq!(from_name.server_url, SERVER_URL_EXAMPLE);
    }

    #[test]
    fn ruby_snippet_holds_no_erb_tag() {
        for snippet in [of("rails"), of("rack")] {
            assert!(
                !snippet.text("abc").contains("<%"),
                "{}",
                snippet.text("abc")
            );
        }
    }
    /// Returns a snippet's text with keys and values marked as in its template.
    fn marked(snippet: &Snippet) -> String {
        let mut text = format!(
            "# {} · {} · {}\n# {}\n",
            snippet.id, snippet.label, snippet.file, snippet.note
        );
        for part in &snippet.parts {
            match part {
                Part::Plain(plain) => text.push_str(plain),
                Part::Key(key) => text.push_str(&format!("‹{key}›")),
                Part::Value(value) => text.push_str(&format!("«{value}»")),
                Part::Secret => text.push_str("«secret»"),
            }
        }
        text
    }

    #[test]
    fn snippet_texts_match_the_golden_file() {
        let without_labels = Setting::new(&Labels::default(), "checkout", None);
        let texts: Vec<String> = [hostile(), without_labels]
            .iter()
            .flat_map(all)
            .map(|snippet| marked(&snippet))
            .collect();
        assert_eq!(texts.join("\n"), include_str!("snippets/golden.txt"));
    }
}
