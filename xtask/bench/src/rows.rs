//! What is measured, row by row.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::client::{Connection, request};
use crate::load::{self, Times};
use crate::person::{Form, Person};
use crate::process::Server;
use crate::report::{Report, milliseconds};
use crate::{floor, stock};

const CONNECTIONS: usize = 32;
const LOAD_TIME: Duration = Duration::from_secs(8);
const STARTS: usize = 7;
const PAGE_VIEWS: usize = 1_000;
const CREATIONS: usize = 60;
const FEW_KEYS: u32 = 10_000;
const MANY_KEYS: u32 = 100_000;
const LIST_VIEWS: usize = 300;
const QUERIES: usize = 300;
/// Keys that the load of privilege checks goes round.
const DISTINCT_KEYS: u32 = 5_000;

const PASSWORD: &str = "a-password-for-measuring";
const LIST: &str = "/settings/agent-keys";
/// What APM Server asks for every key that it sees.
const PRIVILEGES: &str = r#"{"application":[{"application":"apm","privileges":["config_agent:read","event:write","sourcemap:write"],"resources":["-"]}]}"#;
/// A page of the list: filtered, searched, sorted.
const QUERY: &str = r#"{"size":50,"sort":[{"creation":"desc"},{"name":"asc"}],"query":{"bool":{"filter":[{"term":{"metadata.application":"apm"}},{"term":{"invalidated":false}},{"wildcard":{"name":"*team 42*"}}]}}}"#;

/// Measures everything, prints the table and writes it to a file.
pub(crate) async fn measure(binary: &Path, file: &Path) -> Result<()> {
    let mut report = Report::default();
    let floor_a = floors(&mut report).await?;
    let bench = Bench::new(binary)?;
    first_life(&bench, &mut report).await?;
    many_keys(&bench, &mut report, floor_a).await?;

    let table = report.markdown();
    println!("\n{table}");
    fs::write(file, &table).with_context(|| format!("{} cannot be written", file.display()))
}

/// The binary and the folder of its data, which goes when this is dropped.
struct Bench {
    binary: PathBuf,
    data: PathBuf,
}

impl Bench {
    fn new(binary: &Path) -> Result<Self> {
        let data = env::temp_dir().join(format!("agent-keys-bench-{}", std::process::id()));
        fs::create_dir_all(&data).with_context(|| format!("{} cannot be made", data.display()))?;
        Ok(Self {
            binary: binary.to_path_buf(),
            data,
        })
    }

    fn start(&self) -> Result<Server> {
        let mut command = Command::new(&self.binary);
        command
            .arg("serve")
            // Settings of the person who measures would change what is measured.
            .env_clear()
            .envs(env::var_os("PATH").map(|path| ("PATH", path)))
            .env("AGENT_KEYS_LISTEN", "127.0.0.1:0")
            .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0")
            .env("AGENT_KEYS_DATA_DIR", &self.data)
            .env("AGENT_KEYS_LOG", "error")
            .env("ELASTIC_PASSWORD", PASSWORD)
            .current_dir(&self.data);
        let server = Server::start(&mut command)?;
        if server.hosts.len() < 2 {
            bail!("the ready line should have the web's and the engine's address");
        }
        Ok(server)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.data);
    }
}

async fn floors(report: &mut Report) -> Result<f64> {
    let this = env::current_exe()?;
    let server = Server::start(Command::new(&this).arg("floor-a"))?;
    let host = &server.hosts[0];
    let a = load::drive(
        host,
        vec![request("GET", host, "/", &[], "")],
        CONNECTIONS,
        LOAD_TIME,
    )
    .await?;
    report.add(
        "floor A: a constant, 32 connections",
        format!("{:.0}/s", a.per_second),
        "",
    );
    drop(server);

    let file = env::temp_dir().join(format!("agent-keys-floor-{}.db", std::process::id()));
    let server = Server::start(Command::new(&this).arg("floor-b").arg(&file))?;
    let host = &server.hosts[0];
    let requests = (0..floor::ROWS)
        .map(|id| request("GET", host, &format!("/{id}"), &[], ""))
        .collect();
    let b = load::drive(host, requests, CONNECTIONS, LOAD_TIME).await;
    drop(server);
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", file.display()));
    }
    let b = b?.per_second;
    report.add(
        "floor B: an indexed read, 32 connections",
        format!("{b:.0}/s"),
        "",
    );
    Ok(a.per_second)
}

