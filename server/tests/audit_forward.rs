//! `AGENT_KEYS_AUDIT_LOG`: every event becomes one whole line, in order, whatever happens to the process or to the
//! destination.

use crate::support::{
    Browser, NOW, PASSWORD,
    attacker::Attacker,
    client, config,
    events::{event_context, intent},
    eventually,
    postgres::Postgres,
    process::{Process, heedless, limit_files, prepare},
    soak,
};
use platform::Clock;
use serde_json::Value;
use server::{
    application::Application,
    config::{AuditDestination, Config},
    store::Store,
};
use std::{
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Write},
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

const WAITING: &str = "agent_keys_audit_log_waiting";
const FAILING: &str = "agent_keys_audit_log_failing";

fn to_file(data_dir: &Path, file: &Path) -> Config {
    Config {
        audit_log: Some(AuditDestination::File(file.to_owned())),
        ..config(data_dir)
    }
}

async fn start(config: Config) -> Application {
    let hashing = embedded::PasswordHashing::FastForTests;
    Application::start_with(config, Clock::manual(NOW.0), hashing)
        .await
        .unwrap()
}

async fn record(store: &Store, numbers: Range<i64>) {
    for number in numbers {
        store
            .record(&intent(number), &event_context(number))
            .await
            .unwrap();
    }
}

/// The lines of a file, which must all be whole. None while there is no file.
#[track_caller]
fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "half a line");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The whole lines of a file that may be written to at this moment.
fn count(file: &Path) -> usize {
    fs::read_to_string(file)
        .unwrap_or_default()
        .matches('\n')
        .count()
}

fn sequences(lines: &[Value]) -> Vec<i64> {
    lines
        .iter()
        .map(|line| line["event"]["sequence"].as_i64().unwrap())
        .collect()
}

async fn are_written(file: &Path, events: i64) {
    eventually("every event is a line", async || {
        count(file) as i64 >= events
    })
    .await;
    assert_eq!(sequences(&lines(file)), (1..=events).collect::<Vec<_>>());
}

async fn metric(application: &Application, name: &str) -> i64 {
    let address = application.metrics_address().unwrap();
    let url = format!("http://{address}/metrics");
    let text = client().get(url).send().await.unwrap().text().await;
    let text = text.unwrap();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

#[tokio::test]
async fn restart_forwards_every_event_once() {
    let events = soak(1_200, 10_000) as i64;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.jsonl");
    // Without the setting, as before it was switched on.
    let application = start(config(directory.path())).await;
    record(&application.state().store, 0..events).await;
    application.stop().await;
    assert!(!file.exists());
    // The oldest event comes first.
    let application = start(to_file(directory.path(), &file)).await;
    are_written(&file, events).await;
    // A stop writes what was committed just before.
    record(&application.state().store, events..events + 30).await;
    application.stop().await;
    let so_far = lines(&file);
    assert_eq!(sequences(&so_far), (1..=events + 30).collect::<Vec<_>>());
    // Switched off, and on again.
    let application = start(config(directory.path())).await;
    record(&application.state().store, 0..10).await;
    application.stop().await;
    assert_eq!(lines(&file).len(), so_far.len());
    let application = start(to_file(directory.path(), &file)).await;
    are_written(&file, events + 40).await;

    let stored = application.state().store.audit_events(0, 100_000);
    let stored = stored.await.unwrap();
    let mut previous = String::new();
    let lines = lines(&file);
    assert_eq!(stored.len(), lines.len());
    for (event, line) in stored.iter().zip(&lines) {
        let record: Value = serde_json::from_str(&event.record).unwrap();
        assert_eq!(line["event"]["id"], record["event"]["id"]);
        assert_eq!(line["message"], record["message"]);
        assert_eq!(line["event"]["hash"], event.mac);
        assert_eq!(line["agent_keys"]["audit"]["prev_hash"], previous);
        previous = event.mac.clone();
    }
    application.stop().await;
}

#[tokio::test]
async fn killed_process_loses_no_line_and_leaves_none_partial() {
    let kills = soak(4, 50);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.jsonl");
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agent-keys"));
        prepare(&mut command, &directory.path().join("data"));
        command
            .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0")
            .env("AGENT_KEYS_AUDIT_LOG", &file)
            .env("ELASTIC_PASSWORD", PASSWORD);
        Process::run(&mut command)
    };
    for kill in 0..kills {
        let process = run();
        let before = count(&file);
        let guesses = (0..8).map(|_| async {
            let mut browser = process.nobody();
            browser.sign_in("elastic", PASSWORD).await
        });
        futures::future::join_all(guesses).await;
        if kill % 2 == 0 {
            // Between two batches, or within one.
            eventually("lines are written", async || count(&file) > before).await;
        }
        // `kill -9`.
        drop(process);
    }
    let mut process = run();
    let admin = process.as_user("elastic").await;
    let export = admin.get("/settings/audit/export.jsonl").await.text();
    let last = export.lines().count();
    eventually("every event is a line", async || {
        let last = i64::try_from(last).unwrap();
        fs::read_to_string(&file).is_ok_and(|text| text.contains(&format!("\"sequence\":{last},")))
    })
    .await;
    process.signal("TERM");
    eventually("it has ended", async || process.ended().is_some()).await;
    // At least once each, and in order. A kill between the write and the note repeats lines.
    let mut next = 1;
    for sequence in sequences(&lines(&file)) {
        assert!(sequence <= next, "{sequence} instead of {next}");
        next = next.max(sequence + 1);
    }
    assert!(
        next > i64::try_from(last).unwrap(),
        "the control: {next} of {last}"
    );
}

