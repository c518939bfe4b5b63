//! The binary itself: its lines, its signals, its exit codes, and what its logs do not tell.

use crate::support::{Answer, Browser, PASSWORD, client};
use app::model::new_agent_key::CreatedAgentKey;
use http::Method;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The binary, running.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    first_password: Option<String>,
    url: String,
}

pub(crate) fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-keys"));
    command
        .env_clear()
        .env("AGENT_KEYS_LISTEN", "127.0.0.1:0")
        .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0")
        .env("AGENT_KEYS_DATA_DIR", data_dir)
        .current_dir(data_dir.parent().unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first_password = None;
        loop {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            let line = line.trim_end();
            if line.starts_with('{') {
                let line: Value = serde_json::from_str(line).unwrap();
                if let Some(password) = line["password"].as_str() {
                    first_password = Some(password.to_owned());
                    continue;
                }
                return Self {
                    url: line["url"].as_str().unwrap().to_owned(),
                    child,
                    stdout,
                    first_password,
                };
            }
            if let Some(password) = line.strip_prefix("First-run password of elastic: ") {
                first_password = Some(password.to_owned());
                continue;
            }
            let rest = line
                .strip_prefix("Agent Keys is ready at ")
                .unwrap_or_else(|| panic!("{line:?}"));
            let (url, elasticsearch) = rest.split_once(' ').unwrap();
            let engine =
                elasticsearch.strip_prefix("(Elasticsearch: embedded engine at http://127.0.0.1:");
            assert!(engine.is_some_and(|port| port.ends_with(')')), "{line}");
            return Self {
                url: url.to_owned(),
                child,
                stdout,
                first_password,
            };
        }
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser {
            url: self.url.clone(),
            cookie: None,
            user: None,
            http: client(),
        }
    }

    /// Ends it in peace; everything it had logged.
    pub(crate) fn stop(mut self) -> String {
        let signalled = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(signalled.success());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(
            rest, "",
            "nothing but the ready line goes to the standard output"
        );
        let output = self.child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}

pub(crate) fn fails(command: &mut Command) -> String {
    let Output {
        status,
        stderr,
        stdout,
    } = command.output().unwrap();
    assert!(!status.success() && stdout.is_empty());
    String::from_utf8(stderr).unwrap()
}

#[tokio::test]
async fn first_start_prints_the_password_once() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let first = Running::start(&mut command(&data_dir));
    let password = first.first_password.clone().unwrap();
    assert_eq!(
        first.browser().sign_in("elastic", &password).await.status,
        200
    );
    first.stop();
    let second = Running::start(&mut command(&data_dir));
    assert_eq!(second.first_password, None);
    assert_eq!(
        second.browser().sign_in("elastic", &password).await.status,
        200
    );
    second.stop();
    let reset = command(&data_dir)
        .args(["reset-password", "elastic"])
        .output()
        .unwrap();
    let told = String::from_utf8(reset.stdout).unwrap();
    let fresh = told
        .trim_end()
        .strip_prefix("New password of elastic: ")
        .unwrap();
    let third = Running::start(&mut command(&data_dir));
    let mut admin = third.browser();
    admin.sign_in("elastic", fresh).await;
    let export = admin.get("/settings/audit/export.jsonl").await.text();
    let recorded = export
        .lines()
        .find(|line| line.contains("user_password_change"))
        .unwrap();
    assert!(recorded.contains("reset-password") && !recorded.contains(fresh));
    assert_eq!(
        third.browser().sign_in("elastic", &password).await.status,
        401
    );
    assert_eq!(third.browser().sign_in("elastic", fresh).await.status, 200);
    third.stop();
    assert!(
        fails(command(&data_dir).args(["reset-password", "nobody"])).starts_with("agent-keys: ")
    );
}

