//! A PostgreSQL to test against.

use std::{
    net::TcpListener,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

/// A PostgreSQL, of this test alone unless the environment names one.
pub(crate) struct Postgres {
    url: String,
    own: Option<Own>,
}

struct Own {
    server: Child,
    _directory: tempfile::TempDir,
}

impl Postgres {
    /// Takes the server that the environment names, or starts one from the distribution's own binaries.
    pub(crate) fn start() -> Self {
        Self::try_start().unwrap_or_else(|| panic!("these tests need PostgreSQL: install Debian's package `postgresql`, or set AGENT_KEYS_TEST_POSTGRES_URL"))
    }

    fn try_start() -> Option<Self> {
        if let Ok(url) = std::env::var("AGENT_KEYS_TEST_POSTGRES_URL") {
            return Some(Self { url, own: None });
        }
        let binaries = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let binaries: PathBuf = binaries
            .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
            .max()?;
        let directory = tempfile::tempdir().ok()?;
        let data = directory.path().join("data");
        // PostgreSQL refuses to run as root.
        let as_somebody = |program: &str| {
            let mut command = Command::new(binaries.join(program));
            if is_root() {
                command.uid(NOBODY).gid(NOBODY);
            }
            command.current_dir("/").env("TZ", "UTC").env("LC_ALL", "C");
            command
        };
        std::fs::create_dir(&data).ok()?;
        if is_root() {
            std::os::unix::fs::chown(&data, Some(NOBODY), Some(NOBODY)).ok()?;
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
            std::fs::set_permissions(directory.path(), open).ok()?;
        }
        let initialised = as_somebody("initdb")
            .args([
                "--auth=trust",
                "--username=keys",
                "--no-sync",
                "-E",
                "UTF8",
                "-D",
            ])
            .arg(&data)
            .output()
            .ok()?;
        if !initialised.status.success() {
            println!("initdb: {}", String::from_utf8_lossy(&initialised.stderr));
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .ok()?
            .local_addr()
            .ok()?
            .port();
        let server = as_somebody("postgres")
            .args([
                "-c",
                "fsync=off",
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ])
            .args(["-p", &port.to_string(), "-D"])
            .arg(&data)
            .stderr(std::process::Stdio::null())
            .spawn()
            .ok()?;
        let postgres = Self {
            url: format!("postgres://keys@127.0.0.1:{port}/postgres?sslmode=disable"),
            own: Some(Own {
                server,
                _directory: directory,
            }),
        };
        for _ in 0..100 {
            // While it starts, it takes connections and refuses each.
            let ready = Command::new(binaries.join("pg_isready"))
                .args(["--quiet", "--host=127.0.0.1", "--port", &port.to_string()])
                .status();
            if ready.ok()?.success() {
                return Some(postgres);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        None
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(own) = &mut self.own {
            let _ = own.server.kill();
            let _ = own.server.wait();
        }
    }
}

const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    std::fs::metadata("/proc/self")
        .is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0)
}
