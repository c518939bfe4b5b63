//! The system calls of an application, in the order in which they were made.

use std::{collections::BTreeMap, path::Path, process::Command};

/// What it wrote, and when what it had written was on the disk.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// Changes that were sent to Elasticsearch, and how many of them with nothing left to bring to the disk.
    pub(crate) sent: (usize, usize),
    /// Answers to these changes, and how many of them with nothing left to bring to the disk.
    pub(crate) answered: (usize, usize),
    /// How long the database's log was when it was last brought to the disk.
    pub(crate) log_on_disk: u64,
}

/// Puts `strace` before a program; nothing where there is none.
pub(crate) fn traced(program: &Path, to: &Path) -> Option<Command> {
    let there = Command::new("strace").arg("-V").output().ok()?;
    if !there.status.success() {
        return None;
    }
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-s", "64", "-o"])
        .arg(to)
        .args([
            "-e",
            "trace=fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg",
        ])
        .arg(program);
    Some(command)
}

impl Trace {
    /// Reads what `strace` wrote about an application with its database in `database`.
    pub(crate) fn read(file: &Path, database: &Path) -> Self {
        // Which of the two, SQLite decides when it is compiled.
        const SYNCS: [&str; 2] = ["fdatasync(", "fsync("];
        const RESUMED: [&str; 2] = ["<... fdatasync resumed>", "<... fsync resumed>"];
        const SEND: &str = "\"POST /_security/api_key";
        let log = format!("<{}-wal>", database.display());
        let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        let mut trace = Self::default();
        // Line numbers: of the last write to the log, and of the last one that is on the disk.
        let (mut written, mut on_disk) = (0, 0);
        let (mut length, mut waits_for_answer) = (0, false);
        let mut written_since = false;
        let mut begun = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let (thread, call) = line.split_once(' ').unwrap();
            let call = call.trim_start();
            if call.starts_with("pwrite64(") && call.contains(&log) {
                written = number;
                written_since = true;
                length = length.max(end_of_write(call));
            } else if SYNCS.iter().any(|sync| call.starts_with(sync)) && call.contains(&log) {
                begun.insert(thread.to_owned(), (written, length));
                if !call.contains("<unfinished") {
                    (on_disk, trace.log_on_disk) = begun.remove(thread).unwrap();
                }
            } else if RESUMED.iter().any(|resumed| call.starts_with(resumed)) {
                if let Some(synced) = begun.remove(thread) {
                    (on_disk, trace.log_on_disk) = synced;
                }
            } else if call.contains(SEND) {
                trace.sent.0 += 1;
                trace.sent.1 += usize::from(written_since && on_disk >= written);
                (waits_for_answer, written_since) = (true, false);
            } else if waits_for_answer && call.contains("\"HTTP/1.1 200") {
                trace.answered.0 += 1;
                trace.answered.1 += usize::from(written_since && on_disk >= written);
                (waits_for_answer, written_since) = (false, false);
            }
        }
        trace
    }
}

/// Offset and length of `pwrite64(7<…>, "…"..., 4096, 8192) = 4096`, added up.
fn end_of_write(call: &str) -> u64 {
    // What was written may hold any text, so it is read from the end.
    let whole = call.rsplit_once(") = ").map(|(arguments, _)| arguments);
    let arguments = whole.unwrap_or_else(|| call.trim_end_matches(" <unfinished ...>"));
    let numbers = arguments.rsplit(", ").take(2);
    numbers.map(|number| number.parse::<u64>().unwrap()).sum()
}
