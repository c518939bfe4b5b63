//! What is on the disk when the power goes: before Elasticsearch is asked, before anybody is answered, in the middle
//! of an update, and after a disk has lost a page.

use crate::support::{
    App, Browser, NOW, PASSWORD, Setup,
    attacker::Attacker,
    client,
    engine::Engine,
    eventually,
    proxy::Proxy,
    seeded, soak,
    trace::{Trace, traced},
    trail,
};
use app::model::{agent_key::Delivery, key_list::KeyListPage, new_agent_key::CreatedAgentKey};
use http::StatusCode;
use platform::Clock;
use server::{
    application::Application,
    audit::verify::verify,
    config::{Config, Durability, Elasticsearch},
    store::{OperationState, Store},
};
use sqlx::{AnyConnection, Connection};
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

const DATABASE: &str = "agent-keys.db";

/// Not a test: the application in a process of its own, for the tests below, which say by the environment how.
#[tokio::test]
#[ignore = "the tests below start it"]
async fn serve() {
    let setting = |name: &str| std::env::var(format!("AGENT_KEYS_TEST_{name}"));
    let (Ok(data_dir), Ok(url), Ok(durability)) =
        (setting("DATA_DIR"), setting("URL"), setting("DURABILITY"))
    else {
        return;
    };
    let config = Config {
        elasticsearch: Elasticsearch::Cluster(Box::new(server::config::Cluster::from(
            url.parse::<url::Url>().unwrap(),
        ))),
        durability: match durability.as_str() {
            "full" => Durability::Full,
            _ => Durability::MissedByTests,
        },
        ..crate::support::config(Path::new(&data_dir))
    };
    let application = Application::start(config, Clock::system()).await.unwrap();
    println!("\nserving {} {}", std::process::id(), application.url());
    // Until the test that started it goes away, or kills it.
    let until_then = || std::io::stdin().read_to_end(&mut Vec::new());
    let _ = tokio::task::spawn_blocking(until_then).await;
}

/// An application under observation, before an engine that outlives it.
struct Observed {
    strace: Child,
    process: String,
    url: String,
}

impl Observed {
    fn start(data_dir: &Path, url: &str, durability: &str, trace: &Path) -> Self {
        let mut command = traced(&std::env::current_exe().unwrap(), trace).unwrap_or_else(|| {
            panic!("these tests need strace: install Debian's package `strace`")
        });
        let mut strace = command
            .args(["--exact", "durability::serve", "--ignored", "--nocapture"])
            .env("AGENT_KEYS_TEST_DATA_DIR", data_dir)
            .env("AGENT_KEYS_TEST_URL", url)
            .env("AGENT_KEYS_TEST_DURABILITY", durability)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(strace.stdout.take().unwrap()).lines();
        let ready = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("serving ").map(str::to_owned));
        let ready = ready.unwrap_or_else(|| {
            panic!("strace must be allowed to trace a child, as it is outside most containers")
        });
        let (process, url) = ready.split_once(' ').unwrap();
        Self {
            strace,
            process: process.to_owned(),
            url: url.to_owned(),
        }
    }

    fn browser(&self) -> Browser {
        Browser {
            url: self.url.clone(),
            cookie: None,
            user: None,
            http: client(),
        }
    }

    /// `kill -9`, and what `strace` saw until then.
    fn kill(mut self, trace: &Path, database: &Path) -> Trace {
        let killed = Command::new("kill").args(["-9", &self.process]).status();
        assert!(killed.unwrap().success());
        let _ = self.strace.wait();
        Trace::read(trace, database)
    }
}

/// What one life under observation came to.
struct Life {
    trace: Trace,
    /// Keys of which this database knows nothing after the power was gone.
    forgotten: usize,
    /// Keys in Elasticsearch.
    keys: usize,
}

