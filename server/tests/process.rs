//! The process: how it ends, what it leaves behind, and what it takes while it runs.

use crate::support::{
    Browser, PASSWORD, client, client_with,
    engine::Engine,
    eventually, key_form,
    process::{Process, heedless, limit_files, prepare},
    proxy::{Fault, Gate, Proxy},
    self_signed, soak,
};
use app::model::{agent_key::Delivery, key_list::KeyListPage, new_agent_key::CreatedAgentKey};
use http::StatusCode;
use platform::Clock;
use std::{
    net::TcpListener,
    os::unix::fs::FileExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

const CREATE: &str = "POST /_security/api_key";

/// An engine that outlives the process, and a user of it.
async fn beginning() -> (Engine, Proxy, TempDir) {
    let engine = Engine::start(&Clock::system()).await;
    engine.put_agent_key_role().await;
    engine.put_user("ada", &["apm_agent_key_role"]).await;
    let proxy = Proxy::start(engine.address()).await;
    (engine, proxy, tempfile::tempdir().unwrap())
}

/// Creations that Elasticsearch has carried out, and whose answers are still on the way.
async fn in_flight(
    count: usize,
    browser: &Browser,
    engine: &Engine,
) -> Vec<JoinHandle<Option<StatusCode>>> {
    let tasks = (0..count).map(|number| {
        let browser = browser.clone();
        tokio::spawn(async move {
            let operation = format!("in-flight-{number}");
            let form = key_form(&operation, "in flight");
            let answer = browser.try_post("create_agent_key", &form).await;
            answer.map(|answer| answer.status)
        })
    });
    let tasks = tasks.collect();
    eventually("Elasticsearch has made every key", async || {
        engine.keys().await.len() == count
    })
    .await;
    tasks
}

async fn nobody_is_taken_in(process: &Process) {
    let address = process.address();
    eventually("nobody is taken in", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
}

/// The certificate that a listener shows.
async fn certificate(url: &str) -> Vec<u8> {
    let client = client_with(|builder| builder.tls_info(true));
    let answer = client.get(format!("{url}/health/live")).send().await;
    let answer = answer.unwrap();
    let about = answer.extensions().get::<reqwest::tls::TlsInfo>().unwrap();
    about.peer_certificate().unwrap().to_vec()
}

async fn deliveries(process: &Process) -> Vec<Delivery> {
    let ada = process.as_user("ada").await;
    // The first look finds out what is open.
    ada.list(|query| query.rows = 100).await;
    let page: KeyListPage = ada.list(|query| query.rows = 100).await.value();
    page.keys.into_iter().map(|key| key.delivery).collect()
}

#[tokio::test]
async fn shutdown_finishes_creations_and_accepts_no_requests() {
    let creations = soak(12, 30);
    let (engine, proxy, directory) = beginning().await;
    let mut process = Process::start(directory.path(), &proxy.url());
    let ada = process.as_user("ada").await;
    let gate = Gate::default();
    proxy.fail(CREATE, Fault::Late(gate.clone()));
    let under_way = in_flight(creations, &ada, &engine).await;
    process.signal("TERM");
    let began = Instant::now();
    nobody_is_taken_in(&process).await;
    println!("closed after {} ms", began.elapsed().as_millis());
    // The process waits for them, however long that is.
    assert!(process.ended().is_none());
    gate.open();
    let mut answered = 0;
    for creation in under_way {
        answered += usize::from(creation.await.unwrap() == Some(StatusCode::OK));
    }
    assert_eq!(answered, creations);
    eventually("it has ended", async || process.ended().is_some()).await;
    println!("ended after {} ms", began.elapsed().as_millis());
    assert!(process.ended().is_some_and(|status| status.success()));
    proxy.heal();
    let next = Process::start(directory.path(), &proxy.url());
    let deliveries = deliveries(&next).await;
    assert_eq!(deliveries.len(), creations);
    let lost = [Delivery::Never, Delivery::NotRecorded];
    assert!(!deliveries.iter().any(|delivery| lost.contains(delivery)));
}

#[tokio::test]
async fn hanging_elasticsearch_holds_a_stop_for_less_than_ten_seconds_and_is_recorded() {
    let (engine, proxy, directory) = beginning().await;
    let mut process = Process::start(directory.path(), &proxy.url());
    let ada = process.as_user("ada").await;
    // So that the stop is announced first, which is its longest way.
    assert_eq!(readiness(&process).await, "ready");
    proxy.fail(CREATE, Fault::Late(Gate::default()));
    let under_way = in_flight(3, &ada, &engine).await;
    process.signal("TERM");
    let began = Instant::now();
    for creation in under_way {
        // Not a closed connection: the page says that it is not known.
        let status = creation.await.unwrap();
        assert_eq!(status, Some(StatusCode::GATEWAY_TIMEOUT));
    }
    eventually("it has ended", async || process.ended().is_some()).await;
    let took = began.elapsed();
    println!("ended after {} ms", took.as_millis());
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(process.ended().is_some_and(|status| status.success()));
    proxy.heal();
    let next = Process::start(directory.path(), &proxy.url());
    // The outcomes were on the disk, and the keys are found and revoked, as nobody has their secrets.
    let deliveries = deliveries(&next).await;
    assert_eq!(deliveries, [Delivery::Never; 3]);
    assert!(
        engine
            .keys()
            .await
            .iter()
            .all(|key| key["invalidated"] == true)
    );
}

#[tokio::test]
async fn second_signal_stops_at_once_and_loses_nothing() {
    let creations = soak(8, 30);
    let (engine, proxy, directory) = beginning().await;
    let mut process = Process::start(directory.path(), &proxy.url());
    let ada = process.as_user("ada").await;
    // The gate stays shut: nothing but the second signal can end this.
    proxy.fail(CREATE, Fault::Late(Gate::default()));
    let under_way = in_flight(creations, &ada, &engine).await;
    process.signal("TERM");
    nobody_is_taken_in(&process).await;
    assert!(process.ended().is_none());
    process.signal("INT");
    let began = Instant::now();
    eventually("it has ended", async || process.ended().is_some()).await;
    println!("ended after {} ms", began.elapsed().as_millis());
    for creation in under_way {
        assert_eq!(creation.await.unwrap(), None, "nobody was answered");
    }
    proxy.heal();
    let next = Process::start(directory.path(), &proxy.url());
    // Nobody has these secrets, so the keys are revoked.
    let deliveries = deliveries(&next).await;
    let never = |delivery: &&Delivery| **delivery == Delivery::Never;
    let held = deliveries.iter().filter(never).count();
    assert_eq!(held, creations);
    let keys = engine.keys().await;
    assert!(keys.iter().all(|key| key["invalidated"] == true));
}

/// How often these bytes are in the memory that the process may write to. Nothing where that may not be read.
fn times_in_memory(process: &Process, wanted: &[u8]) -> Option<usize> {
    let memory = std::fs::File::open(format!("/proc/{}/mem", process.id())).ok()?;
    let mut times = 0;
    for line in process.about("maps").lines() {
        let mut words = line.split_whitespace();
        let (from, to) = words.next()?.split_once('-')?;
        if !words.next()?.starts_with("rw") {
            continue;
        }
        let (from, to) = (
            u64::from_str_radix(from, 16).ok()?,
            u64::from_str_radix(to, 16).ok()?,
        );
        let mut bytes = vec![0; usize::try_from(to - from).ok()?];
        // Some of it is the kernel's own.
        let read = memory.read_at(&mut bytes, from).unwrap_or(0);
        let (first, rest) = wanted.split_first()?;
        let begins = bytes[..read].iter().enumerate();
        times += begins
            .filter(|(at, byte)| *byte == first && bytes[at + 1..].starts_with(rest))
            .count();
    }
    Some(times)
}

/// A process whose log goes to `stderr`, and the address of its metrics.
fn with_log(data_dir: &Path, level: &str, stderr: Stdio) -> (Process, String) {
    let metrics = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics_address = metrics.local_addr().unwrap().to_string();
    drop(metrics);
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-keys"));
    prepare(&mut command, data_dir);
    command
        .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0")
        .env("AGENT_KEYS_METRICS_LISTEN", &metrics_address)
        .env("AGENT_KEYS_LOG", level)
        .env("ELASTIC_PASSWORD", PASSWORD)
        .stderr(stderr);
    (Process::run(&mut command), metrics_address)
}

async fn dropped_lines(metrics: &str) -> i64 {
    let response = client().get(format!("http://{metrics}/metrics")).send();
    let text = response.await.unwrap().text().await.unwrap();
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix("agent_keys_log_lines_dropped_total "));
    line.unwrap().parse().unwrap()
}

async fn readiness(process: &Process) -> String {
    process.nobody().get("/health/ready").await.text()
}

async fn key_is_created_and_its_secret_recorded_as_sent(process: &Process) {
    let admin = process.as_user("elastic").await;
    admin
        .create("without a log")
        .await
        .value::<CreatedAgentKey>();
    eventually("the secret is recorded as sent", async || {
        let export = admin.get("/settings/audit/export.jsonl").await.text();
        export.contains("agent_key_secret_sent")
    })
    .await;
}

#[tokio::test]
async fn unwritable_log_stops_nothing_and_is_reported() {
    let full = || std::fs::File::options().write(true).open("/dev/full");
    let (closed, pipe) = std::io::pipe().unwrap();
    drop(closed);
    for stderr in [Stdio::from(full().unwrap()), Stdio::from(pipe)] {
        let directory = tempfile::tempdir().unwrap();
        let (mut process, metrics) = with_log(directory.path(), "info", stderr);
        key_is_created_and_its_secret_recorded_as_sent(&process).await;
        eventually("readiness reports it", async || {
            readiness(&process).await == "ready, without a log"
        })
        .await;
        assert!(dropped_lines(&metrics).await > 0);
        process.signal("TERM");
        eventually("it has ended", async || process.ended().is_some()).await;
        assert!(process.ended().is_some_and(|status| status.success()));
    }
}

#[tokio::test]
async fn stalled_reader_of_the_log_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    // The pipe is not read. It holds 64 KiB, and the process 4,096 lines.
    let (reader, pipe) = std::io::pipe().unwrap();
    let (process, metrics) = with_log(directory.path(), "trace", Stdio::from(pipe));
    key_is_created_and_its_secret_recorded_as_sent(&process).await;
    let browser = process.nobody();
    eventually("lines are dropped", async || {
        let pages = (0..16).map(|_| browser.get("/login"));
        let pages = futures::future::join_all(pages).await;
        assert!(pages.iter().all(|page| page.status == StatusCode::OK));
        dropped_lines(&metrics).await > 0
    })
    .await;
    assert_eq!(readiness(&process).await, "ready, without a log");
    // The control: with a reader again, lines are written.
    let drained = std::thread::spawn(move || std::io::copy(&mut { reader }, &mut std::io::sink()));
    eventually("the log is written again", async || {
        readiness(&process).await == "ready"
    })
    .await;
    drop(process);
    assert!(drained.join().unwrap().unwrap() > 64 * 1024);
}

