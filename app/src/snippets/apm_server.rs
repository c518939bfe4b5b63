//! The fragment of `apm-server.yml` that applies the settings.

use super::{Parts, Snippet, quote::json};
use crate::model::apm_settings::ApmSettings;

/// The fragment. `elasticsearch_url` is where APM Server must check keys when that is not its own output.
pub fn fragment(settings: &ApmSettings, elasticsearch_url: Option<&str>) -> Snippet {
    let enabled = settings.api_key_enabled.to_string();
    let mut parts = Parts::default()
        .key("apm-server")
        .plain(":\n  ")
        .key("auth")
        .plain(":\n    ")
        .key("api_key")
        .plain(":\n")
        .setting("      ", "enabled", ": ", Some(enabled), "\n")
        .setting(
            "      ",
            "limit",
            ": ",
            Some(settings.api_key_limit.to_string()),
            "\n",
        );
    if let Some(url) = elasticsearch_url {
        parts = parts
            .plain("      ")
            .key("elasticsearch")
            .plain(":\n")
            .setting(
                "        ",
                "hosts",
                ": ",
                Some(format!("[{}]", json(url))),
                "\n",
            );
    }
    Snippet {
        id: "apm-server",
        label: "APM Server",
        file: "apm-server.yml".to_owned(),
        note: "",
        parts: parts.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fragment_points_at_the_engine_where_there_is_one() {
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
