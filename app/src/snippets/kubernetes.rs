//! A Kubernetes secret with the variables that every Elastic agent reads.

use super::{Parts, Setting, Snippet, quote::json};

pub(super) fn snippet(setting: &Setting) -> Snippet {
    let name = object_name(&setting.service);
    let parts = Parts::default()
        .setting("", "apiVersion", ": ", Some("v1".to_owned()), "\n")
        .setting("", "kind", ": ", Some("Secret".to_owned()), "\n")
        .key("metadata")
        .plain(":\n")
        .setting("  ", "name", ": ", Some(name.clone()), "\n")
        .setting("", "type", ": ", Some("Opaque".to_owned()), "\n")
        .key("stringData")
        .plain(":\n")
        .setting(
            "  ",
            "ELASTIC_APM_SERVICE_NAME",
            ": ",
            Some(json(&setting.service)),
            "\n",
        )
        .setting(
            "  ",
            "ELASTIC_APM_ENVIRONMENT",
            ": ",
            setting.environment.as_deref().map(json),
            "\n",
        )
        .setting(
            "  ",
            "ELASTIC_APM_SERVER_URL",
            ": ",
            Some(json(&setting.server_url)),
            "\n",
        )
        .plain("  ")
        .key("ELASTIC_APM_API_KEY")
        .plain(": \"")
        .secret()
        .plain("\"\n");
    Snippet {
        id: "k8s",
        label: "Kubernetes",
        file: format!("{name}.yaml"),
        note: "Use it with envFrom and secretRef in the container.",
        parts: parts.0,
    }
}

/// A name that Kubernetes takes: lower case letters, digits and `-`, beginning and ending with a letter or digit.
fn object_name(service: &str) -> String {
    let mut name: String = service
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(40)
        .collect();
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    let name = name.trim_matches('-');
    if name.is_empty() {
        "apm-key".to_owned()
    } else {
        format!("{name}-apm-key")
    }
}

#[cfg(test)]
mod tests {
    use super::object_name;

    #[test]
    fn an_object_name_is_one_that_kubernetes_takes() {
        assert_eq!(object_name("Check Out--1_"), "check-out-1-apm-key");
        assert_eq!(object_name("---"), "apm-key");
    }
}
