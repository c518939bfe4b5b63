//! `agent-keys doctor`: checks everything that the application needs, and changes nothing.
//!
//! The application may run meanwhile. Each check names its subject, its result, and for a fault the cause.

use crate::{
    access::{self, KibanaFeatureCheck, ListAgentKeys, Permissions, RevokeAgentKey},
    backup,
    config::{Cluster, Config, Elasticsearch as Setting, TlsFiles},
    credential::Credential,
    data_lock::DataLock,
    database,
    elasticsearch::{self, Elasticsearch},
    health::{disk_space, written_directories},
    http::listener::{Port, check_files, reachable},
    identifier::{RequestId, identifier},
    log,
    store::{Store, sqlite_file},
};
use app::model::{agent_key::MissingPrivilege, session::KeyScope, timestamp::Timestamp};
use platform::{Clock, Random, private_files};
use rustix::{
    fs::{Access, AtFlags, CWD, accessat},
    io::Errno,
    process::geteuid,
};
use secrecy::ExposeSecret;
use std::{
    error::Error, fmt, net::TcpStream, os::unix::fs::PermissionsExt, path::Path, time::Duration,
};
use url::Url;

/// Free space below which a disk is reported.
const FREE_BYTES_FEW: u64 = 512 * 1024 * 1024;
/// Free space below which changes are refused soon.
const FREE_BYTES_MIN: u64 = 16 * 1024 * 1024;
/// Difference of clocks that is reported.
const CLOCK_DIFFERENCE_MAX: Duration = Duration::from_secs(60);
/// Remaining time of a certificate below which it is reported.
const CERTIFICATE_SOON: Duration = Duration::from_hours(14 * 24);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    /// It works now, and should be looked at.
    Warning,
    Failed,
    /// There is nothing to check.
    Skipped,
}

/// Result of one check.
#[derive(Debug)]
pub struct Finding {
    pub verdict: Verdict,
    pub subject: String,
    /// Holds no secret.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Passed => "ok",
            Verdict::Warning => "warning",
            Verdict::Failed => "failed",
            Verdict::Skipped => "skipped",
        };
        write!(f, "{verdict:<8} {}: {}", self.subject, self.text)
    }
}

/// Results of all checks, in the order in which they are made.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, verdict: Verdict, subject: &str, text: impl Into<String>) {
        self.0.push(Finding {
            verdict,
            subject: subject.to_owned(),
            text: text.into(),
        });
    }

    fn failed(&mut self, subject: &str, error: &(dyn Error + 'static)) {
        self.add(Verdict::Failed, subject, log::one_line(error));
    }
}

/// Makes every check.
pub async fn examine(config: &Config, clock: &Clock) -> Vec<Finding> {
    // It fails only if one is installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let now = Timestamp(clock.now_ms());
    let mut findings = Findings::default();
    let is_running = DataLock::is_held(config);
    data_directory(&mut findings, &config.data_dir, is_running);
    free_space(&mut findings, config);
    database(&mut findings, config, now).await;
    engine_database(&mut findings, config).await;
    certificate(&mut findings, config.tls.as_ref(), now);
    listeners(&mut findings, config, is_running);
    let elasticsearch = elasticsearch(&mut findings, config, is_running, now).await;
    service_user(&mut findings, config, elasticsearch, now).await;
    findings.0
}

fn data_directory(findings: &mut Findings, directory: &Path, is_running: bool) {
    const SUBJECT: &str = "data directory";
    const WRITE_BY_OTHERS: u32 = 0o002;
    let path = directory.display();
    let Ok(about) = std::fs::metadata(directory) else {
        let mut parents = directory.ancestors().skip(1);
        let parent = parents
            .find(|parent| parent.exists())
            .unwrap_or(Path::new("."));
        return match may_write(parent) {
            Ok(()) => {
                let text = format!("{path} does not exist yet; the first start makes it");
                findings.add(Verdict::Skipped, SUBJECT, text);
            }
            Err(error) => {
                let parent = parent.display();
                let text =
                    format!("{path} does not exist, and cannot be made in {parent}: {error}");
                findings.add(Verdict::Failed, SUBJECT, text);
            }
        };
    };
    let user = geteuid().as_raw();
    if !about.is_dir() {
        findings.add(Verdict::Failed, SUBJECT, format!("{path} is no directory"));
    } else if let Err(error) = may_write(directory) {
        let text = format!("the account with the number {user} cannot write to {path}: {error}");
        findings.add(Verdict::Failed, SUBJECT, text);
    } else if let Err(error) = private_files::check_owner(&directory.join("agent-keys.db")) {
        findings.failed(SUBJECT, &error);
    } else if about.permissions().mode() & WRITE_BY_OTHERS != 0 {
        let text = format!("every account of this machine can write to {path}: run chmod o-w");
        findings.add(Verdict::Warning, SUBJECT, text);
    } else {
        let used = if is_running {
            "; a process of Agent Keys uses it"
        } else {
            "; no process of Agent Keys uses it"
        };
        findings.add(
            Verdict::Passed,
            SUBJECT,
            format!("{path} can be written{used}"),
        );
    }
}

