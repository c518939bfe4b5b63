//! Configuration files of the agents, as the page without script shows them, each read by a parser of its format.

use crate::support::{App, key_form, shown};
use app::{
    model::agent_key::Labels,
    snippets::{self, Setting, Snippet},
};
use http::StatusCode;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::Path,
    process::{Command, Stdio},
};

const ENVIRONMENT: &str = "pro\\d \"q\" 'a' $HOME `id` <%= 1 %> ${x} #é";
const SERVICE: &str = "check out";
const SERVER_URL: &str = "https://apm.example.com:8200";

/// Returns the text of a code block: without elements, and without the mask of the secret.
fn text_of(block: &str) -> String {
    let block = shown(block);
    let mut text = String::new();
    let mut rest = block
        .split_once("<code>")
        .unwrap()
        .1
        .split_once("</code>")
        .unwrap()
        .0;
    while let Some((before, after)) = rest.split_once(['<']) {
        // A value may hold “<%=”; an element begins with a letter or “/”.
        if !after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') {
            text.push_str(before);
            text.push('<');
            rest = after;
            continue;
        }
        text.push_str(before);
        let (tag, after) = after.split_once('>').unwrap();
        rest = if tag.contains("masked") {
            after.split_once("</span>").unwrap().1
        } else {
            after
        };
    }
    text + rest
}

/// Creates a key without script, and returns its secret and the files that the page shows, by agent.
async fn files() -> (String, BTreeMap<&'static str, String>) {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let mut form = key_form("op-1", "snippets").to_vec();
    form.retain(|(name, _)| *name != "form[service]");
    form.push(("form[service]", SERVICE));
    form.push(("form[environment]", ENVIRONMENT));
    let answer = ada
        .submit("/settings/agent-keys/new", "create_agent_key", &form)
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    let page = answer.text();
    let secret = page.split_once("data-format=\"base64\"").unwrap().1;
    let secret = secret.split_once("<span data-secret=\"shown\">").unwrap().1;
    let secret = secret.split_once('<').unwrap().0.to_owned();
    assert!(secret.len() > 50, "{secret}");
    let files = templates().into_iter().map(|snippet| {
        let start = format!("<div data-agent=\"{}\"", snippet.id);
        (snippet.id, text_of(page.split_once(&start).unwrap().1))
    });
    (secret, files.collect())
}

fn templates() -> Vec<Snippet> {
    let labels = Labels {
        service: Some(SERVICE.to_owned()),
        environment: Some(ENVIRONMENT.to_owned()),
        team: None,
    };
    snippets::all(&Setting::new(&labels, "snippets", Some(SERVER_URL)))
}

/// Runs a program in this directory and returns its output; `None` if it is not installed.
fn run(directory: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("PATH", std::env::var_os("PATH")?)
        .env("LC_ALL", "C.UTF-8")
        .stderr(Stdio::piped())
        .output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("{program} is not installed");
            return None;
        }
        output => output.unwrap(),
    };
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {error}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn snippet_drawn_by_the_server_is_the_copied_text_to_the_byte() {
    let (secret, files) = files().await;
    for snippet in templates() {
        assert_eq!(files[snippet.id], snippet.text(&secret), "{}", snippet.id);
    }
}