#[tokio::test]
async fn rotation_loses_no_line() {
    let rotations = 5;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.jsonl");
    let application = start(to_file(directory.path(), &file)).await;
    let store = application.state().store.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    // Until the last rotation: a file appears only while events are written.
    let recording = tokio::spawn(async move {
        let mut events = 0;
        while !stopped.load(Ordering::Relaxed) {
            record(&store, events..events + 10).await;
            events += 10;
        }
        events
    });
    let rotated = |number: i64| directory.path().join(format!("audit.jsonl.{number}"));
    for number in 0..rotations {
        eventually("there is a file", async || file.exists()).await;
        fs::rename(&file, rotated(number)).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let events = recording.await.unwrap();
    application.stop().await;
    let mut files: Vec<PathBuf> = (0..rotations).map(rotated).collect();
    files.push(file);
    let all: Vec<Value> = files.iter().flat_map(|file| lines(file)).collect();
    assert_eq!(sequences(&all), (1..=events).collect::<Vec<_>>());
}

#[tokio::test]
async fn unwritable_lines_wait_and_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.jsonl");
    let mut config = to_file(directory.path(), &file);
    config.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    let application = start(config).await;
    let store = application.state().store.clone();
    record(&store, 0..3).await;
    are_written(&file, 3).await;
    eventually("nothing waits", async || {
        metric(&application, WAITING).await == 0
    })
    .await;
    assert_eq!(metric(&application, FAILING).await, 0);
    fs::rename(&file, directory.path().join("first.jsonl")).unwrap();

    // No file can be made there.
    fs::create_dir(&file).unwrap();
    record(&store, 3..5).await;
    eventually("it fails", async || {
        metric(&application, FAILING).await == 1
    })
    .await;
    assert_eq!(metric(&application, WAITING).await, 2);
    fs::remove_dir(&file).unwrap();
    eventually("it is tried again", async || count(&file) == 2).await;
    eventually("it works", async || {
        metric(&application, FAILING).await == 0
    })
    .await;
    fs::rename(&file, directory.path().join("second.jsonl")).unwrap();

    // There is no room.
    std::os::unix::fs::symlink("/dev/full", &file).unwrap();
    record(&store, 5..9).await;
    eventually("it fails", async || {
        metric(&application, FAILING).await == 1
    })
    .await;
    assert_eq!(metric(&application, WAITING).await, 4);
    // Nobody waits for the lines.
    let live = format!("{}/health/live", application.url());
    assert_eq!(client().get(live).send().await.unwrap().status(), 200);
    fs::remove_file(&file).unwrap();
    eventually("it is tried again", async || count(&file) == 4).await;
    application.stop().await;
    let all = ["first.jsonl", "second.jsonl", "audit.jsonl"]
        .map(|name| lines(&directory.path().join(name)))
        .concat();
    assert_eq!(sequences(&all), (1..=9).collect::<Vec<_>>());
}

