//! Log of the process: causes of faults outside, access lines, JSON from the first line, and changes of its level.

use crate::{
    support::{
        Answer, Browser, PASSWORD, client, client_with,
        engine::Engine,
        eventually,
        process::{Process, prepare},
        self_signed,
    },
    transport_tls::Authority,
};
use http::Method;
use platform::Clock;
use serde_json::Value;
use server::config::Trust;
use std::{
    fs::File,
    net::TcpListener,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

/// A process that logs to a file, in JSON.
struct Logging {
    directory: TempDir,
    command: Command,
}

impl Logging {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_agent-keys"));
        prepare(&mut command, &directory.path().join("data"));
        command
            .current_dir(directory.path())
            .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0")
            .env("ELASTIC_PASSWORD", PASSWORD)
            .env("AGENT_KEYS_LOG", "info")
            .env("AGENT_KEYS_LOG_FORMAT", "json")
            .stderr(File::create(directory.path().join("log")).unwrap());
        Self { directory, command }
    }

    fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Its lines so far. The last one may be half written.
    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path()).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
            .collect()
    }

    fn with_message(&self, message: &str) -> Vec<Value> {
        let mut lines = self.lines();
        lines.retain(|line| line["fields"]["message"] == message);
        lines
    }

    async fn has(&self, message: &str) -> Value {
        eventually(message, async || !self.with_message(message).is_empty()).await;
        self.with_message(message).remove(0)
    }
}

/// Starts without a first password, and says where it listens.
fn run(logging: &mut Logging) -> Process {
    Process::run_json(&mut logging.command)
}

const NO_ANSWER: &str = "no answer from Elasticsearch";

/// A server that does this to each connection.
async fn serve(
    each: impl Fn(tokio::net::TcpStream) -> futures::future::BoxFuture<'static, ()> + Send + 'static,
) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(each(stream));
        }
    });
    address.to_string()
}

#[tokio::test]
async fn fault_of_elasticsearch_is_logged_at_the_start_with_its_cause_and_once() {
    let engine = Engine::start(&Clock::system()).await;
    let directory = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let Trust::CaFile(ca_file) = ours.file(directory.path()) else {
        panic!("a file");
    };
    let tls = async |authority: &Authority, host: &str, expired: bool| {
        let config = authority.server(host, expired, false, None);
        let gateway = crate::transport::Gateway::start_tls(&engine, config).await;
        format!("https://localhost:{}", gateway.address.port())
    };
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let reset = serve(|stream| {
        Box::pin(async move {
            let stream = stream.into_std().unwrap();
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        })
    });
    let silent = serve(|stream| {
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(stream);
        })
    });
    let proxy = serve(|mut stream| {
        Box::pin(async move {
            let answer =
                "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes()).await;
        })
    });
    let plain =
        crate::transport::Gateway::start(&engine, crate::transport::Behaviour::Forwards).await;
    let plain = plain.address.port();
    let localhost = tls(&ours, "localhost", false).await;
    let faults = [
        (
            "http://no-such-host.invalid:9200".to_owned(),
            "failed to lookup address",
        ),
        (refused, "Connection refused"),
        (format!("http://{}", reset.await), "Connection reset"),
        (format!("http://{}", silent.await), "timed out"),
        (format!("http://{}", proxy.await), "with status 502"),
        (tls(&theirs, "localhost", false).await, "UnknownIssuer"),
        (
            tls(&ours, "other.example", false).await,
            "not valid for name",
        ),
        (tls(&ours, "localhost", true).await, "expired"),
        (format!("https://localhost:{plain}"), "is it http://?"),
        (localhost.replace("https", "http"), "is it https://?"),
    ];
    for (url, cause) in faults {
        let mut logging = Logging::new().env("AGENT_KEYS_ELASTICSEARCH_URL", &url);
        if url.starts_with("https") {
            logging = logging.env("AGENT_KEYS_ELASTICSEARCH_CA_FILE", &ca_file);
        }
        logging.command.env_remove("AGENT_KEYS_EMBEDDED_LISTEN");
        let process = run(&mut logging);
        let line = logging.has(NO_ANSWER).await;
        let told = line["fields"]["cause"].as_str().unwrap();
        assert!(told.contains(cause), "{url}: {told}");
        assert!(
            line["fields"]["address"]
                .as_str()
                .unwrap()
                .starts_with(&url)
        );
        // Nobody needs it told again with every request.
        for _ in 0..3 {
            process.nobody().get("/health/ready").await;
        }
        if cause != "timed out" {
            process.nobody().sign_in("elastic", PASSWORD).await;
        }
        let times = logging.with_message(NO_ANSWER);
        let same = times
            .iter()
            .filter(|other| other["fields"]["cause"] == told);
        assert_eq!(same.count(), 1, "{url}: {times:?}");
    }
    // The control: what works is told as well.
    let mut logging = Logging::new()
        .env("AGENT_KEYS_ELASTICSEARCH_URL", format!("{localhost}/es"))
        .env("AGENT_KEYS_ELASTICSEARCH_CA_FILE", &ca_file);
    let _process = run(&mut logging);
    logging.has("Elasticsearch answers").await;
    assert!(logging.with_message(NO_ANSWER).is_empty());
}

