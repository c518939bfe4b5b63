//! The fragment of `apm-server.yml` that applies the settings.

use super::{Snippet, fill, quote::json};
use crate::model::apm_settings::ApmSettings;

const FRAGMENT: &str = "\
‹apm-server›:
  ‹auth›:
    ‹api_key›:
      ‹enabled›: «enabled»
      ‹limit›: «limit»
";

const ELASTICSEARCH: &str = "      ‹elasticsearch›:
        ‹hosts›: [«url»]
";

/// Returns the fragment. `elasticsearch_url` is set where APM Server must check keys elsewhere than in its own output.
pub fn fragment(settings: &ApmSettings, elasticsearch_url: Option<&str>) -> Snippet {
    let mut parts = fill(FRAGMENT, |name| match name {
        "enabled" => Some(settings.api_key_enabled.to_string()),
        _ => Some(settings.api_key_limit.to_string()),
    });
    if let Some(url) = elasticsearch_url {
        parts.extend(fill(ELASTICSEARCH, |_| Some(json(url))));
    }
    Snippet {
        id: "apm-server",
        label: "APM Server",
        file: "apm-server.yml".to_owned(),
        note: "",
        parts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragment_names_elasticsearch_only_when_given() {
        let settings = ApmSettings {
            server_url: None,
            api_key_enabled: true,
            api_key_limit: 260,
        };
        assert_eq!(
            fragment(&settings, Some("http://127.0.0.1:9200")).text(""),
            "apm-server:\n  auth:\n    api_key:\n      enabled: true\n      limit: 260\n      \
             elasticsearch:\n        hosts: [\"http://127.0.0.1:9200\"]\n"
        );
        assert_eq!(
            fragment(&settings, None).text(""),
            "apm-server:\n  auth:\n    api_key:\n      enabled: true\n      limit: 260\n"
        );
    }
}