/// Waits until the process has recorded that this many secrets were sent.
async fn recorded_as_sent(data_dir: &Path, secrets: usize) {
    let store = Store::open_to_read(None, data_dir, trail()).await.unwrap();
    let sent = i64::try_from(secrets).unwrap();
    eventually("the secret is recorded as sent", async || {
        let counted = store.count_operations().await.unwrap();
        counted.contains(&(OperationState::Sent, sent))
    })
    .await;
    store.close().await;
}

/// Creates keys, kills the process after `until` answers, takes from the disk what was never brought there, and
/// starts again.
async fn live(durability: &str, at_once: usize, until: usize) -> Life {
    let engine = Arc::new(Engine::start(&Clock::system()).await);
    engine.put_agent_key_role().await;
    engine.put_user("ada", &["apm_agent_key_role"]).await;
    let proxy = Proxy::start(engine.address()).await;
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().canonicalize().unwrap().join("data");
    let (database, trace) = (data_dir.join(DATABASE), directory.path().join("trace"));
    let observed = Observed::start(&data_dir, &format!("{}/", proxy.url()), durability, &trace);
    let mut ada = observed.browser();
    assert_eq!(ada.sign_in("ada", PASSWORD).await.status, StatusCode::OK);
    let mut received = BTreeSet::new();
    if at_once == 1 {
        for number in 0..until {
            let created: CreatedAgentKey =
                ada.create_as(&format!("op-{number}"), "x").await.value();
            received.insert(created.id.as_str().to_owned());
            // "Sent" is recorded after the response, and must not mix with the next key.
            recorded_as_sent(&data_dir, number + 1).await;
        }
    }
    let under_way: Vec<_> = (0..if at_once > 1 { at_once } else { 0 })
        .map(|number| {
            let ada = ada.clone();
            let form = [
                ("form[name]", "in danger"),
                ("form[event_write]", "on"),
                ("form[expires]", "90"),
            ];
            tokio::spawn(async move {
                let operation = format!("danger-{number}");
                let mut fields = vec![("form[operation]", operation.as_str())];
                fields.extend(form);
                ada.try_post("create_agent_key", &fields).await
            })
        })
        .collect();
    if at_once > 1 {
        let enough = Instant::now() + Duration::from_secs(10);
        while proxy.count("POST /_security/api_key") < until && Instant::now() < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let trace = observed.kill(&trace, &database);
    for answer in futures::future::join_all(under_way).await {
        if let Ok(Some(answer)) = answer
            && answer.status == StatusCode::OK
        {
            let created: CreatedAgentKey = answer.value();
            received.insert(created.id.as_str().to_owned());
        }
    }
    proxy.settled().await;
    cut(&data_dir.join(format!("{DATABASE}-wal")), trace.log_on_disk);
    let (forgotten, keys) = look_again(engine, &data_dir, &received).await;
    Life {
        trace,
        forgotten,
        keys,
    }
}

fn cut(log: &Path, length: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(log).unwrap();
    let before = file.metadata().unwrap().len();
    file.set_len(length.min(before)).unwrap();
}

/// Starts again on what is left, and counts the keys of which nothing is known, and all of them.
async fn look_again(
    engine: Arc<Engine>,
    data_dir: &Path,
    received: &BTreeSet<String>,
) -> (usize, usize) {
    let config = Config {
        elasticsearch: Elasticsearch::Cluster(Box::new(server::config::Cluster::from(
            format!("{}/", engine.url()).parse::<url::Url>().unwrap(),
        ))),
        ..crate::support::config(data_dir)
    };
    let application = Application::start(config, Clock::system()).await.unwrap();
    let mut ada = Browser {
        url: application.url(),
        cookie: None,
        user: None,
        http: client(),
    };
    assert_eq!(ada.sign_in("ada", PASSWORD).await.status, StatusCode::OK);
    // The first look finds out what became of what was under way.
    ada.list(|query| query.rows = 100).await;
    let page: KeyListPage = ada.list(|query| query.rows = 100).await.value();
    let forgotten = page
        .keys
        .iter()
        .filter(|key| key.delivery == Delivery::NotRecorded);
    let forgotten = forgotten.count();
    for key in &page.keys {
        let shown = received.contains(key.id.as_str());
        assert!(
            !(shown && key.delivery == Delivery::Never),
            "a secret that was shown"
        );
    }
    let head = verify(&application.state().store, &[]).await.unwrap();
    assert!(head.rows > 0);
    application.stop().await;
    (forgotten, page.keys.len())
}

#[tokio::test]
async fn intent_is_durable_before_the_call_and_outcome_before_the_response() {
    let creations = soak(8, 100);
    let life = live("full", 1, creations).await;
    let Trace { sent, answered, .. } = life.trace;
    assert_eq!(
        (sent, answered),
        ((creations, creations), (creations, creations))
    );
    assert_eq!((life.forgotten, life.keys), (0, creations));
    // The control: without the sync, both are seen to be missing, and the power cut takes it all. Few, because SQLite
    // brings a log that grows long to the disk by itself.
    let few = 8;
    let life = live("normal", 1, few).await;
    let Trace { sent, answered, .. } = life.trace;
    assert_eq!((sent, answered), ((few, 0), (few, 0)));
    assert_eq!(life.forgotten, few);
}

#[tokio::test]
async fn no_key_is_lost_after_a_power_cut() {
    let lives = soak(2, 100);
    for number in 0..lives {
        let life = live("full", 4, 1 + number % 4).await;
        assert_eq!(life.forgotten, 0, "of {} keys, life {number}", life.keys);
        assert!(life.keys > 0, "the control: something was made in danger");
    }
}

/// The binary, with an Elasticsearch that is not there: it starts without it.
fn binary(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-keys"));
    command
        .env_clear()
        .env("AGENT_KEYS_LISTEN", "127.0.0.1:0")
        .env("AGENT_KEYS_DATA_DIR", data_dir)
        .env("AGENT_KEYS_ELASTICSEARCH_URL", "http://127.0.0.1:9")
        .env("AGENT_KEYS_LOG", "off")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts it and waits until it is ready; then it is killed.
fn starts(data_dir: &Path) -> bool {
    let mut child = binary(data_dir).spawn().unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let _ = child.kill();
    let _ = child.wait();
    line.starts_with("Agent Keys is ready")
}

async fn migrations_done(database: &Path) -> i64 {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", database.display());
    let Ok(mut connection) = AnyConnection::connect(&url).await else {
        return 0;
    };
    let done = sqlx::query_scalar("SELECT COUNT(*) FROM _sqlx_migrations WHERE success = 1");
    done.fetch_one(&mut connection).await.unwrap_or(0)
}

#[tokio::test]
async fn killed_migration_is_completed_by_the_next_start() {
    let rounds = soak(8, 200);
    let mut random = seeded();
    let directory = tempfile::tempdir().unwrap();
    let whole = directory.path().join("whole");
    assert!(starts(&whole));
    let log = |data_dir: &Path| {
        let about = std::fs::metadata(data_dir.join(format!("{DATABASE}-wal")));
        about.map_or(0, |about| about.len())
    };
    let (log_bytes, all) = (log(&whole), migrations_done(&whole.join(DATABASE)).await);
    assert!(log_bytes > 0 && all > 0);
    let mut in_the_middle = 0;
    for round in 0..rounds {
        let data_dir = directory.path().join(format!("round-{round}"));
        let moment = random.u64(0..log_bytes);
        let mut child = binary(&data_dir).spawn().unwrap();
        let patience = Instant::now() + Duration::from_secs(10);
        while log(&data_dir) < moment && Instant::now() < patience {
            std::thread::sleep(Duration::from_micros(50));
        }
        let _ = child.kill();
        let _ = child.wait();
        // The kill comes late. The log is only appended to, so its first bytes are what a kill at `moment` leaves.
        let written = std::fs::OpenOptions::new()
            .write(true)
            .open(data_dir.join(format!("{DATABASE}-wal")));
        if let Ok(written) = written {
            let length = written.metadata().unwrap().len();
            written.set_len(length.min(moment)).unwrap();
        }
        let done = migrations_done(&data_dir.join(DATABASE)).await;
        in_the_middle += usize::from(done < all);
        assert!(starts(&data_dir), "round {round}, {}", random.get_seed());
        assert_eq!(migrations_done(&data_dir.join(DATABASE)).await, all);
    }
    println!("killed in the middle: {in_the_middle} of {rounds}");
    assert!(in_the_middle > 0, "the control: some were not done yet");
}

#[tokio::test]
async fn database_of_a_newer_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let cases = [
        (
            DATABASE,
            "agent-keys: the database was written by a newer version of Agent Keys",
        ),
        ("engine.db", "a newer version wrote it"),
    ];
    for (file, expected) in cases {
        let data_dir = directory.path().join(file);
        let start = || {
            let mut command = binary(&data_dir);
            command
                .env_remove("AGENT_KEYS_ELASTICSEARCH_URL")
                .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0");
            command
        };
        let mut child = start().spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("Agent Keys is ready")));
        let _ = child.kill();
        let _ = child.wait();
        let from_the_future = "INSERT INTO _sqlx_migrations (version, description, success, \
             checksum, execution_time) VALUES (9999, 'from the future', 1, x'00', 0)";
        let mut database = Attacker::with_file(&data_dir.join(file)).await;
        database.run(from_the_future).await;
        drop(database);
        let output = start().output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && told.contains(expected),
            "{told}"
        );
    }
}