#[tokio::test]
async fn unsaved_position_repeats_no_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.jsonl");
    let mut config = to_file(directory.path(), &file);
    config.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    let application = start(config).await;
    let mut attacker = Attacker::with_file(&directory.path().join("agent-keys.db")).await;
    attacker
        .run(
            "CREATE TRIGGER full BEFORE INSERT ON audit_forwarding BEGIN \
             SELECT RAISE(ABORT, 'database or disk is full'); END",
        )
        .await;
    record(&application.state().store, 0..3).await;
    eventually("it fails", async || {
        metric(&application, FAILING).await == 1
    })
    .await;
    let waiting = metric(&application, WAITING).await;
    assert_eq!((lines(&file).is_empty(), waiting), (false, 3));
    attacker.run("DROP TRIGGER full").await;
    are_written(&file, 3).await;
    eventually("it is noted", async || {
        metric(&application, WAITING).await == 0
    })
    .await;
    application.stop().await;
    assert_eq!(sequences(&lines(&file)), [1, 2, 3]);
}

#[tokio::test]
async fn partial_line_of_a_power_cut_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.jsonl");
    let application = start(to_file(directory.path(), &file)).await;
    record(&application.state().store, 0..2).await;
    application.stop().await;
    let half = format!("{{\"message\":\"{}", "x".repeat(10_000));
    let mut appended = OpenOptions::new().append(true).open(&file).unwrap();
    appended.write_all(half.as_bytes()).unwrap();
    let application = start(to_file(directory.path(), &file)).await;
    record(&application.state().store, 2..4).await;
    application.stop().await;
    assert_eq!(sequences(&lines(&file)), [1, 2, 3, 4]);
}

#[tokio::test]
async fn full_disk_leaves_no_partial_line() {
    let directory = tempfile::tempdir().unwrap();
    let (file, log) = (
        directory.path().join("audit.jsonl"),
        directory.path().join("stderr"),
    );
    let mut command = heedless();
    prepare(&mut command, directory.path());
    command
        .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0")
        .env("ELASTIC_PASSWORD", PASSWORD)
        .env("AGENT_KEYS_AUDIT_LOG", &file)
        .env("AGENT_KEYS_LOG", "server::audit=info")
        .stderr(fs::File::create(&log).unwrap());
    let process = Process::run(&mut command);
    process.as_user("elastic").await;
    // After the line of the start.
    eventually("the sign-in is a line", async || count(&file) == 2).await;
    // Longer than the databases, so that the limit is the lines' alone; and room for a part of the next line.
    let filler = "{}\n".repeat(2 * 1024 * 1024);
    let mut appended = OpenOptions::new().append(true).open(&file).unwrap();
    appended.write_all(filler.as_bytes()).unwrap();
    let before = fs::metadata(&file).unwrap().len();
    if !limit_files(&process, &(before + 100).to_string()) {
        println!("nothing shown: this machine has no prlimit");
        return;
    }
    process.as_user("elastic").await;
    let said = |what: &str| fs::read_to_string(&log).unwrap().matches(what).count();
    eventually("it fails", async || said("lines wait to be written") > 0).await;
    eventually("it is cut back", async || {
        fs::metadata(&file).unwrap().len() == before
    })
    .await;
    // What happens meanwhile is recorded, and no failure is logged again.
    process.as_user("elastic").await;
    assert!(limit_files(&process, "unlimited"));
    eventually("it works", async || said("lines are written again") > 0).await;
    let fillers = filler.matches('\n').count();
    eventually("every event is a line", async || {
        count(&file) == fillers + 4
    })
    .await;
    let mut events = lines(&file);
    events.retain(|line| line.get("event").is_some());
    assert_eq!(sequences(&events), [1, 2, 3, 4]);
    assert_eq!(said("lines wait to be written"), 1);
    assert_eq!(said("lines are written again"), 1);
}

