//! The .NET agent's part of `appsettings.json`. Strict JSON: no comments, no trailing commas.

use super::{Parts, Setting, Snippet, quote::json};

pub(super) fn snippet(setting: &Setting) -> Snippet {
    let parts = Parts::default()
        .plain("{\n  ")
        .key("\"ElasticApm\"")
        .plain(": {\n")
        .setting(
            "    ",
            "\"ServiceName\"",
            ": ",
            Some(json(&setting.service)),
            ",\n",
        )
        .setting(
            "    ",
            "\"Environment\"",
            ": ",
            setting.environment.as_deref().map(json),
            ",\n",
        )
        .setting(
            "    ",
            "\"ServerUrl\"",
            ": ",
            Some(json(&setting.server_url)),
            ",\n",
        )
        .plain("    ")
        .key("\"ApiKey\"")
        .plain(": \"")
        .secret()
        .plain("\"\n  }\n}\n");
    Snippet {
        id: "dotnet",
        label: ".NET",
        file: "appsettings.json".to_owned(),
        note: "Call services.AddAllElasticApm(). Restart the app after a change.",
        parts: parts.0,
    }
}