#[tokio::test]
async fn access_line_names_client_user_bytes_and_the_ids_of_a_trusted_proxy() {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for trusted in [true, false] {
        let mut logging = Logging::new();
        if trusted {
            logging = logging.env("AGENT_KEYS_TRUSTED_PROXIES", "127.0.0.1");
        }
        let process = run(&mut logging);
        let admin = process.as_user("elastic").await;
        let request = admin
            .request(Method::GET, "/settings/sessions?q=typed")
            .header("x-forwarded-for", "203.0.113.9")
            .header("x-request-id", "from-the-proxy:1")
            .header("traceparent", trace);
        let answer = Answer::of(request).await;
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert_eq!(id == "from-the-proxy:1", trusted, "{id}");
        process.nobody().get("/health/ready").await;
        let find = || {
            let mut lines = logging.with_message("answered");
            lines.retain(|line| line["spans"][0]["url.path"] == "/settings/sessions");
            lines
        };
        eventually("the line", async || !find().is_empty()).await;
        let line = find().remove(0);
        let (fields, span) = (&line["fields"], &line["spans"][0]);
        let address = if trusted { "203.0.113.9" } else { "127.0.0.1" };
        assert_eq!(fields["client.address"], address);
        assert_eq!(fields["user.name"], "elastic");
        assert_eq!(fields["http.response.status_code"], 200);
        assert_eq!(fields["http.response.body.bytes"], answer.body.len());
        assert_eq!(span["request.id"], id);
        let trace_id = &span["trace.id"];
        assert_eq!(trace_id.as_str().is_some(), trusted, "{trace_id}");
        assert!(!line.to_string().contains("typed"), "{line}");
        // Probes come every few seconds, and say nothing.
        let lines = logging.lines();
        assert!(
            !lines
                .iter()
                .any(|line| line.to_string().contains("/health/"))
        );
    }
}