/// Everything that is measured with an almost empty database.
async fn first_life(bench: &Bench, report: &mut Report) -> Result<()> {
    // The first start makes the data that the others find.
    drop(bench.start()?);
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(bench.start()?.ready_after);
    }
    report.add(
        "start to ready, existing data",
        milliseconds(Times::new(starts).percentile(50)),
        "≤ 150 ms",
    );

    let server = bench.start()?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    report.add(
        "memory idle",
        format!("{:.1} MiB", server.memory_mib()?),
        "≤ 40 MiB",
    );

    let mut person = Person::at(&server.hosts[0]).await?;
    person.sign_in("elastic", PASSWORD).await?;
    first_load(&mut person, report).await?;
    creations(&server, &mut person, report).await?;

    views(&mut person, LIST, PAGE_VIEWS).await?;
    report.add(
        format!("memory after {PAGE_VIEWS} page views"),
        format!("{:.1} MiB", server.memory_mib()?),
        "≤ 60 MiB",
    );
    Ok(())
}

/// What a browser with an empty cache transfers for the list.
async fn first_load(person: &mut Person, report: &mut Report) -> Result<()> {
    let page = person.get(LIST).await?;
    let mut bytes = page.wire_bytes;
    let files: BTreeSet<_> = page
        .text()
        .unwrap_or_default()
        .split(['"', '\''])
        .filter(|word| word.starts_with("/pkg/"))
        .collect();
    if files.is_empty() {
        bail!("the list names no file of the site; was the binary built by `cargo xtask build`?");
    }
    for file in &files {
        bytes += person.get(file).await?.wire_bytes;
    }
    report.add(
        format!("first load of the list, {} requests", files.len() + 1),
        format!("{:.0} KB", f64::from(u32::try_from(bytes)?) / 1000.0),
        "≤ 300 KB",
    );
    Ok(())
}

/// A key made through the page, and the same two calls made to the engine directly.
async fn creations(server: &Server, person: &mut Person, report: &mut Report) -> Result<()> {
    let mut through_page = Vec::new();
    for number in 0..CREATIONS {
        let page = person.get(&format!("{LIST}/new")).await?;
        let form =
            Form::with_field(page.text()?, "name").context("the page for a new key has no form")?;
        let start = Instant::now();
        let answer = person
            .post(&form, &[("name", &format!("bench {number}"))])
            .await?;
        through_page.push(start.elapsed());
        if answer.status != 200 {
            bail!(
                "a key made through the page was answered with status {}",
                answer.status
            );
        }
    }
    let mut engine = Engine::at(&server.hosts[1]).await?;
    let mut direct = Vec::new();
    for number in 0..CREATIONS {
        let start = Instant::now();
        engine
            .ask("/_security/user/_has_privileges", PRIVILEGES)
            .await?;
        engine.create(&format!("direct {number}")).await?;
        direct.push(start.elapsed());
    }
    let (page, direct) = (
        Times::new(through_page).percentile(50),
        Times::new(direct).percentile(50),
    );
    report.add("create through the page, p50", milliseconds(page), "");
    report.add(
        "create: beyond Elasticsearch's calls, p50",
        milliseconds(page.saturating_sub(direct)),
        "≤ 10 ms",
    );
    Ok(())
}

