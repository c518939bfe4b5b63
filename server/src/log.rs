//! Log lines on standard error. A thread of its own writes them, so that neither a full disk nor a closed or stalled pipe
//! stops a request. A line that cannot be written is dropped and counted.

use crate::audit::line_writer::write_to_stream;
use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Lines that wait to be written. More are dropped.
const WAITING_MAX: usize = 4_096;
/// Limit for the last lines of the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
const FLUSH_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Process-wide, as the log itself.
static DROPPED: AtomicU64 = AtomicU64::new(0);
static FAILING: AtomicBool = AtomicBool::new(false);

/// Number of lines that could not be written.
pub fn dropped_lines() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Returns true from a line that was dropped until one is written.
pub fn is_failing() -> bool {
    FAILING.load(Ordering::Relaxed)
}

fn drop_line() {
    DROPPED.fetch_add(1, Ordering::Relaxed);
    FAILING.store(true, Ordering::Relaxed);
}

enum Message {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

/// Writer of log lines, which never fails and never waits.
#[derive(Clone)]
pub struct LogWriter(SyncSender<Message>);

impl LogWriter {
    /// Starts the thread that writes to standard error.
    pub fn start() -> io::Result<Self> {
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let (sender, waiting) = sync_channel(WAITING_MAX);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(stderr, &waiting))?;
        Ok(Self(sender))
    }

    /// Waits until the lines before are written, at most [`FLUSH_TIMEOUT`].
    pub fn flush(&self) {
        let end = Instant::now() + FLUSH_TIMEOUT;
        let (flushed, done) = channel();
        let mut message = Message::Flush(flushed);
        while let Err(TrySendError::Full(back)) = self.0.try_send(message) {
            if Instant::now() >= end {
                return;
            }
            message = back;
            thread::sleep(FLUSH_POLL_INTERVAL);
        }
        let _ = done.recv_timeout(end.saturating_duration_since(Instant::now()));
    }
}

/// Takes one line a call, as the formatter writes them.
impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Message::Line(line.to_owned())).is_err() {
            drop_line();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_lines(mut stderr: File, waiting: &Receiver<Message>) {
    // Set while the stream holds the beginning of a line.
    let mut unfinished = false;
    for message in waiting {
        match message {
            Message::Line(line) => match write_to_stream(&mut stderr, &line, &mut unfinished) {
                Ok(()) => FAILING.store(false, Ordering::Relaxed),
                Err(_) => drop_line(),
            },
            // The process no longer waits.
            Message::Flush(flushed) => drop(flushed.send(())),
        }
    }
}
