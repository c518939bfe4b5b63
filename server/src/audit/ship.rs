//! Committed events, one line of JSON each, for whatever collects lines.
//!
//! A thread of its own writes them: a collector that has stopped reading must not stop requests. The database has
//! every event whatever happens here, and each line has the event's number, so a gap can be seen and filled from an
//! export.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};
use tokio::sync::oneshot;

/// Lines that wait to be written; what comes beyond is not shipped.
const WAITING_MAX: usize = 10_000;

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// The end of a file, which is made if it is missing and opened anew for every line, so that it can be rotated.
    File(PathBuf),
}

/// Writes lines, one after the other.
#[derive(Debug)]
pub struct Shipper {
    waiting: SyncSender<Message>,
}

enum Message {
    Line(String),
    Flush(oneshot::Sender<()>),
}

impl Shipper {
    /// Begins to write to `destination`, which is tried at once: a path that cannot be written is a mistake to hear
    /// of at the start.
    pub fn start(destination: Destination) -> io::Result<Self> {
        if let Destination::File(path) = &destination {
            open(path)?;
        }
        let (waiting, messages) = sync_channel(WAITING_MAX);
        thread::Builder::new()
            .name("audit-log".to_owned())
            .spawn(move || write_all(&destination, &messages))?;
        Ok(Self { waiting })
    }

    /// Hands a line over, and does not wait.
    pub(super) fn ship(&self, line: String) {
        if self.waiting.try_send(Message::Line(line)).is_err() {
            tracing::error!("AGENT_KEYS_AUDIT_LOG: too many lines wait; one was left out");
        }
    }

    /// Waits until what was handed over is written.
    pub(super) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.waiting.try_send(Message::Flush(done)).is_ok() {
            // A thread that has ended has nothing left to write.
            let _ = written.await;
        }
    }
}

fn write_all(destination: &Destination, messages: &Receiver<Message>) {
    for message in messages {
        match message {
            Message::Line(mut line) => {
                line.push('\n');
                if let Err(error) = write(destination, &line) {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "AGENT_KEYS_AUDIT_LOG: a line was not written");
                }
            }
            Message::Flush(done) => {
                // Whoever asked may be gone.
                let _ = done.send(());
            }
        }
    }
}

/// One call for the whole line, so that lines of two processes do not mix.
fn write(destination: &Destination, line: &str) -> io::Result<()> {
    match destination {
        Destination::Stdout => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(line.as_bytes())?;
            stdout.flush()
        }
        Destination::File(path) => open(path)?.write_all(line.as_bytes()),
    }
}

fn open(path: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}