#[tokio::test]
async fn hang_up_reads_certificates_again_and_does_not_end_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let files = self_signed(directory.path());
    let audit_log = directory.path().join("audit.jsonl");
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-keys"));
    prepare(&mut command, &directory.path().join("data"));
    command
        .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0")
        .env("AGENT_KEYS_TLS_CERT_FILE", &files.cert)
        .env("AGENT_KEYS_TLS_KEY_FILE", &files.key)
        .env("AGENT_KEYS_AUDIT_LOG", &audit_log)
        .env("ELASTIC_PASSWORD", PASSWORD);
    let mut process = Process::run(&mut command);
    let before = certificate(&process.url).await;
    let modified = std::fs::metadata(&files.cert).unwrap().modified().unwrap();
    self_signed(directory.path());
    // The same time as before, so that only the signal can make a difference.
    for path in [&files.cert, &files.key] {
        let file = std::fs::File::options().append(true).open(path).unwrap();
        file.set_modified(modified).unwrap();
    }
    process.signal("HUP");
    eventually("the new certificate is served", async || {
        certificate(&process.url).await != before
    })
    .await;
    assert!(process.ended().is_none());
    // Unusable files are an event once, however often they are tried.
    std::fs::write(&files.cert, "half a certificate").unwrap();
    process.signal("HUP");
    let events = || -> Vec<String> {
        let lines = std::fs::read_to_string(&audit_log).unwrap_or_default();
        lines
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|event| {
                let event = &event["event"];
                format!("{} {}", event["action"], event["outcome"]).replace('"', "")
            })
            .collect()
    };
    eventually("the failure is recorded", async || {
        events()
            .last()
            .is_some_and(|last| last == "tls_reload failure")
    })
    .await;
    process.signal("HUP");
    process.signal("TERM");
    eventually("it has ended", async || process.ended().is_some()).await;
    assert_eq!(
        events(),
        [
            "app_start success",
            "tls_reload success",
            "tls_reload failure",
            "app_stop success"
        ]
    );
}