#[tokio::test]
async fn trace_logs_contain_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let mut command = command(&data_dir);
    command
        .env("ELASTIC_PASSWORD", PASSWORD)
        .env("AGENT_KEYS_LOG", "trace");
    // The log is read while it grows: a full pipe would hold the binary up.
    let mut running = Running::start(&mut command);
    let mut stderr = running.child.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut log = Vec::new();
        stderr.read_to_end(&mut log).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    });
    let mut admin = running.browser();
    assert_eq!(admin.sign_in("elastic", PASSWORD).await.status, 200);
    let created: CreatedAgentKey = admin.create("secret").await.value();
    admin.list(|_| {}).await;
    admin.get("/settings/agent-keys").await;
    let user = [
        ("form[username]", "newcomer"),
        ("form[password]", "hunter2hunter2 times 2"),
    ];
    assert_eq!(admin.post("create_user", &user).await.status, 200);
    running
        .browser()
        .sign_in("elastic", "hunter2hunter2 times 2")
        .await;
    let cookie = admin.cookie.clone().unwrap();
    let token = cookie.split_once('=').unwrap().1;
    // As a library would print it: as a number.
    let token_number = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, token);
    let token_number = i128::from_le_bytes(token_number.unwrap().try_into().unwrap()).to_string();
    running.stop();
    let log = log.join().unwrap();
    assert!(
        log.contains("answered") && log.contains("TRACE"),
        "{log:.500}"
    );
    let basic = base64::Engine::encode(
        &base64::prelude::BASE64_STANDARD,
        format!("elastic:{PASSWORD}"),
    );
    let secrets = [
        PASSWORD,
        &PASSWORD.replace(' ', "+"),
        "hunter2",
        token,
        &token_number,
        created.api_key.expose(),
        created.encoded.expose(),
        basic.as_str(),
    ];
    for (number, secret) in secrets.iter().enumerate() {
        if let Some(at) = log.find(secret) {
            let line = log[..at].rfind('\n').map_or(0, |start| start + 1);
            panic!(
                "secret {number} is logged: {}",
                &log[line..(at + secret.len()).min(log.len())]
            );
        }
    }
}

/// What a log in JSON warns of.
fn warnings(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line["level"] == "WARN")
        .collect()
}

#[tokio::test]
async fn refused_origin_is_logged_with_what_was_compared_and_no_field_of_the_form() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(&directory.path().join("data"));
    command
        .env("ELASTIC_PASSWORD", PASSWORD)
        .env("AGENT_KEYS_LOG_FORMAT", "json");
    let running = Running::start(&mut command);
    // A session that is over, and a cookie that opens nothing, are no reason for a warning.
    for cookie in ["AAAAAAAAAAAAAAAAAAAAAA", "x"] {
        let mut browser = running.browser();
        let (_, port) = running.url.rsplit_once(':').unwrap();
        browser.cookie = Some(format!("agent-keys_{port}={cookie}"));
        assert_eq!(browser.get("/settings/agent-keys").await.status, 303);
    }
    for (origin, status) in [("http://backend:5680", 200), ("https://evil.example", 403)] {
        let request = running
            .browser()
            .request(Method::POST, "/api/sign_in?next=somewhere")
            .header("host", "backend:5680")
            .header("origin", origin)
            .header("accept", "application/x-postcard")
            .form(&[("username", "elastic"), ("password", PASSWORD)]);
        assert_eq!(Answer::of(request).await.status, status, "{origin}");
    }
    let warnings = warnings(&running.stop());
    let [warning] = warnings.as_slice() else {
        panic!("one warning: {warnings:?}");
    };
    let fields = json!({
        "message": "a form from another origin was refused; if it is your own, let the proxy pass \
                    Host on or set AGENT_KEYS_PUBLIC_URL",
        "origin": "https://evil.example",
        "host": "backend:5680",
        "sec_fetch_site": "",
        "public_url": "",
    });
    assert_eq!(warning["fields"], fields);
    // The path alone: a query may hold what a user typed.
    assert_eq!(warning["spans"][0]["url.path"], "/api/sign_in");
    let text = warning.to_string();
    assert!(
        !text.contains("somewhere") && !text.contains("elastic"),
        "{text}"
    );
}

#[tokio::test]
async fn ignored_forwarded_for_is_logged_once_with_the_peer() {
    let directory = tempfile::tempdir().unwrap();
    let logged = async |trusted: Option<&str>| {
        let mut command = command(&directory.path().join("data"));
        command.env("AGENT_KEYS_LOG_FORMAT", "json");
        if let Some(trusted) = trusted {
            command.env("AGENT_KEYS_TRUSTED_PROXIES", trusted);
        }
        let running = Running::start(&mut command);
        for caller in ["203.0.113.8", "203.0.113.9"] {
            let request = running
                .browser()
                .request(Method::GET, "/login")
                .header("x-forwarded-for", caller);
            assert_eq!(Answer::of(request).await.status, 200);
        }
        warnings(&running.stop())
    };
    let warnings = logged(None).await;
    let [warning] = warnings.as_slice() else {
        panic!("one warning: {warnings:?}");
    };
    let fields = json!({
        "message": "X-Forwarded-For is ignored: it came from an address that \
                    AGENT_KEYS_TRUSTED_PROXIES does not name",
        "peer": "127.0.0.1",
    });
    assert_eq!(warning["fields"], fields);
    // The control: nothing is ignored where the peer is trusted.
    assert_eq!(logged(Some("127.0.0.1")).await, Vec::<Value>::new());
}

