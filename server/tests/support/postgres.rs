//! PostgreSQL databases for tests.

use crate::transport_tls::Authority;
use std::{
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, Weak},
};
use url::Url;

/// A database of one test. It is on the server of `AGENT_KEYS_TEST_POSTGRES_URL`, or else on one that tests of this
/// process share while any of them runs.
pub(crate) struct Postgres {
    url: Url,
    _server: Option<Arc<Server>>,
}

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Postgres {
    pub(crate) fn start() -> Self {
        let binaries = binaries();
        let mut shared = SHARED.lock().unwrap();
        let (url, server) = if let Ok(url) = std::env::var("AGENT_KEYS_TEST_POSTGRES_URL") {
            (url.parse().unwrap(), None)
        } else {
            let server = shared.upgrade().unwrap_or_else(|| {
                let binaries = binaries.as_deref();
                Arc::new(Server::start(binaries.unwrap_or_else(|| panic!("these tests need PostgreSQL: install Debian's package `postgresql`, or set AGENT_KEYS_TEST_POSTGRES_URL"))))
            });
            *shared = Arc::downgrade(&server);
            (server.url.clone(), Some(server))
        };
        let name = format!("test_{:016x}", fastrand::u64(..));
        let createdb = binaries.unwrap_or_default().join("createdb");
        run(Command::new(createdb)
            .arg("--maintenance-db")
            .args([url.as_str(), &name]));
        let mut of_test: Url = url;
        of_test.set_path(&name);
        Self {
            url: of_test,
            _server: server,
        }
    }

    /// A server of its own that encrypts, with a certificate for this host. The role `certified` needs a certificate of
    /// this authority.
    pub(crate) fn with_tls(authority: &Authority, host: &str) -> Self {
        let binaries = binaries().unwrap_or_else(|| panic!("these tests need PostgreSQL"));
        let server = Server::start_with(&binaries, Some((authority, host)));
        Self {
            url: server.url.clone(),
            _server: Some(Arc::new(server)),
        }
    }

    /// The same database with these parameters of the address alone.
    pub(crate) fn url_with(&self, user: &str, parameters: &str) -> String {
        let mut url = self.url.clone();
        url.set_username(user).unwrap();
        url.set_query(Some(parameters));
        url.into()
    }

    /// Runs a statement as the owner of the server.
    pub(crate) fn run(&self, sql: &str) {
        let psql = binaries().unwrap_or_default().join("psql");
        run(Command::new(psql).args([self.url.as_str(), "-c", sql]));
    }

    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }
}

struct Server {
    url: Url,
    process: Child,
    _directory: tempfile::TempDir,
}

impl Server {
    fn start(binaries: &Path) -> Self {
        Self::start_with(binaries, None)
    }

    fn start_with(binaries: &Path, tls: Option<(&Authority, &str)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let unprivileged = |program: &str| {
            let mut command = Command::new(binaries.join(program));
            // PostgreSQL refuses to run as root.
            if is_root() {
                command.uid(NOBODY).gid(NOBODY);
            }
            command.current_dir("/").env("TZ", "UTC").env("LC_ALL", "C");
            command
        };
        if is_root() {
            std::os::unix::fs::chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
            std::fs::set_permissions(directory.path(), open).unwrap();
        }
        let arguments = [
            "--auth=trust",
            "--username=keys",
            "--no-sync",
            "-E",
            "UTF8",
            "-D",
        ];
        run(unprivileged("initdb").args(arguments).arg(&data));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let settings = [
            "fsync=off",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
        ];
        let encryption: &[&str] = match tls {
            None => &[],
            Some((authority, host)) => {
                encrypt(&data, authority, host);
                &["ssl=on", "ssl_ca_file=root.crt"]
            }
        };
        let settings = settings.iter().chain(encryption);
        let process = unprivileged("postgres")
            .args(settings.flat_map(|setting| ["-c", setting]))
            .args(["-p", &port.to_string(), "-D"])
            .arg(&data)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("postgres://keys@127.0.0.1:{port}/postgres?sslmode=disable");
        let server = Self {
            url: url.parse().unwrap(),
            process,
            _directory: directory,
        };
        // It refuses connections until it has started.
        let ready = ["--quiet", "--timeout=1", "--host=127.0.0.1", "--port"];
        super::until("PostgreSQL accepts connections", || {
            let mut command = Command::new(binaries.join("pg_isready"));
            let status = command.args(ready).arg(port.to_string()).status();
            status.unwrap().success()
        });
        server
    }
}

/// Writes certificate, key and authority below their usual names, and the rule for the role `certified`.
fn encrypt(data: &Path, authority: &Authority, host: &str) {
    let (certificate, key) = authority.issue(host, false);
    let rules = std::fs::read_to_string(data.join("pg_hba.conf")).unwrap();
    let rules = format!("hostssl all certified 127.0.0.1/32 cert\n{rules}");
    for (name, text) in [
        ("server.crt", certificate),
        ("server.key", key),
        ("root.crt", authority.pem()),
        ("pg_hba.conf", rules),
    ] {
        let path = data.join(name);
        std::fs::write(&path, text).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, private).unwrap();
        if is_root() {
            std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The newest of the distribution's own versions.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .max()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}

const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    std::fs::metadata("/proc/self")
        .is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0)
}
