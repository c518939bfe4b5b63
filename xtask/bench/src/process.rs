//! Servers started for a measurement, and ended with it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A start that takes longer has failed.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running server. It ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// The addresses of its ready line, as `host:port`.
    pub(crate) hosts: Vec<String>,
    /// From the start of the process to its ready line.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts a program and waits for its ready line: the first that says "ready" and has an address.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let start = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("a server could not be started")?;
        let output = child.stdout.take().context("a server has no output")?;
        let (sender, lines) = mpsc::channel();
        // The thread goes on reading to the end, or the server would block on a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send((line, Instant::now()));
            }
        });
        let mut server = Self {
            child,
            hosts: Vec::new(),
            ready_after: Duration::ZERO,
        };
        loop {
            let left = READY_WITHIN.saturating_sub(start.elapsed());
            let Ok((line, at)) = lines.recv_timeout(left) else {
                bail!("a server did not say that it is ready within {READY_WITHIN:?}");
            };
            let hosts = hosts(&line);
            if line.to_lowercase().contains("ready") && !hosts.is_empty() {
                server.hosts = hosts;
                server.ready_after = at - start;
                return Ok(server);
            }
        }
    }

    /// The memory it holds now, in MiB.
    pub(crate) fn memory_mib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .context("memory is read from /proc, which only Linux has")?;
        let kib: f64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
            .context("/proc does not say how much memory the server holds")?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every `http://host:port` in a line, without the scheme.
fn hosts(line: &str) -> Vec<String> {
    line.split("http://")
        .skip(1)
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_ascii_alphanumeric() || ".:[]".contains(*c))
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_gives_both_addresses() {
        let line = "Ready: http://127.0.0.1:5680 (Elasticsearch at http://127.0.0.1:9200)";
        assert_eq!(hosts(line), ["127.0.0.1:5680", "127.0.0.1:9200"]);
        assert!(hosts("not yet").is_empty());
    }
}