#[test]
fn invalid_settings_end_the_process_with_a_message() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let error = fails(command(&data_dir).env("AGENT_KEYS_LISTN", "x"));
    assert_eq!(
        error,
        "agent-keys: unknown setting: AGENT_KEYS_LISTN; did you mean AGENT_KEYS_LISTEN?\n"
    );
    let error = fails(command(&data_dir).env("AGENT_KEYS_LISTEN", "0.0.0.0:0"));
    assert!(error.contains("AGENT_KEYS_INSECURE_HTTP=true"), "{error}");
    let error = fails(command(&data_dir).env("AGENT_KEYS_LOG", "=,"));
    assert!(error.starts_with("agent-keys: AGENT_KEYS_LOG: "), "{error}");
    let unreachable = "postgres://keys:hunter2@127.0.0.1:1/keys";
    let error = fails(command(&data_dir).env("AGENT_KEYS_DATABASE_URL", unreachable));
    assert!(error.contains("AGENT_KEYS_DATABASE_URL"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    let error = fails(command(&data_dir).args(["--config", "/no/such/file"]));
    assert!(error.contains("/no/such/file"), "{error}");
    assert!(!fails(command(&data_dir).arg("--no-such-flag")).is_empty());
}

#[test]
fn failed_first_start_does_not_lose_the_first_password() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for setting in ["AGENT_KEYS_LISTEN", "AGENT_KEYS_METRICS_LISTEN"] {
        let error = fails(command(&data_dir).env(setting, &address));
        assert!(error.contains(setting), "{error}");
    }
    let running = Running::start(&mut command(&data_dir));
    assert!(running.first_password.is_some());
    running.stop();
}

#[test]
fn empty_password_file_stops_the_first_start() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let file = directory.path().join("password");
    for text in ["", "\n", "a", "\u{feff}correct horse"] {
        std::fs::write(&file, text).unwrap();
        let error = fails(command(&data_dir).env("ELASTIC_PASSWORD_FILE", &file));
        assert!(
            error.contains("ELASTIC_PASSWORD_FILE: the secret "),
            "{error}"
        );
    }
    // No engine was made meanwhile, with any password.
    assert!(!data_dir.exists());
    std::fs::write(&file, "correct horse\n").unwrap();
    let running = Running::start(command(&data_dir).env("ELASTIC_PASSWORD_FILE", &file));
    assert_eq!(running.first_password, None);
    running.stop();
}

#[test]
fn variables_of_kubernetes_do_not_stop_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(&directory.path().join("data"));
    command.envs([
        ("AGENT_KEYS_SERVICE_HOST", "10.96.0.7"),
        ("AGENT_KEYS_SERVICE_PORT", "5680"),
        ("AGENT_KEYS_SERVICE_PORT_WEB", "5680"),
        ("AGENT_KEYS_PORT", "tcp://10.96.0.7:5680"),
        ("AGENT_KEYS_PORT_5680_TCP", "tcp://10.96.0.7:5680"),
        ("AGENT_KEYS_PORT_5680_TCP_PROTO", "tcp"),
        ("AGENT_KEYS_PORT_5680_TCP_PORT", "5680"),
        ("AGENT_KEYS_PORT_5680_TCP_ADDR", "10.96.0.7"),
    ]);
    Running::start(&mut command).stop();
    let error = fails(command.env("AGENT_KEYS_TEST_URL", "x"));
    assert!(
        error.contains("unknown setting: AGENT_KEYS_TEST_URL"),
        "{error}"
    );
}

