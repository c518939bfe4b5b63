//! The Java agent's `elasticapm.properties`.

use super::{Parts, Setting, Snippet, quote::properties};

pub(super) fn snippet(setting: &Setting) -> Snippet {
    let parts = Parts::default()
        .setting(
            "",
            "service_name",
            "=",
            Some(properties(&setting.service)),
            "\n",
        )
        .setting(
            "",
            "environment",
            "=",
            setting.environment.as_deref().map(properties),
            "\n",
        )
        .setting(
            "",
            "server_url",
            "=",
            Some(properties(&setting.server_url)),
            "\n",
        )
        .key("api_key")
        .plain("=")
        .secret()
        .plain("\n");
    Snippet {
        id: "java",
        label: "Java",
        file: "elasticapm.properties".to_owned(),
        note: "Put it beside the agent and start the JVM with -javaagent:elastic-apm-agent.jar. The agent re-reads this file, so a later rotation needs no restart.",
        parts: parts.0,
    }
}