#[tokio::test]
async fn stalled_clients_hold_a_stop_for_less_than_ten_seconds() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::with_engine(directory.path());
    assert_eq!(readiness(&process).await, "ready");
    let connect = async || TcpStream::connect(process.address()).await.unwrap();
    let (mut idle, mut body, mut http2) = (connect().await, connect().await, connect().await);
    let request = "GET /health/live HTTP/1.1\r\nhost: keys\r\n\r\n";
    idle.write_all(request.as_bytes()).await.unwrap();
    let request = "POST /api/sign_in HTTP/1.1\r\nhost: keys\r\ncontent-length: 9\r\n\r\nu";
    body.write_all(request.as_bytes()).await.unwrap();
    // Preface and settings; GOAWAY is not answered.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    http2.write_all(preface).await.unwrap();
    assert!(http2.read_u8().await.is_ok());
    process.signal("TERM");
    let began = Instant::now();
    // Load balancers see it before connections are refused.
    eventually("readiness says so", async || {
        readiness(&process).await == "not ready: the process stops"
    })
    .await;
    eventually("it has ended", async || process.ended().is_some()).await;
    let took = began.elapsed();
    println!("ended after {} ms", took.as_millis());
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(process.ended().is_some_and(|status| status.success()));
}

#[tokio::test]
async fn readiness_fails_while_the_database_cannot_be_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = heedless();
    prepare(&mut command, directory.path());
    command
        .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0")
        .env("ELASTIC_PASSWORD", PASSWORD);
    let process = Process::run(&mut command);
    assert_eq!(readiness(&process).await, "ready");
    if !limit_files(&process, "0") {
        println!("nothing shown: this machine has no prlimit");
        return;
    }
    process.nobody().sign_in("elastic", "wrong password").await;
    let answer = process.nobody().get("/health/ready").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.text(), "not ready: the database cannot be written");
    assert!(limit_files(&process, "unlimited"));
    assert_eq!(readiness(&process).await, "ready");
}