#[test]
fn data_in_use_are_refused_to_a_second_process_and_to_commands_that_write() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let copy = directory.path().join("backup.db");
    let first = Running::start(&mut command(&data_dir));
    let backup = command(&data_dir)
        .arg("backup")
        .arg(&copy)
        .output()
        .unwrap();
    assert!(backup.status.success(), "{backup:?}");
    let refused = |command: &mut Command| {
        let error = fails(command);
        let expected = "agent-keys.lock is locked: another process of Agent Keys uses these data";
        assert!(error.contains(expected), "{error}");
    };
    refused(&mut command(&data_dir));
    refused(command(&data_dir).arg("restore").arg(&copy));
    refused(command(&data_dir).args(["reset-password", "elastic"]));
    assert!(!data_dir.join("agent-keys.db.before-restore").exists());
    // A database elsewhere is locked as well.
    let elsewhere = directory.path().join("elsewhere.db");
    let url = format!("sqlite://{}", elsewhere.display());
    let other = |name: &str| {
        let mut command = command(&directory.path().join(name));
        command.env("AGENT_KEYS_DATABASE_URL", &url);
        command
    };
    let second = Running::start(&mut other("one"));
    let error = fails(&mut other("two"));
    assert!(error.contains("elsewhere.db.lock is locked"), "{error}");
    second.stop();
    first.stop();
    let restore = command(&data_dir)
        .arg("restore")
        .arg(&copy)
        .output()
        .unwrap();
    assert!(restore.status.success(), "{restore:?}");
}

#[test]
fn killed_process_leaves_no_lock() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let mut first = Running::start(&mut command(&data_dir));
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    Running::start(&mut command(&data_dir)).stop();
}

#[test]
fn unprinted_new_password_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    Running::start(&mut command(&data_dir)).stop();
    let full = || {
        std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let mut reset = command(&data_dir);
    let status = reset
        .args(["reset-password", "elastic"])
        .stdout(full())
        .stderr(full())
        .status();
    // Not 101, with which a panic ends.
    assert_eq!(status.unwrap().code(), Some(1));
}

#[test]
fn restart_is_ready_within_its_limit() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    Running::start(&mut command(&data_dir)).stop();
    let began = Instant::now();
    let running = Running::start(&mut command(&data_dir));
    let took = began.elapsed();
    running.stop();
    println!("ready after {} ms", took.as_millis());
    // Ten times what an optimised build on a quiet machine may take.
    assert!(took < Duration::from_millis(1_500), "{took:?}");
}

#[tokio::test]
async fn backup_runs_online_and_restore_offline() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let file = directory.path().join("backup.db");
    let run = |arguments: &[&str]| {
        let file = file.to_str().unwrap();
        command(&data_dir)
            .args(arguments)
            .arg(file)
            .output()
            .unwrap()
    };
    let running = Running::start(command(&data_dir).env("ELASTIC_PASSWORD", PASSWORD));
    let mut browser = running.browser();
    browser.sign_in("elastic", PASSWORD).await;
    let kept: CreatedAgentKey = browser.create("before the backup").await.value();
    let output = run(&["backup"]);
    assert!(output.status.success(), "{output:?}");
    for name in ["backup.db", "backup.db.engine"] {
        let copy = std::fs::metadata(directory.path().join(name)).unwrap();
        assert_eq!(copy.permissions().mode() & 0o777, 0o600, "{name}");
    }
    // It is never written over.
    assert!(!run(&["backup"]).status.success());
    let lost: CreatedAgentKey = browser.create("after the backup").await.value();
    running.stop();

    let output = run(&["restore"]);
    assert!(output.status.success(), "{output:?}");
    let running = Running::start(&mut command(&data_dir));
    let mut browser = running.browser();
    browser.sign_in("elastic", PASSWORD).await;
    let find = async |id: &str| browser.post("find_agent_key", &[("id", id)]).await.status;
    assert_eq!(find(kept.id.as_str()).await, 200);
    assert_eq!(find(lost.id.as_str()).await, 404);
    running.stop();
    assert!(data_dir.join("engine.db.before-restore").exists());

    // A damaged copy is not put back.
    std::fs::remove_file(data_dir.join("engine.db.before-restore")).unwrap();
    std::fs::remove_file(data_dir.join("agent-keys.db.before-restore")).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[4_096..middle.max(8_192)] {
        *byte ^= 0x5a;
    }
    std::fs::write(&file, bytes).unwrap();
    let output = run(&["restore"]);
    assert!(!output.status.success());
    assert!(data_dir.join("agent-keys.db").exists());
}