fn may_write(directory: &Path) -> Result<(), Errno> {
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    accessat(
        CWD,
        directory,
        Access::WRITE_OK | Access::EXEC_OK,
        AtFlags::EACCESS,
    )
}

fn free_space(findings: &mut Findings, config: &Config) {
    const MIB: u64 = 1024 * 1024;
    for directory in written_directories(config) {
        let existing = directory.ancestors().find(|path| path.exists());
        let Ok(space) = disk_space(existing.unwrap_or(Path::new("."))) else {
            continue;
        };
        let verdict = match space.free {
            ..FREE_BYTES_MIN => Verdict::Failed,
            FREE_BYTES_MIN..FREE_BYTES_FEW => Verdict::Warning,
            _ => Verdict::Passed,
        };
        let (free, size) = (space.free / MIB, space.size / MIB);
        let text = format!("{}: {free} of {size} MiB are free", directory.display());
        findings.add(verdict, "disk", text);
    }
}

async fn database(findings: &mut Findings, config: &Config, now: Timestamp) {
    const SUBJECT: &str = "database";
    let url = config
        .database_url
        .as_ref()
        .map(ExposeSecret::expose_secret);
    let default = config.data_dir.join("agent-keys.db");
    let file = match url {
        Some(url) => sqlite_file(url),
        None => Some(default.as_path()),
    };
    let name = file.map_or_else(
        || "PostgreSQL".to_owned(),
        |file| file.display().to_string(),
    );
    if file.is_some_and(|file| !file.exists()) {
        let text = format!("{name} does not exist yet; the first start makes it");
        return findings.add(Verdict::Skipped, SUBJECT, text);
    }
    let store = match database::open_to_read(config).await {
        Ok(store) => store,
        Err(error) if error.is_before_first_start() => {
            let text = format!("{name} has no tables yet; the first start makes them");
            return findings.add(Verdict::Skipped, SUBJECT, text);
        }
        Err(error) => return findings.failed(SUBJECT, &error),
    };
    let checked = match file {
        Some(file) => backup::check(file).await,
        None => Ok(()),
    };
    match checked {
        Ok(()) => {
            let text = format!("{name} can be read, and the server key belongs to it");
            findings.add(Verdict::Passed, SUBJECT, text);
        }
        Err(error) => findings.failed(SUBJECT, &error),
    }
    clock(findings, &store, now).await;
    store.close().await;
}

/// Compares the clock of this machine with the newest audit event and with PostgreSQL.
async fn clock(findings: &mut Findings, store: &Store, now: Timestamp) {
    const SUBJECT: &str = "clock";
    let times = async {
        let newest = store.newest_audit_event().await?;
        Ok::<_, crate::store::Error>((
            newest,
            store.clock().await?,
            store.is_retention_paused().await?,
        ))
    };
    let (newest, database, is_paused) = match times.await {
        Ok(times) => times,
        Err(error) => return findings.failed(SUBJECT, &error),
    };
    let here = now.iso_ms();
    let late = |time: &Timestamp| *time > now.plus(CLOCK_DIFFERENCE_MAX);
    if let Some(newest) = newest.filter(late) {
        let text = format!(
            "it is {here} here, and the newest audit event is of {}: the clock went back",
            newest.iso_ms()
        );
        findings.add(Verdict::Failed, SUBJECT, text);
    } else if let Some(there) = database
        && there.0.abs_diff(now.0) > u64::try_from(CLOCK_DIFFERENCE_MAX.as_millis()).unwrap_or(0)
    {
        let there = there.iso_ms();
        let text = format!("it is {here} here and {there} at PostgreSQL: set both by NTP");
        findings.add(Verdict::Failed, SUBJECT, text);
    } else if is_paused {
        let text = "the clock has jumped, and no audit event is removed: run agent-keys audit resume-retention";
        findings.add(Verdict::Warning, SUBJECT, text);
    } else {
        findings.add(
            Verdict::Passed,
            SUBJECT,
            format!("{here} fits the database"),
        );
    }
}

