//! Faults under load: two processes of the shipped binary, one with the embedded engine and one in front of it, users who
//! work, and faults of every kind. Afterwards the promises are checked. `cargo xtask soak` runs it.

mod promises;
mod users;

use crate::support::{
    Answer, PASSWORD, client, eventually,
    process::{Process, limit_files, prepare},
    proxy::{Fault, Proxy},
};
use fastrand::Rng;
use http::Method;
use promises::{check_keys, check_lines, check_secrets, unrecorded};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::File,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::sleep;
use users::{Shared, browser_at, export, export_again, sign_in, work};

const USERS: [&str; 4] = ["ada", "ben", "cleo", "dora"];
/// Longest time from a signal to the end of a process.
const STOP_MAX: Duration = Duration::from_secs(10);
/// Longest time from the end of a fault to a ready process, on a busy machine.
const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// Longest time until an open creation is settled: it may be under way for half a minute.
const SETTLED_MAX: Duration = Duration::from_secs(90);
/// An optimised build takes 20 MiB when it is idle.
const MEMORY_KIB_MAX: i64 = 256 * 1024;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    KillApplication,
    KillEngine,
    KillBoth,
    StopApplication,
    StopApplicationInMidRequest,
    RestartEngine,
    HangUpSignal,
    Refuse,
    CloseConnections,
    Hang,
    Slow,
    CutAnswers,
    LoseAnswersToCreations,
    GatewayError,
    FullDiskOfApplication,
    FullDiskOfEngine,
}

const KINDS: [Kind; 16] = [
    Kind::KillApplication,
    Kind::KillEngine,
    Kind::KillBoth,
    Kind::StopApplication,
    Kind::StopApplicationInMidRequest,
    Kind::RestartEngine,
    Kind::HangUpSignal,
    Kind::Refuse,
    Kind::CloseConnections,
    Kind::Hang,
    Kind::Slow,
    Kind::CutAnswers,
    Kind::LoseAnswersToCreations,
    Kind::GatewayError,
    Kind::FullDiskOfApplication,
    Kind::FullDiskOfEngine,
];

