//! The binary in a process of its own, looked at from outside.

use super::{Browser, PASSWORD, client};
use http::StatusCode;
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

/// The binary, running.
pub(crate) struct Process {
    child: Child,
    pub(crate) url: String,
    /// Of the engine inside, if there is one.
    pub(crate) engine_url: Option<String>,
}

impl Process {
    /// In front of an engine that outlives it.
    pub(crate) fn start(data_dir: &Path, elasticsearch: &str) -> Self {
        let mut command = binary(data_dir);
        command.env("AGENT_KEYS_ELASTICSEARCH_URL", elasticsearch);
        Self::run(&mut command)
    }

    /// With the engine inside, as most people run it.
    pub(crate) fn with_engine(data_dir: &Path) -> Self {
        let mut command = binary(data_dir);
        command
            .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0")
            .env("ELASTIC_PASSWORD", PASSWORD);
        Self::run(&mut command)
    }

    /// Started by a command of the test's own, which must end in the binary.
    pub(crate) fn run(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line.split_whitespace().nth(5).unwrap().to_owned();
        let engine_url = line.split_once("embedded engine at ");
        let engine_url = engine_url.map(|(_, url)| url.trim_end().trim_end_matches(')').to_owned());
        Self {
            child,
            url,
            engine_url,
        }
    }

    /// The same, with lines in JSON.
    pub(crate) fn run_json(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self {
            child,
            url: text("url"),
            engine_url: (ready["embedded_engine"] == true).then(|| text("elasticsearch")),
        }
    }

    /// A browser that nobody has signed in with.
    pub(crate) fn nobody(&self) -> Browser {
        Browser {
            url: self.url.clone(),
            cookie: None,
            user: None,
            http: client(),
        }
    }

    /// A browser with which this user has signed in.
    pub(crate) async fn as_user(&self, username: &str) -> Browser {
        let mut browser = self.nobody();
        let answer = browser.sign_in(username, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        browser
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        let (_, address) = self.url.split_once("://").unwrap();
        address.parse().unwrap()
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.args(["-s", name, &self.id().to_string()]);
        assert!(kill.status().unwrap().success());
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// What the kernel says of it in `/proc`.
    pub(crate) fn about(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.id())).unwrap()
    }

    /// A figure of its memory in KiB, such as `VmRSS`.
    pub(crate) fn memory_kib(&self, name: &str) -> i64 {
        let status = self.about("status");
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Its open files, connections included.
    pub(crate) fn files(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.id()));
        files.unwrap().count()
    }
}

/// `kill -9`, also when a test fails.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn binary(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-keys"));
    prepare(&mut command, data_dir);
    command
}

/// What the binary is told by its environment, whatever starts it.
pub(crate) fn prepare(command: &mut Command, data_dir: &Path) {
    command
        .env_clear()
        .env("AGENT_KEYS_LISTEN", "127.0.0.1:0")
        .env("AGENT_KEYS_DATA_DIR", data_dir)
        .env("AGENT_KEYS_LOG", "off")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
}

/// The binary, to which a write beyond the limit fails, as it does on a full disk, and does not end it.
pub(crate) fn heedless() -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\""]);
    command.arg(env!("CARGO_BIN_EXE_agent-keys"));
    command
}

/// How long the files may become to which the process writes; whether that could be set.
pub(crate) fn limit_files(process: &Process, bytes: &str) -> bool {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &process.id().to_string()]);
    // Only the soft limit, so that it can be raised again.
    prlimit.arg(format!("--fsize={bytes}:"));
    prlimit.status().is_ok_and(|status| status.success())
}