#[tokio::test]
async fn snippet_is_read_by_a_parser_of_its_format() {
    let (secret, files) = files().await;
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for (agent, text) in &files {
        std::fs::write(directory.join(agent), text).unwrap();
    }
    let expected = |read: &Value, names: [&str; 4], format: &str| {
        let values = [SERVICE, ENVIRONMENT, SERVER_URL, &secret];
        for (name, value) in names.into_iter().zip(values) {
            assert_eq!(read[name], value, "{name} in {format}: {read}");
        }
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let elastic = [
        "ELASTIC_APM_SERVICE_NAME",
        "ELASTIC_APM_ENVIRONMENT",
        "ELASTIC_APM_SERVER_URL",
        "ELASTIC_APM_API_KEY",
    ];
    let snake = ["service_name", "environment", "server_url", "api_key"];

    let dotnet = json(&files["dotnet"]);
    expected(
        &dotnet["ElasticApm"],
        ["ServiceName", "Environment", "ServerUrl", "ApiKey"],
        "JSON",
    );

    for agent in ["env", "go"] {
        let set = run(
            directory,
            "sh",
            &["-c", &format!("set -a; . ./{agent}; env -0")],
        )
        .unwrap();
        let set: Value = set
            .split('\0')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        expected(&set, elastic, agent);
    }
    let print = ". ./otel; printf %s \"$OTEL_EXPORTER_OTLP_HEADERS\"";
    let header = run(directory, "sh", &["-c", print]).unwrap();
    assert_eq!(header, format!("Authorization=ApiKey%20{secret}"));

    let yaml = |agent: &str| {
        let text = std::fs::read_to_string(directory.join(agent)).unwrap();
        serde_norway::from_str::<Value>(&text).unwrap()
    };
    let kubernetes = yaml("k8s");
    assert_eq!(kubernetes["metadata"]["name"], "check-out-apm-key");
    expected(&kubernetes["stringData"], elastic, "Kubernetes");
    for agent in ["rails", "rack"] {
        // The file holds nothing for ERB, which the agent runs first.
        expected(&yaml(agent), snake, agent);
        let erb = format!(
            "require 'yaml'; require 'erb'; require 'json'; \
             puts JSON.generate(YAML.safe_load(ERB.new(File.read('{agent}')).result))"
        );
        if let Some(read) = run(directory, "ruby", &["-e", &erb]) {
            expected(&json(&read), snake, "Ruby");
        }
    }

    let node = "new Function('require', require('fs').readFileSync('node', 'utf8'))\
                (() => ({ start: (set) => console.log(JSON.stringify(set)) }))";
    if let Some(read) = run(directory, "node", &["-e", node]) {
        let names = ["serviceName", "environment", "serverUrl", "apiKey"];
        expected(&json(&read), names, "Node.js");
    }

    let django = "import json; names = {'INSTALLED_APPS': [], 'MIDDLEWARE': ['x']}; \
                  exec(open('django').read(), names); print(json.dumps(names['ELASTIC_APM']))";
    let flask = "import json, sys, types; module = types.ModuleType('flask'); \
                 module.ElasticAPM = lambda app: None; \
                 names = ['elasticapm', 'elasticapm.contrib', 'elasticapm.contrib.flask']; \
                 sys.modules.update({name: module for name in names}); \
                 app = types.SimpleNamespace(config={}); \
                 exec(open('flask').read(), {'app': app}); \
                 print(json.dumps(app.config['ELASTIC_APM']))";
    for code in [django, flask] {
        if let Some(read) = run(directory, "python3", &["-c", code]) {
            let names = ["SERVICE_NAME", "ENVIRONMENT", "SERVER_URL", "API_KEY"];
            expected(&json(&read), names, "Python");
        }
    }

    let php = "echo json_encode(parse_ini_file('php'), JSON_UNESCAPED_UNICODE);";
    if let Some(read) = run(directory, "php", &["-r", php]) {
        let names = [
            "elastic_apm.service_name",
            "elastic_apm.environment",
            "elastic_apm.server_url",
            "elastic_apm.api_key",
        ];
        let read = json(&read);
        // `php.ini` cannot hold a single quote in single quotes.
        let with_quotes = read.to_string().replace('’', "'");
        expected(&json(&with_quotes), names, "PHP");
    }

    let properties = "public class Read { public static void main(String[] a) throws Exception { \
                      var set = new java.util.Properties(); \
                      set.load(new java.io.FileInputStream(\"java\")); \
                      var out = new java.io.PrintStream(System.out, true, \"UTF-8\"); \
                      set.forEach((name, value) -> out.print(name + \"\\0\" + value + \"\\0\")); } }";
    std::fs::write(directory.join("Read.java"), properties).unwrap();
    if let Some(read) = run(directory, "java", &["Read.java"]) {
        let parts: Vec<_> = read.split('\0').collect();
        let read: serde_json::Map<_, _> = parts
            .chunks_exact(2)
            .map(|pair| (pair[0].to_owned(), Value::from(pair[1])))
            .collect();
        expected(&read.into(), snake, "Java properties");
    }
}
