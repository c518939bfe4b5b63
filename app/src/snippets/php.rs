//! The PHP agent's part of `php.ini`.

use super::{Parts, Setting, Snippet, quote::php_ini};

pub(super) fn snippet(setting: &Setting) -> Snippet {
    let parts = Parts::default()
        .setting(
            "",
            "elastic_apm.service_name",
            " = ",
            Some(php_ini(&setting.service)),
            "\n",
        )
        .setting(
            "",
            "elastic_apm.environment",
            " = ",
            setting.environment.as_deref().map(php_ini),
            "\n",
        )
        .setting(
            "",
            "elastic_apm.server_url",
            " = ",
            Some(php_ini(&setting.server_url)),
            "\n",
        )
        .key("elastic_apm.api_key")
        .plain(" = \"")
        .secret()
        .plain("\"\n");
    Snippet {
        id: "php",
        label: "PHP",
        file: "php.ini".to_owned(),
        note: "Reload PHP-FPM or the web server after a change.",
        parts: parts.0,
    }
}
