//! What is counted, where it is told, and what it never tells.

use crate::support::{App, PASSWORD, Setup, client, proxy::Fault, proxy::Proxy};
use app::model::new_agent_key::CreatedAgentKey;
use http::{Method, StatusCode, header::ACCEPT};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

async fn start() -> (App, Proxy) {
    let clock = platform::Clock::manual(crate::support::NOW.0);
    let engine = Arc::new(crate::support::engine::Engine::start(&clock).await);
    let proxy = Proxy::start(engine.address()).await;
    let setup = Setup {
        elasticsearch: Some(proxy.url()),
        metrics_listen: Some("127.0.0.1:0".parse().unwrap()),
        ..Setup::default()
    };
    (App::start_at(engine, clock, setup).await, proxy)
}

async fn read(app: &App) -> String {
    let address = app.application.metrics_address().unwrap();
    let answer = client()
        .get(format!("http://{address}/metrics"))
        .send()
        .await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap()
}

/// The value of the series whose name and labels are these.
fn value(text: &str, series: &str) -> i64 {
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.map_or(0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn metrics_count_requests_calls_and_changes() {
    let (app, proxy) = start().await;
    let ada = app.with_key_user("ada").await;
    app.nobody().sign_in("ada", "wrong").await;
    ada.create("one").await;
    ada.get("/settings/agent-keys").await;
    ada.get("/settings/agent-keys/nothing/of/ours").await;
    let text = read(&app).await;
    let expected = [
        ("agent_keys_sign_ins_total{outcome=\"accepted\"}", 1),
        ("agent_keys_sign_ins_total{outcome=\"rejected\"}", 1),
        (
            "agent_keys_http_requests_total{route=\"/api/create_agent_key\",status=\"200\"}",
            1,
        ),
        (
            "agent_keys_http_requests_total{route=\"/api/sign_in\",status=\"401\"}",
            1,
        ),
        (
            "agent_keys_http_request_duration_seconds_count{route=\"/api/sign_in\"}",
            2,
        ),
        (
            "agent_keys_elasticsearch_calls_total{operation=\"create_api_key\",outcome=\"success\"}",
            1,
        ),
        (
            "agent_keys_elasticsearch_calls_total{operation=\"authenticate\",outcome=\"unauthorized\"}",
            1,
        ),
        ("agent_keys_sessions", 1),
        ("agent_keys_database_up", 1),
        ("agent_keys_connections_refused_total", 0),
    ];
    for (series, count) in expected {
        assert_eq!(value(&text, series), count, "{series} in\n{text}");
    }
    assert!(
        value(
            &text,
            "agent_keys_http_requests_total{route=\"/settings/{*page}\",status=\"200\"}"
        ) >= 1
    );
    let sequence = app.store().audit_head().await.unwrap().sequence;
    assert_eq!(value(&text, "agent_keys_audit_sequence"), sequence);
    assert!(text.contains("agent_keys_build_info{version=\""));
    assert!(text.contains("agent_keys_operations{state=\""), "{text}");
    assert!(!text.contains("operation=\"other\""), "{text}");
    // Its lines are written nowhere.
    assert!(!text.contains("agent_keys_audit_log_"), "{text}");
    proxy.fail("POST /_security/_query", Fault::Hangup);
    ada.list(|_| {}).await;
    let text = read(&app).await;
    let broken = "agent_keys_elasticsearch_calls_total{operation=\"query_api_keys\",outcome=\"interrupted\"}";
    assert!(value(&text, broken) >= 1, "{text}");
    // Without the database, what the process knows is still told.
    app.store().close().await;
    let text = read(&app).await;
    assert_eq!(value(&text, "agent_keys_database_up"), 0);
    assert!(text.contains("agent_keys_http_requests_total"));
}

#[tokio::test]
async fn metrics_contain_no_names_and_no_secrets() {
    let (app, _proxy) = start().await;
    let ada = app.with_key_user("canary-user").await;
    let created: CreatedAgentKey = ada.create("canary-key").await.value();
    let id = created.id.as_str();
    ada.post("find_agent_key", &[("id", id)]).await;
    ada.post("revoke_agent_key", &[("id", id)]).await;
    ada.get(&format!("/settings/agent-keys/{id}?q=canary-search"))
        .await;
    ada.get("/canary-nowhere").await;
    ada.get("/pkg/canary-file").await;
    ada.get("/api/canary-function").await;
    app.nobody()
        .sign_in("canary-nobody", "canary-password")
        .await;
    let method = http::Method::from_bytes(b"CANARY").unwrap();
    let _ = ada.request(method, "/login").send().await;
    let admin = app.as_admin().await;
    let fields = [
        ("form[username]", "canary-new"),
        ("form[password]", "canary-password"),
    ];
    admin.post("create_user", &fields).await;
    admin.post("read_user", &[("username", "canary-new")]).await;
    let text = read(&app).await;
    let cookie = ada.cookie.clone().unwrap();
    let canaries = [
        "canary",
        "CANARY",
        "elastic\"",
        PASSWORD,
        id,
        created.api_key.expose(),
        created.encoded.expose(),
        cookie.split_once('=').unwrap().1,
        "127.0.0.1",
    ];
    let held = canaries.iter().filter(|canary| !text.contains(**canary));
    let held = held.count();
    assert_eq!(held, canaries.len(), "{text}");
    // The control: what was done left its traces, and the detector finds what is there.
    assert!(text.contains("/api/revoke_agent_key") && text.contains("create_api_key"));
    assert!(
        app.events()
            .await
            .iter()
            .any(|event| event.record.contains("canary-key"))
    );
}

#[tokio::test]
async fn metrics_are_served_only_on_their_own_listener() {
    let (app, _proxy) = start().await;
    let public = app.as_admin().await.get("/metrics").await;
    assert_eq!(public.status, StatusCode::NOT_FOUND);
    assert!(!public.text().contains("agent_keys_http"));
    let address = app.application.metrics_address().unwrap();
    let other = client().get(format!("http://{address}/login")).send().await;
    assert_eq!(other.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(App::start().await.application.metrics_address(), None);
}

#[tokio::test]
async fn every_metric_is_documented() {
    let documentation = include_str!("../../docs/operations.md");
    let (app, _proxy) = start().await;
    let ada = app.with_key_user("ada").await;
    ada.create("one").await;
    let text = read(&app).await;
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut count = 0;
    for (name, _) in types.filter_map(|line| line.split_once(' ')) {
        let series = format!("`{name}`");
        assert!(
            documentation.contains(&series),
            "{series} is not documented"
        );
        count += 1;
    }
    assert!(count > 10, "{text}");
}

const MONITORING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/monitoring");

/// Runs Prometheus' own tool; `None` where it is not installed.
fn promtool(arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new("promtool");
    command
        .args(arguments)
        .current_dir(MONITORING)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        println!("nothing shown: this machine has no promtool");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    // Checks of files read no input.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(output.status.success(), "{arguments:?}: {text}");
    Some(text)
}

#[tokio::test]
async fn metrics_are_without_fault_in_both_formats() {
    let (app, _proxy) = start().await;
    let ada = app.with_key_user("ada").await;
    ada.create("one").await;
    let text = read(&app).await;
    if let Some(faults) = promtool(&["check", "metrics"], &text) {
        assert_eq!(faults, "");
    }
    let address = app.application.metrics_address().unwrap();
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let request = client().get(format!("http://{address}/metrics"));
    let answer = request.header(ACCEPT, accept).send().await.unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"));
    let openmetrics = answer.text().await.unwrap();
    assert!(openmetrics.ends_with("# EOF\n"));
    assert_eq!(names(&openmetrics), names(&text));
}

/// The names of the series in a scrape.
fn names(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split(['{', ' ']).next().unwrap().to_owned())
        .collect()
}

#[test]
fn alerts_are_valid_fire_and_are_silent() {
    promtool(&["check", "rules", "alerts.yml"], "");
    promtool(&["test", "rules", "alerts-test.yml"], "");
    // Each alert is tested to be silent and to fire.
    let read = |name| std::fs::read_to_string(Path::new(MONITORING).join(name)).unwrap();
    let (alerts, tests) = (read("alerts.yml"), read("alerts-test.yml"));
    let names = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let mut count = 0;
    for name in names {
        let times = |end| tests.matches(&format!("alertname: {name}{end}")).count();
        assert_eq!((times("\n"), times(" }")), (1, 1), "{name}");
        count += 1;
    }
    assert!(count >= 10);
}

/// Names of our metrics, and of a process, in an expression.
fn used(expression: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !is_name(c));
    let ours = |word: &&str| word.starts_with("agent_keys_") || word.starts_with("process_");
    words.filter(ours).map(str::to_owned).collect()
}

#[tokio::test]
async fn alerts_and_dashboard_name_metrics_that_exist() {
    let clock = platform::Clock::manual(crate::support::NOW.0);
    let engine = Arc::new(crate::support::engine::Engine::start(&clock).await);
    let directory = tempfile::tempdir().unwrap();
    // With all that is optional.
    let setup = Setup {
        audit_log: true,
        tls: Some(crate::support::self_signed(directory.path())),
        metrics_listen: Some("127.0.0.1:0".parse().unwrap()),
        ..Setup::default()
    };
    let app = App::start_at(engine, clock, setup).await;
    let ada = app.with_key_user("ada").await;
    ada.create("one").await;
    let existing = names(&read(&app).await);
    let read = |name| std::fs::read_to_string(Path::new(MONITORING).join(name)).unwrap();
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    let alerts = read("alerts.yml");
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions = targets.map(|target| target["expr"].as_str().unwrap());
    let alerts = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "));
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let variables = variables.filter_map(|variable| variable["query"]["query"].as_str());
    let used: BTreeSet<String> = expressions
        .chain(alerts)
        .chain(variables)
        .flat_map(used)
        .collect();
    assert!(used.len() > 15, "{used:?}");
    let unknown: Vec<_> = used.difference(&existing).collect();
    assert!(unknown.is_empty(), "{unknown:?} of {existing:?}");
}

#[tokio::test]
async fn reports_of_the_content_security_policy_are_counted_within_bounds() {
    let (app, _) = start().await;
    let report = r#"{"csp-report":{"violated-directive":"script-src","blocked-uri":"inline"}}"#;
    let entry = r#"{"type":"csp-violation","body":{"effectiveDirective":"img-src"}}"#;
    let two = format!("[{entry},{entry}]");
    let long = format!("{report}{}", " ".repeat(20_000));
    for (body, status, counted) in [
        (report, StatusCode::NO_CONTENT, 1),
        (two.as_str(), StatusCode::NO_CONTENT, 3),
        ("{}", StatusCode::BAD_REQUEST, 3),
        ("no JSON", StatusCode::BAD_REQUEST, 3),
        (long.as_str(), StatusCode::PAYLOAD_TOO_LARGE, 3),
    ] {
        let sent = app
            .nobody()
            .request(Method::POST, "/csp-reports")
            .body(body.to_owned());
        assert_eq!(sent.send().await.unwrap().status(), status, "{body:.60}");
        let text = read(&app).await;
        assert_eq!(value(&text, "agent_keys_csp_reports_total"), counted);
    }
    let page = app.nobody().get("/login").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("report-uri /csp-reports; report-to csp"),
        "{policy}"
    );
    assert_eq!(
        page.header("reporting-endpoints"),
        Some("csp=\"/csp-reports\"")
    );
}
