//! The Python agent, in Django and in Flask.

use super::{Parts, Setting, Snippet, quote::python};

pub(super) fn django(setting: &Setting) -> Snippet {
    let start = "INSTALLED_APPS += [\"elasticapm.contrib.django\"]\n\
                 MIDDLEWARE = [\"elasticapm.contrib.django.middleware.TracingMiddleware\"] + list(MIDDLEWARE)\n\n\
                 ELASTIC_APM = {\n";
    Snippet {
        id: "django",
        label: "Django",
        file: "At the end of settings.py".to_owned(),
        note: "Install elastic-apm with pip. Restart the process after a change.",
        parts: dictionary(Parts::default().plain(start), setting)
            .plain("}\n")
            .0,
    }
}

pub(super) fn flask(setting: &Setting) -> Snippet {
    let start = "from elasticapm.contrib.flask import ElasticAPM\n\n\
                 app.config[\"ELASTIC_APM\"] = {\n";
    Snippet {
        id: "flask",
        label: "Flask",
        file: "After app = Flask(…)".to_owned(),
        note: "Install elastic-apm[flask] with pip. Restart the process after a change.",
        parts: dictionary(Parts::default().plain(start), setting)
            .plain("}\n\napm = ElasticAPM(app)\n")
            .0,
    }
}

fn dictionary(parts: Parts, setting: &Setting) -> Parts {
    parts
        .setting(
            "    ",
            "\"SERVICE_NAME\"",
            ": ",
            Some(python(&setting.service)),
            ",\n",
        )
        .setting(
            "    ",
            "\"ENVIRONMENT\"",
            ": ",
            setting.environment.as_deref().map(python),
            ",\n",
        )
        .setting(
            "    ",
            "\"SERVER_URL\"",
            ": ",
            Some(python(&setting.server_url)),
            ",\n",
        )
        .plain("    ")
        .key("\"API_KEY\"")
        .plain(": \"")
        .secret()
        .plain("\",\n")
}