/// The binary, whose standard output is for lines.
struct ToStdout {
    child: Child,
    lines: Option<BufReader<ChildStdout>>,
    browser: Browser,
}

impl ToStdout {
    fn start(data_dir: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agent-keys"));
        prepare(&mut command, data_dir);
        command
            .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0")
            .env("ELASTIC_PASSWORD", PASSWORD)
            .env("AGENT_KEYS_AUDIT_LOG", "stdout")
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stderr.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        let url = ready.split_whitespace().nth(5).unwrap().to_owned();
        Self {
            lines: child.stdout.take().map(BufReader::new),
            child,
            browser: Browser {
                url,
                cookie: None,
                user: None,
                http: client(),
            },
        }
    }

    async fn sign_in(&mut self) {
        assert_eq!(self.browser.sign_in("elastic", PASSWORD).await.status, 200);
    }

    /// The numbers of the next lines.
    fn read(&mut self, count: usize) -> Vec<i64> {
        let lines = self.lines.as_mut().unwrap();
        let lines = lines.lines().take(count);
        let lines: Vec<Value> = lines
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect();
        sequences(&lines)
    }

    async fn stop(mut self) {
        let mut kill = Command::new("kill");
        kill.arg(self.child.id().to_string());
        assert!(kill.status().unwrap().success());
        let ended = async || self.child.try_wait().unwrap().is_some();
        eventually("it has ended", ended).await;
        assert!(self.child.wait().unwrap().success());
    }
}

#[tokio::test]
async fn closed_stdout_stops_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = ToStdout::start(directory.path());
    process.sign_in().await;
    // The start and the sign-in. An event that is left unread would stay in the pipe and count as written.
    assert_eq!(process.read(2), [1, 2]);
    process.lines = None;
    for _ in 0..2 {
        process.sign_in().await;
    }
    process.stop().await;
    let mut process = ToStdout::start(directory.path());
    process.sign_in().await;
    assert_eq!(process.read(3), [3, 4, 5]);
    process.stop().await;
}

#[tokio::test]
async fn stalled_reader_delays_only_lines() {
    let directory = tempfile::tempdir().unwrap();
    // More than a pipe holds.
    let application = start(config(directory.path())).await;
    record(&application.state().store, 0..600).await;
    application.stop().await;
    let mut process = ToStdout::start(directory.path());
    process.sign_in().await;
    assert_eq!(process.read(10), (1..=10).collect::<Vec<_>>());
    let began = Instant::now();
    process.stop().await;
    println!("ended after {} ms", began.elapsed().as_millis());
    // The batch was not taken as a whole, so it is written again.
    let mut process = ToStdout::start(directory.path());
    assert_eq!(process.read(601), (1..=601).collect::<Vec<_>>());
    process.stop().await;
}

#[tokio::test]
async fn processes_sharing_a_database_forward_each_event_once() {
    let postgres = Postgres::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.jsonl");
    let mut applications = Vec::new();
    for name in ["one", "two"] {
        let mut config = to_file(&directory.path().join(name), &file);
        config.database_url = Some(postgres.url().into());
        config.server_key = Some("a key that both of them know, for tests".into());
        applications.push(start(config).await);
    }
    let recording = applications.iter().map(|application| {
        let store = application.state().store.clone();
        tokio::spawn(async move { record(&store, 0..200).await })
    });
    let recording: Vec<_> = recording.collect();
    for recording in recording {
        recording.await.unwrap();
    }
    are_written(&file, 400).await;
    for application in applications {
        application.stop().await;
    }
    assert_eq!(sequences(&lines(&file)), (1..=400).collect::<Vec<_>>());
}