async fn engine_database(findings: &mut Findings, config: &Config) {
    const SUBJECT: &str = "database of the embedded engine";
    if matches!(config.elasticsearch, Setting::Cluster(_)) {
        return;
    }
    let file = config.engine_file();
    let path = file.display();
    if !file.exists() {
        let text = format!("{path} does not exist yet; the first start makes it");
        return findings.add(Verdict::Skipped, SUBJECT, text);
    }
    match backup::check(&file).await {
        Ok(()) => findings.add(Verdict::Passed, SUBJECT, format!("{path} is intact")),
        Err(error) => findings.failed(SUBJECT, &error),
    }
}

fn certificate(findings: &mut Findings, files: Option<&TlsFiles>, now: Timestamp) {
    const SUBJECT: &str = "certificate of AGENT_KEYS_TLS_CERT_FILE";
    let Some(files) = files else {
        let text = "not set: plain HTTP";
        return findings.add(Verdict::Skipped, SUBJECT, text);
    };
    match check_files(files) {
        Ok(end) => end_of_certificate(findings, SUBJECT, end, now),
        Err(error) => findings.failed(SUBJECT, &error),
    }
}

/// `end` is in seconds since 1970.
fn end_of_certificate(findings: &mut Findings, subject: &str, end: i64, now: Timestamp) {
    let end = Timestamp(end.saturating_mul(1_000));
    let until = end.iso_ms();
    if end < now {
        findings.add(Verdict::Failed, subject, format!("it expired at {until}"));
    } else if end < now.plus(CERTIFICATE_SOON) {
        findings.add(
            Verdict::Warning,
            subject,
            format!("it expires soon, at {until}"),
        );
    } else {
        findings.add(Verdict::Passed, subject, format!("valid until {until}"));
    }
}

fn listeners(findings: &mut Findings, config: &Config, is_running: bool) {
    for (setting, address) in config.listeners() {
        let is_answered = || TcpStream::connect_timeout(&reachable(address), CONNECT_TIMEOUT);
        if address.port() == 0 {
            findings.add(Verdict::Skipped, setting, "port 0: any free port");
        } else if is_running {
            match is_answered() {
                Ok(_) => findings.add(Verdict::Passed, setting, format!("{address} is answered")),
                Err(error) => {
                    let text = format!("{address} is not answered by the running process: {error}");
                    findings.add(Verdict::Failed, setting, text);
                }
            }
        } else {
            match Port::open(setting, address) {
                Ok(_) => findings.add(Verdict::Passed, setting, format!("{address} is free")),
                Err(error) => findings.failed(setting, &error),
            }
        }
    }
}

