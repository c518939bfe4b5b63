//! Configuration, as the files its users write: one file an agent, and APM Server's own.
//!
//! A snippet is a list of parts, so that the same value can be drawn with the secret masked
//! and copied with the real one. Every format escapes by its own rules: a label may hold any character.

pub mod apm_server;
mod dotenv;
mod dotnet;
mod go;
mod java;
mod kubernetes;
mod nodejs;
mod opentelemetry;
mod php;
mod python;
mod quote;
mod ruby;

use crate::model::labels::Labels;

/// One configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The agent, as a word for element ids.
    pub id: &'static str,
    /// The agent's name.
    pub label: &'static str,
    /// The file or place it belongs into.
    pub file: String,
    /// What else its reader must know.
    pub note: &'static str,
    /// The text, in order.
    pub parts: Vec<Part>,
}

/// A piece of a snippet's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Punctuation and everything that is the same for everyone.
    Plain(String),
    /// The name of a setting.
    Key(String),
    /// A value, quoted as its format wants it.
    Value(String),
    /// The key in Base64. Base64 needs no quoting in any of the formats.
    Secret,
}

impl Snippet {
    /// The whole text, with the real secret.
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

/// What a snippet is filled in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The service's name, in the letters that every Elastic agent takes: `a-z A-Z 0-9 space _ -`.
    service: String,
    /// Where it runs.
    environment: Option<String>,
    /// APM Server's address.
    server_url: String,
}

/// Stands in a snippet while nobody has set APM Server's address.
pub const SERVER_URL_EXAMPLE: &str = "https://apm.example.com:8200";

impl Setting {
    /// Fills in from a key's labels, else from its name.
    pub fn new(labels: &Labels, key_name: &str, server_url: Option<&str>) -> Self {
        let service = labels.service.as_deref().unwrap_or(key_name);
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-');
        let service: String = service
            .chars()
            .map(|c| if allowed(c) { c } else { '-' })
            .collect();
        Self {
            service,
            environment: labels.environment.clone(),
            server_url: server_url.unwrap_or(SERVER_URL_EXAMPLE).to_owned(),
        }
    }
}

/// The snippets of all agents, in the order in which they are offered.
pub fn all(setting: &Setting) -> Vec<Snippet> {
    vec![
        java::snippet(setting),
        nodejs::snippet(setting),
        python::django(setting),
        python::flask(setting),
        ruby::rails(setting),
        ruby::rack(setting),
        go::snippet(setting),
        dotnet::snippet(setting),
        php::snippet(setting),
        opentelemetry::snippet(setting),
        kubernetes::snippet(setting),
        dotenv::snippet(setting),
    ]
}

/// Builds a snippet's parts piece by piece.
#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn plain(mut self, text: &str) -> Self {
        self.0.push(Part::Plain(text.to_owned()));
        self
    }

    fn key(mut self, text: &str) -> Self {
        self.0.push(Part::Key(text.to_owned()));
        self
    }

    fn value(mut self, text: String) -> Self {
        self.0.push(Part::Value(text));
        self
    }

    fn secret(mut self) -> Self {
        self.0.push(Part::Secret);
        self
    }

    /// `before key between value after`, when there is a value.
    fn setting(
        self,
        before: &str,
        key: &str,
        between: &str,
        value: Option<String>,
        after: &str,
    ) -> Self {
        match value {
            Some(value) => self
                .plain(before)
                .key(key)
                .plain(between)
                .value(value)
                .plain(after),
            None => self,
        }
    }
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

    #[test]
    fn every_snippet_holds_the_secret_once_and_never_shows_it() {
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
    fn the_dotnet_file_is_strict_json() {
        let json: serde_json::Value =
            serde_json::from_str(&dotnet::snippet(&hostile()).text("abc==")).unwrap();
        assert_eq!(json["ElasticApm"]["ApiKey"], "abc==");
        assert_eq!(
            json["ElasticApm"]["Environment"],
            hostile().environment.unwrap()
        );
    }

    #[test]
    fn a_service_name_is_one_that_every_agent_takes() {
        assert_eq!(hostile().service, "check-out-- rm -rf --- x --");
        let from_name = Setting::new(&Labels::default(), "büro/1", None);
        assert_eq!(from_name.service, "b-ro-1");
        assert_eq!(from_name.server_url, SERVER_URL_EXAMPLE);
    }

    #[test]
    fn the_ruby_file_runs_nothing_of_a_label() {
        for snippet in [ruby::rails(&hostile()), ruby::rack(&hostile())] {
            assert!(
                !snippet.text("abc").contains("<%"),
                "{}",
                snippet.text("abc")
            );
        }
    }
}
