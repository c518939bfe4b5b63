//! Templates: the agents' configuration, in the order in which the page offers it, and the fragment of `apm-server.yml`
//! that applies the settings.

use crate::{
    model::apm_settings::ApmSettings,
    snippets::{
        Snippet, fill,
        quote::{javascript, json, php_ini, properties, python, shell, yaml_in_erb},
    },
};

/// One format: its template, and the function that quotes values for it.
pub(super) struct Template {
    /// Suffix of element ids.
    pub id: &'static str,
    pub label: &'static str,
    /// The file or place that the text belongs into; may hold «object».
    pub file: &'static str,
    pub note: &'static str,
    pub quote: fn(&str) -> String,
    /// See [`fill`](super::fill) for the marks.
    pub text: &'static str,
}

pub(super) const TEMPLATES: [Template; 12] = [
    Template {
        id: "java",
        label: "Java",
        file: "elasticapm.properties",
        note: "Put it beside the agent and start the JVM with -javaagent:elastic-apm-agent.jar. The agent re-reads this file, so a later rotation needs no restart.",
        quote: properties,
        text: "\
‹service_name›=«service»
‹environment›=«environment»
‹server_url›=«server_url»
‹api_key›=«secret»
",
    },
    Template {
        id: "node",
        label: "Node.js",
        file: "First line of your app",
        note: "Load it before any other module. Restart the process after a change.",
        quote: javascript,
        text: "\
require('elastic-apm-node').start({
  ‹serviceName›: «service»,
  ‹environment›: «environment»,
  ‹serverUrl›: «server_url»,
  ‹apiKey›: '«secret»',
})
",
    },
    Template {
        id: "django",
        label: "Django",
        file: "At the end of settings.py",
        note: "Install elastic-apm with pip. While DEBUG is True, the agent sends nothing. Restart the process after a change.",
        quote: python,
        text: r#"INSTALLED_APPS += ["elasticapm.contrib.django"]
MIDDLEWARE = ["elasticapm.contrib.django.middleware.TracingMiddleware"] + list(MIDDLEWARE)

ELASTIC_APM = {
    ‹"SERVICE_NAME"›: «service»,
    ‹"ENVIRONMENT"›: «environment»,
    ‹"SERVER_URL"›: «server_url»,
    ‹"API_KEY"›: "«secret»",
}
"#,
    },
    Template {
        id: "flask",
        label: "Flask",
        file: "After app = Flask(…)",
        note: "Install elastic-apm[flask] with pip. In debug mode the agent sends nothing. Restart the process after a change.",
        quote: python,
        text: r#"from elasticapm.contrib.flask import ElasticAPM

app.config["ELASTIC_APM"] = {
    ‹"SERVICE_NAME"›: «service»,
    ‹"ENVIRONMENT"›: «environment»,
    ‹"SERVER_URL"›: «server_url»,
    ‹"API_KEY"›: "«secret»",
}

apm = ElasticAPM(app)
"#,
    },
    Template {
        id: "rails",
        label: "Rails",
        file: "config/elastic_apm.yml",
        note: "Add the gem elastic-apm. Restart the app after a change.",
        quote: yaml_in_erb,
        text: RUBY,
    },
    Template {
        id: "rack",
        label: "Rack",
        file: "config/elastic_apm.yml",
        note: "Add the gem elastic-apm, use ElasticAPM::Middleware, call ElasticAPM.start(app: MyApp) in config.ru, and stop the agent with at_exit { ElasticAPM.stop }. Restart the app after a change.",
        quote: yaml_in_erb,
        text: RUBY,
    },
    Template {
        id: "go",
        label: "Go",
        file: "Shell",
        note: "The Go agent reads environment variables only. Restart the process after a change.",
        quote: shell,
        text: "\
export ‹ELASTIC_APM_SERVICE_NAME›=«service»
export ‹ELASTIC_APM_ENVIRONMENT›=«environment»
export ‹ELASTIC_APM_SERVER_URL›=«server_url»
export ‹ELASTIC_APM_API_KEY›=«secret»
",
    },
    // Strict JSON: no comments, no trailing commas.
    Template {
        id: "dotnet",
        label: ".NET",
        file: "appsettings.json",
        note: "Merge it into the file. Add the NuGet package Elastic.Apm.NetCoreAll and call services.AddAllElasticApm(). Restart the app after a change.",
        quote: json,
        text: r#"{
  ‹"ElasticApm"›: {
    ‹"ServiceName"›: «service»,
    ‹"Environment"›: «environment»,
    ‹"ServerUrl"›: «server_url»,
    ‹"ApiKey"›: "«secret»"
  }
}
"#,
    },
    Template {
        id: "php",
        label: "PHP",
        file: "php.ini",
        note: "Reload PHP-FPM or the web server after a change.",
        quote: php_ini,
        text: r#"‹elastic_apm.service_name› = «service»
‹elastic_apm.environment› = «environment»
‹elastic_apm.server_url› = «server_url»
‹elastic_apm.api_key› = "«secret»"
"#,
    },
    Template {
        id: "otel",
        label: "OpenTelemetry",
        file: "Shell",
        note: "%20 is the space after ApiKey, written as the specification of this variable asks. An SDK that does not decode it answers 401: write a space there then.",
        quote: shell,
        text: r#"export ‹OTEL_SERVICE_NAME›=«service»
export ‹OTEL_RESOURCE_ATTRIBUTES›=«attributes»
export ‹OTEL_EXPORTER_OTLP_ENDPOINT›=«server_url»
export ‹OTEL_EXPORTER_OTLP_PROTOCOL›=«http/protobuf»
export ‹OTEL_EXPORTER_OTLP_HEADERS›="Authorization=ApiKey%20«secret»"
"#,
    },
    Template {
        id: "k8s",
        label: "Kubernetes",
        file: "«object».yaml",
        note: "Use it with envFrom and secretRef in the container.",
        quote: json,
        text: r#"‹apiVersion›: «v1»
‹kind›: «Secret»
‹metadata›:
  ‹name›: «object»
‹type›: «Opaque»
‹stringData›:
  ‹ELASTIC_APM_SERVICE_NAME›: «service»
  ‹ELASTIC_APM_ENVIRONMENT›: «environment»
  ‹ELASTIC_APM_SERVER_URL›: «server_url»
  ‹ELASTIC_APM_API_KEY›: "«secret»"
"#,
    },
    Template {
        id: "env",
        label: ".env",
        file: ".env",
        note: "Keep this file out of version control.",
        quote: shell,
        text: "\
‹ELASTIC_APM_SERVICE_NAME›=«service»
‹ELASTIC_APM_ENVIRONMENT›=«environment»
‹ELASTIC_APM_SERVER_URL›=«server_url»
‹ELASTIC_APM_API_KEY›=«secret»
",
    },
];