/// Everything that is measured with many keys.
async fn many_keys(bench: &Bench, report: &mut Report, floor_a: f64) -> Result<()> {
    let server = bench.start()?;
    let mut engine = Engine::at(&server.hosts[1]).await?;
    let (id, secret) = engine.create("the original").await?;
    drop(server);
    let database = bench.data.join("engine.db");

    stock::fill(&database, &id, FEW_KEYS, 1).await?;
    let few = query_p95(&bench.start()?).await?;
    let ids = stock::fill(&database, &id, MANY_KEYS, DISTINCT_KEYS).await?;
    let start = Instant::now();
    let server = bench.start()?;
    eprintln!("started with {MANY_KEYS} keys in {:?}", start.elapsed());
    let many = query_p95(&server).await?;
    report.add(
        format!("engine: _query of {FEW_KEYS} keys, p95"),
        milliseconds(few),
        "",
    );
    report.add(
        format!("engine: _query of {MANY_KEYS} keys, p95"),
        milliseconds(many),
        "≤ 20 ms",
    );

    let mut person = Person::at(&server.hosts[0]).await?;
    person.sign_in("elastic", PASSWORD).await?;
    let list = views(&mut person, LIST, LIST_VIEWS).await?;
    report.add(
        format!("list page with {MANY_KEYS} keys, p50"),
        milliseconds(list.percentile(50)),
        "",
    );
    report.add(
        format!("list page with {MANY_KEYS} keys, p95"),
        milliseconds(list.percentile(95)),
        "≤ 30 ms",
    );
    report.add(
        format!("memory with {MANY_KEYS} keys"),
        format!("{:.1} MiB", server.memory_mib()?),
        "≤ 100 MiB",
    );

    let host = &server.hosts[1];
    let checks = ids
        .iter()
        .map(|id| {
            let key = format!(
                "ApiKey {}",
                BASE64_STANDARD.encode(format!("{id}:{secret}"))
            );
            privilege_check(host, &key)
        })
        .collect();
    let checks = load::drive(host, checks, CONNECTIONS, LOAD_TIME)
        .await?
        .per_second;
    report.add(
        format!("engine: _has_privileges, {DISTINCT_KEYS} keys, 32 connections"),
        format!("{checks:.0}/s"),
        "",
    );
    report.add(
        "the same, of floor A",
        format!("{:.0} %", checks / floor_a * 100.0),
        "≥ 60 %",
    );
    Ok(())
}

/// The request that APM Server sends for a key, header for header.
fn privilege_check(host: &str, authorization: &str) -> Vec<u8> {
    let headers = [
        ("Authorization", authorization),
        ("Content-Type", "application/json"),
        ("X-Elastic-Product-Origin", "observability"),
    ];
    request(
        "GET",
        host,
        "/_security/user/_has_privileges",
        &headers,
        PRIVILEGES,
    )
}

async fn query_p95(server: &Server) -> Result<Duration> {
    let mut engine = Engine::at(&server.hosts[1]).await?;
    let mut times = Vec::new();
    for _ in 0..QUERIES {
        let start = Instant::now();
        engine.ask("/_security/_query/api_key", QUERY).await?;
        times.push(start.elapsed());
    }
    Ok(Times::new(times).percentile(95))
}

async fn views(person: &mut Person, path: &str, count: usize) -> Result<Times> {
    let mut times = Vec::new();
    for _ in 0..count {
        let start = Instant::now();
        let page = person.get(path).await?;
        times.push(start.elapsed());
        if page.status != 200 {
            bail!("{path} was answered with status {}", page.status);
        }
    }
    Ok(Times::new(times))
}

/// The engine, as `elastic` uses it.
struct Engine {
    connection: Connection,
    host: String,
    authorization: String,
}

impl Engine {
    async fn at(host: &str) -> Result<Self> {
        let authorization = format!(
            "Basic {}",
            BASE64_STANDARD.encode(format!("elastic:{PASSWORD}"))
        );
        Ok(Self {
            connection: Connection::open(host).await?,
            host: host.to_owned(),
            authorization,
        })
    }

    async fn ask(&mut self, path: &str, body: &str) -> Result<serde_json::Value> {
        let headers = [
            ("Authorization", self.authorization.as_str()),
            ("Content-Type", "application/json"),
        ];
        let answer = self
            .connection
            .send(&request("POST", &self.host, path, &headers, body))
            .await?;
        if answer.status != 200 {
            bail!(
                "{path} was answered with status {}: {}",
                answer.status,
                answer.text()?
            );
        }
        serde_json::from_slice(&answer.body)
            .with_context(|| format!("{path} was not answered in JSON"))
    }

    /// Makes a key as the page does, and returns its id and its secret.
    async fn create(&mut self, name: &str) -> Result<(String, String)> {
        let body = serde_json::json!({
            "name": name,
            "metadata": { "application": "apm" },
            "role_descriptors": {
                "apm": { "cluster": [], "index": [], "applications": [{
                    "application": "apm",
                    "privileges": ["config_agent:read", "event:write"],
                    "resources": ["*"],
                }] },
            },
        });
        let made = self.ask("/_security/api_key", &body.to_string()).await?;
        let word = |field: &str| {
            made[field]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("a made key has no {field}"))
        };
        Ok((word("id")?, word("api_key")?))
    }
}