#[tokio::test]
async fn every_line_is_json_from_the_first_one_also_of_a_failed_start() {
    let mut logging = Logging::new();
    logging.command.env_remove("ELASTIC_PASSWORD");
    let mut child = logging.command.spawn().unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = || -> Value {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let password = line();
    assert_eq!(password["message"], "First-run password of elastic");
    let ready = line();
    assert_eq!(ready["message"], "Agent Keys is ready");
    let browser = Browser {
        url: ready["url"].as_str().unwrap().to_owned(),
        cookie: None,
        user: None,
        http: client(),
    };
    let password = password["password"].as_str().unwrap();
    assert_eq!(
        browser.clone().sign_in("elastic", password).await.status,
        200
    );
    logging.has("answered").await;
    child.kill().unwrap();
    child.wait().unwrap();
    for (name, value, message) in [
        (
            "AGENT_KEYS_LISTEN",
            "nowhere",
            "AGENT_KEYS_LISTEN: use an IP address",
        ),
        (
            "AGENT_KEYS_LISTEN",
            "192.0.2.1:1",
            "AGENT_KEYS_LISTEN is 192.0.2.1:1: plain HTTP",
        ),
        (
            "AGENT_KEYS_TLS_CERT_FILE",
            "/no/such/file",
            "AGENT_KEYS_TLS_CERT_FILE is set",
        ),
        (
            "AGENT_KEYS_DATABASE_URL",
            "postgres://a:b@127.0.0.1:1/x",
            "AGENT_KEYS_DATABASE_URL",
        ),
    ] {
        let mut logging = Logging::new().env(name, value);
        assert!(!logging.command.output().unwrap().status.success());
        let lines = logging.lines();
        let last = lines.last().unwrap();
        assert_eq!(last["level"], "ERROR");
        let told = last["fields"]["message"].as_str().unwrap();
        assert!(told.starts_with(message), "{told}");
    }
}

#[tokio::test]
async fn hang_up_reads_the_level_of_the_log_again_and_keeps_it_if_the_settings_are_wrong() {
    let mut logging = Logging::new();
    let settings = logging.directory.path().join("agent-keys.toml");
    std::fs::write(&settings, "log = \"warn\"\n").unwrap();
    logging.command.env_remove("AGENT_KEYS_LOG");
    let mut process = run(&mut logging);
    process.nobody().get("/login").await;
    std::fs::write(&settings, "log = \"info\"\n").unwrap();
    process.signal("HUP");
    eventually("it logs more", async || {
        process.nobody().get("/login").await;
        !logging.with_message("answered").is_empty()
    })
    .await;
    std::fs::write(&settings, "log = \"nonsense\"\n").unwrap();
    process.signal("HUP");
    let line = logging
        .has("the settings cannot be read, and stay as they were")
        .await;
    assert!(
        line["fields"]["error"]
            .as_str()
            .unwrap()
            .starts_with("log: use off")
    );
    assert!(process.ended().is_none());
    let before = logging.with_message("answered").len();
    eventually("it still logs", async || {
        process.nobody().get("/login").await;
        logging.with_message("answered").len() > before
    })
    .await;
}

#[tokio::test]
async fn service_manager_is_told_when_the_process_is_ready_reloads_and_stops() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let told = || {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let mut logging = Logging::new().env("NOTIFY_SOCKET", &path);
    let mut process = run(&mut logging);
    assert_eq!(told().trim_end(), "READY=1");
    assert_eq!(process.nobody().get("/health/ready").await.text(), "ready");
    process.signal("HUP");
    assert!(told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(told().trim_end(), "READY=1");
    process.signal("TERM");
    assert_eq!(told().trim_end(), "STOPPING=1");
    eventually("it has ended", async || process.ended().is_some()).await;
}

/// Writes a certificate for this machine with a fresh key.
fn write_certificate(directory: &Path, authority: &Authority, expired: bool) -> [PathBuf; 2] {
    let (certificate, key) = authority.issue("localhost", expired);
    let paths = ["cert.pem", "key.pem"].map(|name| directory.join(name));
    std::fs::write(&paths[0], certificate).unwrap();
    std::fs::write(&paths[1], key).unwrap();
    paths
}

#[tokio::test]
async fn expired_certificate_is_told_at_the_start_on_reload_and_by_a_metric() {
    const EXPIRED: &str =
        "the certificate of AGENT_KEYS_TLS_CERT_FILE has expired: browsers refuse it";
    const VALID: &str = "the certificate of AGENT_KEYS_TLS_CERT_FILE is valid";
    let authority = Authority::new("web");
    let directory = tempfile::tempdir().unwrap();
    let [cert, key] = write_certificate(directory.path(), &authority, true);
    let metrics = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics_address = metrics.local_addr().unwrap().to_string();
    drop(metrics);
    let mut logging = Logging::new()
        .env("AGENT_KEYS_TLS_CERT_FILE", cert)
        .env("AGENT_KEYS_TLS_KEY_FILE", key)
        .env("AGENT_KEYS_METRICS_LISTEN", &metrics_address);
    let process = run(&mut logging);
    let line = logging.has(EXPIRED).await;
    assert_eq!(line["fields"]["until"], "2021-01-01T00:00:00.000Z");
    let end = async || {
        let answer = client_with(|builder| builder)
            .get(format!("http://{metrics_address}/metrics"))
            .send();
        let text = answer.await.unwrap().text().await.unwrap();
        let mut lines = text.lines();
        let name = "agent_keys_certificate_end_timestamp_seconds{certificate=\"web\"} ";
        let value = lines.find_map(|line| line.strip_prefix(name)).unwrap();
        value.parse::<i64>().unwrap()
    };
    assert_eq!(end().await, 1_609_459_200);
    write_certificate(directory.path(), &authority, false);
    process.signal("HUP");
    logging.has(VALID).await;
    assert!(end().await > 1_900_000_000);
    let times = logging.with_message(EXPIRED).len();
    write_certificate(directory.path(), &authority, true);
    process.signal("HUP");
    eventually("it is told", async || {
        logging.with_message(EXPIRED).len() > times
    })
    .await;
}

#[tokio::test]
async fn two_instances_on_one_host_do_not_sign_each_other_out() {
    let (one, other) = (Logging::new(), Logging::new());
    let [one, other] = [one, other].map(|mut logging| (run(&mut logging), logging));
    let (mut first, second) = (
        one.0.as_user("elastic").await,
        other.0.as_user("elastic").await,
    );
    // A browser sends the cookies of a host to each of its ports.
    let cookies = format!("{}; {}", second.cookie.unwrap(), first.cookie.unwrap());
    first.cookie = Some(cookies.clone());
    let mut second = other.0.nobody();
    second.cookie = Some(cookies);
    for browser in [first, second] {
        let page = browser.get("/settings/sessions").await;
        assert_eq!(page.status, 200);
        assert!(page.header("set-cookie").is_none());
    }
}

#[tokio::test]
async fn paused_sign_in_is_told_and_a_refused_origin_is_shown_with_the_host_and_the_setting() {
    let mut logging = Logging::new();
    let process = run(&mut logging);
    for _ in 0..4 {
        process.nobody().sign_in("elastic", "wrong password").await;
    }
    logging
        .has("a sign-in is paused after too many failures: the password was not checked")
        .await;
    let request = process
        .nobody()
        .request(Method::POST, "/api/sign_in")
        .header("host", "backend:5680")
        .header("origin", "https://keys.example.com")
        .header("accept", "text/html")
        .form(&[("username", "elastic"), ("password", PASSWORD)]);
    let text = Answer::of(request).await.text();
    for part in [
        "https://keys.example.com",
        "backend:5680",
        "AGENT_KEYS_PUBLIC_URL",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn unusable_certificate_and_key_files_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let files = self_signed(directory.path());
    let failure = || {
        let logging = Logging::new()
            .env("AGENT_KEYS_TLS_CERT_FILE", &files.cert)
            .env("AGENT_KEYS_TLS_KEY_FILE", &files.key);
        let mut logging = logging;
        assert!(!logging.command.output().unwrap().status.success());
        let lines = logging.lines();
        lines.last().unwrap()["fields"].to_string()
    };
    let key = std::fs::read_to_string(&files.key).unwrap();
    let certificate = std::fs::read_to_string(&files.cert).unwrap();
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    std::fs::write(&files.key, encrypted).unwrap();
    assert!(failure().contains("key.pem is encrypted"));
    std::fs::write(&files.key, &key).unwrap();
    std::fs::write(&files.cert, "").unwrap();
    assert!(failure().contains("cert.pem is empty"));
    // Of another key.
    std::fs::write(&files.cert, certificate).unwrap();
    let other = tempfile::tempdir().unwrap();
    std::fs::copy(self_signed(other.path()).key, &files.key).unwrap();
    assert!(failure().contains("cannot be used together"));
}