/// Checks every address, and returns a client if one answers.
async fn elasticsearch(
    findings: &mut Findings,
    config: &Config,
    is_running: bool,
    now: Timestamp,
) -> Option<Elasticsearch> {
    const SUBJECT: &str = "Elasticsearch";
    let cluster = match &config.elasticsearch {
        Setting::Cluster(cluster) => (**cluster).clone(),
        Setting::Embedded { .. } if !is_running => {
            let text = "the embedded engine runs with the application, which does not run";
            findings.add(Verdict::Skipped, SUBJECT, text);
            return None;
        }
        Setting::Embedded { listen, .. } if !listen.ip().is_loopback() || listen.port() == 0 => {
            let text = "the embedded engine is not on a known port of loopback";
            findings.add(Verdict::Skipped, SUBJECT, text);
            return None;
        }
        Setting::Embedded { listen, .. } => {
            Cluster::from(Url::parse(&format!("http://{listen}/")).ok()?)
        }
    };
    let elasticsearch = match Elasticsearch::new(cluster) {
        Ok(elasticsearch) => elasticsearch,
        Err(error) => {
            findings.failed(SUBJECT, &error);
            return None;
        }
    };
    for (name, end) in elasticsearch.certificate_ends() {
        let subject = match name {
            "elasticsearch_ca" => "certificate of AGENT_KEYS_ELASTICSEARCH_CA_FILE",
            _ => "certificate of AGENT_KEYS_ELASTICSEARCH_CLIENT_CERT_FILE",
        };
        end_of_certificate(findings, subject, end, now);
    }
    let mut is_reachable = false;
    for (address, answered) in elasticsearch.probe_each().await {
        match answered {
            Ok(()) => {
                is_reachable = true;
                let tls = if address.starts_with("https:") {
                    "its certificate is trusted"
                } else {
                    "without TLS"
                };
                findings.add(
                    Verdict::Passed,
                    SUBJECT,
                    format!("{address} answers, {tls}"),
                );
            }
            Err(cause) => findings.add(Verdict::Failed, SUBJECT, format!("{address}: {cause}")),
        }
    }
    is_reachable.then_some(elasticsearch)
}

async fn service_user(
    findings: &mut Findings,
    config: &Config,
    elasticsearch: Option<Elasticsearch>,
    now: Timestamp,
) {
    const SUBJECT: &str = "user of AGENT_KEYS_SERVICE_USERNAME";
    const VERSION: &str = "version of Elasticsearch";
    let Some(credential) = &config.service else {
        let text = "not set: keys with a lost secret are found when a user opens the list";
        findings.add(Verdict::Skipped, SUBJECT, text);
        return findings.add(Verdict::Skipped, VERSION, "it takes a user to read it");
    };
    let Some(elasticsearch) = elasticsearch else {
        return findings.add(Verdict::Skipped, SUBJECT, "Elasticsearch does not answer");
    };
    let id = match identifier(Random, now) {
        Ok(id) => RequestId::new(&id),
        Err(error) => return findings.failed(SUBJECT, &error),
    };
    let connection = elasticsearch.connect(Credential::clone(credential), id);
    match rights(&connection, config).await {
        Ok(missing) if missing.is_empty() => {
            let text = format!("{} has the privileges it needs", connection.username());
            findings.add(Verdict::Passed, SUBJECT, text);
        }
        Ok(missing) => {
            let text = format!("{} lacks {}", connection.username(), missing.join(", "));
            findings.add(Verdict::Failed, SUBJECT, text);
        }
        Err(error) => return findings.failed(SUBJECT, &error),
    }
    match connection.info().await {
        Ok(info) => {
            let text = format!("{} ({})", info.version.number, info.cluster_name);
            findings.add(Verdict::Passed, VERSION, text);
        }
        Err(elasticsearch::Error::Forbidden { .. }) => {
            let text = "not shown: it takes the privilege monitor, which is not needed otherwise";
            findings.add(Verdict::Skipped, VERSION, text);
        }
        Err(error) => findings.failed(VERSION, &error),
    }
}

/// Privileges that the service user lacks.
async fn rights(
    connection: &elasticsearch::Connection,
    config: &Config,
) -> Result<Vec<String>, elasticsearch::Error> {
    let identity = access::identify(connection).await?.identity().clone();
    let kibana_feature = KibanaFeatureCheck::new(&config.access);
    let permissions = Permissions::request(connection, identity, &kibana_feature).await?;
    let list = permissions.grant::<ListAgentKeys>().err();
    let revoke = permissions.grant::<RevokeAgentKey>().err();
    let mut missing: Vec<String> = Vec::new();
    if permissions.access().revoke_scope == KeyScope::Own {
        missing.push("manage_api_key".to_owned());
    }
    let others = list.into_iter().chain(revoke).flatten();
    for privilege in others.map(|privilege| name(&privilege)) {
        // Included in what was named first.
        if privilege != "manage_own_api_key" && !missing.contains(&privilege) {
            missing.push(privilege);
        }
    }
    Ok(missing)
}

fn name(privilege: &MissingPrivilege) -> String {
    match privilege {
        MissingPrivilege::Cluster(privilege) => privilege.clone(),
        MissingPrivilege::Application {
            application,
            privilege,
            resource,
        } => format!("{privilege} of {application} on {resource}"),
    }
}
