//! The Node.js agent's start.

use super::{Parts, Setting, Snippet, quote::javascript};

pub(super) fn snippet(setting: &Setting) -> Snippet {
    let parts = Parts::default()
        .plain("require('elastic-apm-node').start({\n")
        .setting(
            "  ",
            "serviceName",
            ": ",
            Some(javascript(&setting.service)),
            ",\n",
        )
        .setting(
            "  ",
            "environment",
            ": ",
            setting.environment.as_deref().map(javascript),
            ",\n",
        )
        .setting(
            "  ",
            "serverUrl",
            ": ",
            Some(javascript(&setting.server_url)),
            ",\n",
        )
        .plain("  ")
        .key("apiKey")
        .plain(": '")
        .secret()
        .plain("',\n})\n");
    Snippet {
        id: "node",
        label: "Node.js",
        file: "First line of your app".to_owned(),
        note: "Load it before any other module. Restart the process after a change.",
        parts: parts.0,
    }
}