/// One of the two processes.
struct Part {
    process: Option<Process>,
    data_dir: PathBuf,
    log: PathBuf,
    settings: Vec<(&'static str, String)>,
    address: SocketAddr,
}

impl Part {
    fn start(&mut self) {
        let binary = std::env::var("AGENT_KEYS_SOAK_BINARY");
        let binary = binary.unwrap_or_else(|_| env!("CARGO_BIN_EXE_agent-keys").to_owned());
        // A write beyond a limit fails, as on a full disk, and does not end the process.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\"", &binary]);
        prepare(&mut command, &self.data_dir);
        let log = File::options().append(true).create(true).open(&self.log);
        command
            .env("AGENT_KEYS_LOG", "debug")
            .env("AGENT_KEYS_LISTEN", self.address.to_string())
            .env("ELASTIC_PASSWORD", PASSWORD)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stderr(log.unwrap());
        self.process = Some(Process::run(&mut command));
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    fn kill(&mut self) {
        drop(self.process.take());
    }

    /// Ends it in peace; the time that took.
    async fn stop(&mut self) -> Duration {
        let mut process = self.process.take().unwrap();
        let began = Instant::now();
        process.signal("TERM");
        loop {
            if let Some(status) = process.ended() {
                assert!(status.success(), "a stop ended with {status}");
                return began.elapsed();
            }
            assert!(began.elapsed() < 3 * STOP_MAX, "a process did not stop");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A request straight to the engine.
async fn ask(engine: SocketAddr, method: Method, path: &str, body: Value) -> Value {
    let request = client()
        .request(method, format!("http://{engine}{path}"))
        .basic_auth("elastic", Some(PASSWORD))
        .json(&body);
    let answer = Answer::of(request).await;
    assert!(answer.status.is_success(), "{path}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

async fn prepare_engine(engine: SocketAddr) {
    let application = |name: &str, privileges: &[&str], resource: &str| json!({ "application": name, "privileges": privileges, "resources": [resource] });
    let role = json!({
        "cluster": ["manage_own_api_key"],
        "applications": [
            application("apm", &["event:write", "config_agent:read"], "*"),
            application("kibana-.kibana", &["feature_apm.all"], "space:default"),
        ],
    });
    let path = "/_security/role/apm_agent_key_role";
    ask(engine, Method::PUT, path, role).await;
    for user in USERS {
        let body = json!({ "password": PASSWORD, "roles": ["apm_agent_key_role"] });
        ask(
            engine,
            Method::PUT,
            &format!("/_security/user/{user}"),
            body,
        )
        .await;
    }
}

/// Figures of the faults.
#[derive(Debug, Default)]
struct Figures {
    faults: BTreeMap<Kind, usize>,
    longest_stop: Duration,
    longest_recovery: Duration,
    memory_kib: i64,
}

/// Both processes, and the way between them.
struct Site {
    application: Part,
    engine: Part,
    proxy: Proxy,
    figures: Figures,
}

impl Site {
    async fn strike(&mut self, kind: Kind, random: &mut Rng) {
        let memory = self.application.process().memory_kib("VmRSS");
        self.figures.memory_kib = self.figures.memory_kib.max(memory);
        let hold = Duration::from_millis(random.u64(100..1_200));
        match kind {
            Kind::KillApplication => {
                self.application.kill();
                sleep(hold / 4).await;
                self.application.start();
            }
            Kind::KillEngine => {
                self.engine.kill();
                sleep(hold).await;
                self.engine.start();
            }
            Kind::KillBoth => {
                self.application.kill();
                self.engine.kill();
                self.engine.start();
                self.application.start();
            }
            Kind::StopApplication => self.stop_application().await,
            Kind::StopApplicationInMidRequest => {
                self.proxy.fail("", Fault::Silence(Duration::from_secs(20)));
                sleep(hold / 4).await;
                self.stop_application().await;
            }
            Kind::RestartEngine => {
                let took = self.engine.stop().await;
                self.figures.longest_stop = self.figures.longest_stop.max(took);
                self.engine.start();
            }
            Kind::HangUpSignal => self.application.process().signal("HUP"),
            Kind::Refuse => {
                self.proxy.refuse().await;
                sleep(hold).await;
                self.proxy.stop_refusing().await;
            }
            Kind::FullDiskOfApplication | Kind::FullDiskOfEngine => {
                let part = match kind {
                    Kind::FullDiskOfApplication => &self.application,
                    _ => &self.engine,
                };
                let bytes = random.u32(4_096..65_536).to_string();
                assert!(limit_files(part.process(), &bytes), "prlimit is needed");
                sleep(hold).await;
                assert!(limit_files(part.process(), "unlimited"));
            }
            Kind::CloseConnections => self.fail_for(hold, "", Fault::Hangup).await,
            Kind::Hang => {
                let silence = Fault::Silence(Duration::from_secs(20));
                self.fail_for(2 * hold, "", silence).await;
            }
            Kind::Slow => {
                self.proxy.delay(hold / 4);
                sleep(hold).await;
                self.proxy.delay(Duration::ZERO);
            }
            Kind::CutAnswers => {
                let bytes = random.usize(1..600);
                self.fail_for(hold, "", Fault::CutAfter(bytes)).await;
            }
            Kind::LoseAnswersToCreations => {
                let creations = "POST /_security/api_key";
                self.fail_for(hold, creations, Fault::CutAfter(0)).await;
            }
            Kind::GatewayError => {
                let answer = "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno\n";
                self.fail_for(hold, "", Fault::Answer(answer)).await;
            }
        }
        self.proxy.heal();
        let took = self.recovery(kind).await;
        self.figures.longest_recovery = self.figures.longest_recovery.max(took);
        *self.figures.faults.entry(kind).or_default() += 1;
    }

    async fn fail_for(&self, time: Duration, on: &str, fault: Fault) {
        self.proxy.fail(on, fault);
        sleep(time).await;
        self.proxy.heal();
    }

    async fn stop_application(&mut self) {
        let took = self.application.stop().await;
        self.figures.longest_stop = self.figures.longest_stop.max(took);
        self.proxy.heal();
        self.application.start();
    }

    /// The time until the process is ready, with Elasticsearch.
    async fn recovery(&self, after: Kind) -> Duration {
        let began = Instant::now();
        loop {
            let browser = browser_at(&self.application.process().url);
            let ready = browser.request(Method::GET, "/health/ready").send().await;
            let text = match ready {
                Ok(ready) => ready.text().await.unwrap_or_default(),
                Err(error) => error.to_string(),
            };
            // Lines that a full disk kept out of the log are no fault of the process.
            if matches!(text.as_str(), "ready" | "ready, without a log") {
                return began.elapsed();
            }
            assert!(began.elapsed() < RECOVERY_MAX, "after {after:?}: {text}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Runs a command of the binary beside the data of the application, and returns what it printed.
fn run_command(application: &Part, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-keys"));
    prepare(&mut command, &application.data_dir);
    command
        .envs(
            application
                .settings
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .args(arguments)
        .stderr(Stdio::piped());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes minutes: cargo xtask soak"]
async fn promises_are_kept_under_faults() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let faults = number("AGENT_KEYS_SOAK_FAULTS").unwrap_or(100);
    let seed = number("AGENT_KEYS_SOAK_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("faults: {faults}, seed: {seed}");
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var("AGENT_KEYS_SOAK_DIR").map(PathBuf::from);
    let directory = kept.unwrap_or_else(|_| temporary.path().to_owned());
    let engine_address = free_address();
    let mut engine = Part {
        process: None,
        data_dir: directory.join("engine"),
        log: directory.join("engine.log"),
        settings: vec![("AGENT_KEYS_EMBEDDED_LISTEN", engine_address.to_string())],
        address: free_address(),
    };
    engine.start();
    prepare_engine(engine_address).await;
    let proxy = Proxy::start(engine_address).await;
    let lines = directory.join("lines.jsonl");
    let mut application = Part {
        process: None,
        data_dir: directory.join("application"),
        log: directory.join("application.log"),
        settings: vec![
            ("AGENT_KEYS_ELASTICSEARCH_URL", proxy.url()),
            ("AGENT_KEYS_AUDIT_LOG", lines.display().to_string()),
        ],
        address: free_address(),
    };
    application.start();
    let url = application.process().url.clone();
    let mut site = Site {
        application,
        engine,
        proxy,
        figures: Figures::default(),
    };

    let (seen, ends) = (Shared::default(), Arc::new(AtomicBool::new(false)));
    let mut random = Rng::with_seed(seed);
    let mut workers = Vec::new();
    for user in USERS {
        let (seen, ends, url) = (Arc::clone(&seen), Arc::clone(&ends), url.clone());
        workers.push(tokio::spawn(work(seen, url, user, random.u64(..), ends)));
    }
    let (exported, exports_end) = (Arc::clone(&seen), Arc::clone(&ends));
    workers.push(tokio::spawn(export_again(
        exported,
        url.clone(),
        exports_end,
    )));
    // Every kind in turn, each turn in another order.
    let mut next = Vec::new();
    for _ in 0..faults {
        if next.is_empty() {
            next = KINDS.to_vec();
            random.shuffle(&mut next);
        }
        sleep(Duration::from_millis(random.u64(100..500))).await;
        let kind = next.pop().unwrap();
        site.strike(kind, &mut random).await;
    }
    sleep(Duration::from_secs(1)).await;
    ends.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
    println!("{:#?}", site.figures);
    println!("{:#?}", seen.lock().unwrap().requests);

    // What is open is settled when an administrator looks at the list, if it is older than half a minute.
    let mut admin = browser_at(&url);
    eventually("the administrator is signed in", async || {
        sign_in(&seen, &mut admin, "elastic").await
    })
    .await;
    let began = Instant::now();
    let (events, keys) = loop {
        admin.list(|_| {}).await;
        sleep(Duration::from_secs(1)).await;
        let events = export(&admin).await.unwrap();
        let body = json!({ "size": 10_000 });
        let found = ask(
            engine_address,
            Method::POST,
            "/_security/_query/api_key",
            body,
        )
        .await;
        let keys = found["api_keys"].as_array().unwrap().clone();
        let unrecorded = unrecorded(&keys, &events);
        if unrecorded.is_empty() {
            break (events, keys);
        }
        if began.elapsed() > SETTLED_MAX {
            for key in unrecorded {
                println!("active without a record: {key}");
                let operation = key.pointer("/metadata/agent_keys/operation");
                for event in events
                    .iter()
                    .filter(|event| event.pointer("/agent_keys/op/id") == operation)
                {
                    println!("  {event}");
                }
            }
            panic!("active keys have no record");
        }
    };
    let memory = site.application.process().memory_kib("VmRSS");
    let stopped = site.application.stop().await;
    site.engine.stop().await;

    println!("{}", check_keys(&seen.lock().unwrap(), &keys, &events));
    check_lines(&lines, &events);
    println!("lines for a collector: all {} events", events.len());
    println!(
        "{}",
        run_command(&site.application, &["audit", "verify"]).trim_end()
    );
    let doctor = run_command(&site.application_without_cluster(), &["doctor"]);
    assert!(
        doctor.contains("no process of Agent Keys uses it"),
        "{doctor}"
    );
    println!("locks: none is left");
    println!("{}", check_secrets(&seen.lock().unwrap(), &directory));
    let peak = site.figures.memory_kib.max(memory);
    println!(
        "memory: {} MiB at most, {} MiB at the end",
        peak / 1_024,
        memory / 1_024
    );
    assert!(peak < MEMORY_KIB_MAX, "{peak} KiB");
    let longest = site.figures.longest_stop.max(stopped);
    println!("longest stop: {} ms", longest.as_millis());
    assert!(longest < STOP_MAX, "{longest:?}");
    assert!(
        seen.lock().unwrap().created.len() > KINDS.len(),
        "too little was done"
    );
}

impl Site {
    /// The data of the application as those of one with the embedded engine, whose address is free.
    fn application_without_cluster(&self) -> Part {
        Part {
            process: None,
            data_dir: self.application.data_dir.clone(),
            log: self.application.log.clone(),
            settings: vec![("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0".to_owned())],
            address: self.application.address,
        }
    }
}
