//! Any OpenTelemetry SDK, through its standard variables.

use super::{
    Parts, Setting, Snippet,
    quote::{otel_list, shell},
};

pub(super) fn snippet(setting: &Setting) -> Snippet {
    let attributes = setting.environment.as_deref().map(|environment| {
        shell(&format!(
            "deployment.environment={}",
            otel_list(environment)
        ))
    });
    let parts = Parts::default()
        .setting(
            "export ",
            "OTEL_SERVICE_NAME",
            "=",
            Some(shell(&setting.service)),
            "\n",
        )
        .setting("export ", "OTEL_RESOURCE_ATTRIBUTES", "=", attributes, "\n")
        .setting(
            "export ",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "=",
            Some(shell(&setting.server_url)),
            "\n",
        )
        .setting(
            "export ",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "=",
            Some("http/protobuf".to_owned()),
            "\n",
        )
        .plain("export ")
        .key("OTEL_EXPORTER_OTLP_HEADERS")
        .plain("=\"Authorization=ApiKey%20")
        .secret()
        .plain("\"\n");
    Snippet {
        id: "otel",
        label: "OpenTelemetry",
        file: "Shell".to_owned(),
        note: "%20 is the space after ApiKey, written as the specification of this variable asks. An SDK that does not decode it answers 401: write a space there then.",
        parts: parts.0,
    }
}