#[tokio::test]
async fn no_core_dump_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::with_engine(directory.path());
    let limits = process.about("limits");
    let line = limits.lines().find(|line| line.starts_with("Max core"));
    let words: Vec<_> = line.unwrap().split_whitespace().collect();
    assert_eq!(words, ["Max", "core", "file", "size", "0", "0", "bytes"]);
}

#[tokio::test]
async fn secret_of_a_key_is_wiped_from_memory_after_its_request() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::with_engine(directory.path());
    let admin = process.as_user("elastic").await;
    let created: CreatedAgentKey = admin.create("in memory").await.value();
    let times = |secret: &str| times_in_memory(&process, secret.as_bytes());
    if times("agent-keys").is_none() {
        println!("nothing shown: the memory of a process may not be read here");
        return;
    }
    eventually("it is wiped", async || {
        times(created.api_key.expose()) == Some(0)
    })
    .await;
    // The control: the name of a running binary is found.
    assert!(times("agent-keys").is_some_and(|times| times > 0));
}

#[tokio::test]
async fn repeated_requests_do_not_grow_memory() {
    let rounds = soak(8, 1_000);
    let directory = tempfile::tempdir().unwrap();
    let process = Process::with_engine(directory.path());
    let admin = process.as_user("elastic").await;
    let look = || (process.memory_kib("VmRSS"), process.files());
    let once = async || {
        let created: CreatedAgentKey = admin.create("again").await.value();
        assert_eq!(admin.get("/settings/agent-keys").await.status, 200);
        let fields = [("id", created.id.as_str())];
        let revoked = admin.post("revoke_agent_key", &fields).await;
        assert_eq!(revoked.status, StatusCode::OK, "{}", revoked.text());
        // Browsers that come, fail and go.
        let mut other = process.nobody();
        let answer = other.sign_in("elastic", PASSWORD).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(other.post("sign_out", &[]).await.status, StatusCode::OK);
    };
    for _ in 0..rounds.min(200) {
        once().await;
    }
    let (memory, files) = look();
    for _ in 0..rounds {
        once().await;
    }
    let (memory_after, files_after) = look();
    println!("memory: {memory} KiB, and after {rounds} rounds {memory_after} KiB");
    println!("files: {files}, and afterwards {files_after}");
    // A connection for each browser that went would be far more.
    eventually("the files are closed", async || {
        process.files() <= files + 5
    })
    .await;
    // Far above what it is, far below a leak of a page for each request.
    let growth = memory_after - memory;
    assert!(growth < 65_536, "{growth} KiB in {rounds} rounds");
}
