//! A `.env` file with the variables that every Elastic agent reads.

use super::{Parts, Setting, Snippet, quote::json};

pub(super) fn snippet(setting: &Setting) -> Snippet {
    let parts = Parts::default()
        .setting(
            "",
            "ELASTIC_APM_SERVICE_NAME",
            "=",
            Some(value(&setting.service)),
            "\n",
        )
        .setting(
            "",
            "ELASTIC_APM_ENVIRONMENT",
            "=",
            setting.environment.as_deref().map(value),
            "\n",
        )
        .setting(
            "",
            "ELASTIC_APM_SERVER_URL",
            "=",
            Some(value(&setting.server_url)),
            "\n",
        )
        .key("ELASTIC_APM_API_KEY")
        .plain("=")
        .secret()
        .plain("\n");
    Snippet {
        id: "env",
        label: ".env",
        file: ".env".to_owned(),
        note: "Keep this file out of version control.",
        parts: parts.0,
    }
}

/// Unquoted where every reader agrees on it: some take quotes for part of the value.
fn value(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if text.chars().all(safe) {
        text.to_owned()
    } else {
        json(text)
    }
}
