//! The Go agent, which reads environment variables only.

use super::{Parts, Setting, Snippet, quote::shell};

pub(super) fn snippet(setting: &Setting) -> Snippet {
    Snippet {
        id: "go",
        label: "Go",
        file: "Shell".to_owned(),
        note: "The Go agent reads environment variables only. Restart the process after a change.",
        parts: exports(setting).0,
    }
}

/// The variables that every Elastic agent reads, as a shell sets them.
fn exports(setting: &Setting) -> Parts {
    Parts::default()
        .setting(
            "export ",
            "ELASTIC_APM_SERVICE_NAME",
            "=",
            Some(shell(&setting.service)),
            "\n",
        )
        .setting(
            "export ",
            "ELASTIC_APM_ENVIRONMENT",
            "=",
            setting.environment.as_deref().map(shell),
            "\n",
        )
        .setting(
            "export ",
            "ELASTIC_APM_SERVER_URL",
            "=",
            Some(shell(&setting.server_url)),
            "\n",
        )
        .plain("export ")
        .key("ELASTIC_APM_API_KEY")
        .plain("=")
        .secret()
        .plain("\n")
}