/// Every row that the application can read, in words.
async fn everything(store: &Store) -> Result<String, server::store::Error> {
    let events = store.audit_events(0, 100_000).await?;
    let records: Vec<_> = events.iter().map(|event| event.record.as_str()).collect();
    let counted = store.count_operations().await?;
    let settings = store.read_apm_settings().await?;
    let open = store
        .open_operations(None, NOW.plus_ms(1_000_000), 1_000)
        .await?;
    Ok(format!("{records:?} {counted:?} {settings:?} {open:?}"))
}

/// Writes noise over one of the first `pages` pages.
fn lose_a_page(database: &Path, pages: u64, random: &mut fastrand::Rng) {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .open(database)
        .unwrap();
    let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
        .take(4_096)
        .collect();
    let place = random.u64(0..pages) * 4_096;
    file.seek(SeekFrom::Start(place)).unwrap();
    file.write_all(&noise).unwrap();
}

#[tokio::test]
async fn damaged_database_page_is_reported() {
    let rounds = soak(50, 1_000);
    let mut random = seeded();
    let app = App::start_with(Setup::default()).await;
    let ada = app.with_key_user("ada").await;
    for number in 0..12 {
        ada.create_as(&format!("op-{number}"), "kept").await;
    }
    let original = app.data_dir.path().join(DATABASE);
    let expected = {
        app.store().close().await;
        let store = Store::open(None, app.data_dir.path(), trail())
            .await
            .unwrap();
        let expected = everything(&store).await.unwrap();
        store.close().await;
        expected
    };
    let pages = std::fs::metadata(&original).unwrap().len() / 4_096;
    let directory = tempfile::tempdir().unwrap();
    let (mut refused, mut failed, mut whole) = (0, 0, 0);
    for round in 0..rounds {
        let data_dir: PathBuf = directory.path().join(format!("round-{round}"));
        std::fs::create_dir(&data_dir).unwrap();
        let copy = data_dir.join(DATABASE);
        std::fs::copy(&original, &copy).unwrap();
        lose_a_page(&copy, pages, &mut random);
        match Store::open(None, &data_dir, trail()).await {
            Err(error) => {
                let told = error.to_string();
                assert!(
                    told.contains("damaged") && told.contains("agent-keys restore"),
                    "{told}"
                );
                refused += 1;
            }
            Ok(store) => match everything(&store).await {
                Err(_) => failed += 1,
                Ok(found) => {
                    assert_eq!(found, expected, "round {round} of {}", random.get_seed());
                    whole += 1;
                }
            },
        }
    }
    println!(
        "of {rounds}: refused {refused}, answered with an error {failed}, answered the same {whole}"
    );
    assert!(refused > 0, "the control: damage is seen");
    // The other control: a copy that nobody touched opens.
    let store = Store::open(None, app.data_dir.path(), trail())
        .await
        .unwrap();
    assert_eq!(everything(&store).await.unwrap(), expected);
}