/// YAML that the agent runs through ERB first.
const RUBY: &str = r#"‹service_name›: «service»
‹environment›: «environment»
‹server_url›: «server_url»
‹api_key›: "«secret»"
"#;

const FRAGMENT: &str = "\
‹apm-server›:
  ‹auth›:
    ‹api_key›:
      ‹enabled›: «enabled»
      ‹limit›: «limit»
";

const ELASTICSEARCH: &str = "      ‹elasticsearch›:
        ‹hosts›: [«url»]
";

/// Returns the fragment. `elasticsearch_url` is set where APM Server must check keys elsewhere than in its own output.
pub fn fragment(settings: &ApmSettings, elasticsearch_url: Option<&str>) -> Snippet {
    let mut parts = fill(FRAGMENT, |name| match name {
        "enabled" => Some(settings.api_key_enabled.to_string()),
        _ => Some(settings.api_key_limit.to_string()),
    });
    if let Some(url) = elasticsearch_url {
        parts.extend(fill(ELASTICSEARCH, |_| Some(json(url))));
    }
    Snippet {
        id: "apm-server",
        label: "APM Server",
        file: "apm-server.yml".to_owned(),
        note: "",
        parts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragment_names_elasticsearch_only_when_given() {
        let settings = ApmSettings {
            server_url: None,
            api_key_enabled: true,
            api_key_limit: 260,
            keys_per_user_max: None,
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
