//! The Ruby agent, in Rails and in Rack. Its file is YAML, run through ERB first.

use super::{Parts, Setting, Snippet, quote::yaml_in_erb};

pub(super) fn rails(setting: &Setting) -> Snippet {
    Snippet {
        id: "rails",
        label: "Rails",
        file: "config/elastic_apm.yml".to_owned(),
        note: "Add the gem elastic-apm. Restart the app after a change.",
        parts: file(setting).0,
    }
}

pub(super) fn rack(setting: &Setting) -> Snippet {
    Snippet {
        id: "rack",
        label: "Rack",
        file: "config/elastic_apm.yml".to_owned(),
        note: "Add the gem elastic-apm, use ElasticAPM::Middleware and call ElasticAPM.start(app: MyApp) in config.ru. Restart the app after a change.",
        parts: file(setting).0,
    }
}

fn file(setting: &Setting) -> Parts {
    Parts::default()
        .setting(
            "",
            "service_name",
            ": ",
            Some(yaml_in_erb(&setting.service)),
            "\n",
        )
        .setting(
            "",
            "environment",
            ": ",
            setting.environment.as_deref().map(yaml_in_erb),
            "\n",
        )
        .setting(
            "",
            "server_url",
            ": ",
            Some(yaml_in_erb(&setting.server_url)),
            "\n",
        )
        .key("api_key")
        .plain(": \"")
        .secret()
        .plain("\"\n")
}