/// An embedded engine on this file.
async fn engine_on(file: &Path) -> Result<embedded::Engine, embedded::StartError> {
    let mut config = embedded::Config::new("127.0.0.1:0".parse().unwrap(), file.to_owned());
    config.elastic_password = Some(PASSWORD.into());
    config.password_hashing = embedded::PasswordHashing::FastForTests;
    embedded::Engine::start(config).await
}

/// What an engine answers about keys, users and roles; `None` when it says that it cannot.
async fn answers(engine: &embedded::Engine) -> Option<String> {
    let mut all = String::new();
    for question in [
        "_security/api_key?active_only=false",
        "_security/user",
        "_security/role",
    ] {
        let url = format!("http://{}/{question}", engine.address());
        let request = client().get(url).basic_auth("elastic", Some(PASSWORD));
        let answer = request.send().await.unwrap();
        if !answer.status().is_success() {
            return None;
        }
        all += &answer.text().await.unwrap();
    }
    Some(all)
}

#[tokio::test]
async fn damaged_engine_database_page_is_reported() {
    let rounds = soak(20, 500);
    let mut random = seeded();
    let directory = tempfile::tempdir().unwrap();
    let original = directory.path().join("engine.db");
    let engine = engine_on(&original).await.unwrap();
    for number in 0..40 {
        let url = format!("http://{}/_security/api_key", engine.address());
        let body = serde_json::json!({ "name": format!("key-{number}") });
        let request = client().post(url).basic_auth("elastic", Some(PASSWORD));
        let answer = request.json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
    let expected = answers(&engine).await.unwrap();
    assert_eq!(expected.matches("\"key-").count(), 40);
    engine.stop().await;
    let pages = std::fs::metadata(&original).unwrap().len() / 4_096;
    let (mut refused, mut failed, mut whole) = (0, 0, 0);
    for round in 0..rounds {
        let copy = directory.path().join(format!("round-{round}.db"));
        std::fs::copy(&original, &copy).unwrap();
        lose_a_page(&copy, pages, &mut random);
        match engine_on(&copy).await {
            Err(_) => refused += 1,
            Ok(engine) => {
                match answers(&engine).await {
                    None => failed += 1,
                    Some(found) => {
                        assert_eq!(found, expected, "round {round}");
                        whole += 1;
                    }
                }
                engine.stop().await;
            }
        }
    }
    println!(
        "of {rounds}: refused {refused}, answered with an error {failed}, answered the same {whole}"
    );
    assert!(refused + failed > 0, "the control: damage is seen");
}

#[tokio::test]
async fn world_readable_server_key_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    assert!(starts(&data_dir));
    let key = data_dir.join("server.key");
    let set = |mode| std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).unwrap();
    set(0o644);
    let output = binary(&data_dir).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && told.contains("chmod 600"),
        "{told}"
    );
    // A database that somebody opened up is closed again.
    set(0o600);
    let database = data_dir.join(DATABASE);
    std::fs::set_permissions(&database, PermissionsExt::from_mode(0o666)).unwrap();
    assert!(starts(&data_dir));
    let mode = std::fs::metadata(&database).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
