//! Output of the audit log's lines to a file or stream: whole lines, synchronized before a batch is reported as written.

use crate::config::AuditDestination;
use platform::private_files;
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    os::fd::AsFd,
    path::Path,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};
use tokio::sync::oneshot;

/// Bytes read at a time to find the end of the last whole line.
const TAIL_BYTES: usize = 4096;

impl AuditDestination {
    /// Key under which the position is stored: the text of the setting.
    pub fn name(&self) -> String {
        match self {
            Self::Stdout => "stdout".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Opens the file once, so that a wrong path stops the start. A full disk does not: writes are retried.
    pub fn check(&self) -> io::Result<()> {
        match self {
            // To open a named pipe waits for a reader.
            Self::File(path) if !is_special(path) => match open(path) {
                Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
                opened => opened.map(drop),
            },
            Self::File(_) | Self::Stdout => Ok(()),
        }
    }
}

/// Writes batches on a thread of its own. A slow reader of standard output or of a named pipe blocks only that thread, and
/// neither a request nor the shutdown waits for it.
#[derive(Debug)]
pub struct LineWriter {
    batches: Sender<Batch>,
}

#[derive(Debug)]
struct Batch {
    lines: String,
    written: oneshot::Sender<io::Result<()>>,
}

impl LineWriter {
    /// Starts the thread. It ends with this value.
    pub fn start(destination: AuditDestination) -> io::Result<Self> {
        let (batches, waiting) = channel();
        thread::Builder::new()
            .name("audit-log".to_owned())
            .spawn(move || write_batches(&destination, &waiting))?;
        Ok(Self { batches })
    }

    /// Writes these lines, each of which ends with a line break. When it returns `Ok`, they are in a file's storage, or
    /// in the pipe. After an error, a file is as long as it was.
    pub async fn write(&self, lines: String) -> io::Result<()> {
        let (written, result) = oneshot::channel();
        self.batches
            .send(Batch { lines, written })
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        result.await.map_err(|_| io::ErrorKind::BrokenPipe)?
    }
}

fn write_batches(destination: &AuditDestination, batches: &Receiver<Batch>) {
    // Set while a pipe or a device holds the beginning of a line.
    let mut unfinished = false;
    for Batch { lines, written } in batches {
        let result = write(destination, &lines, &mut unfinished);
        // The forwarder may have been stopped meanwhile.
        let _ = written.send(result);
    }
}

fn write(destination: &AuditDestination, lines: &str, unfinished: &mut bool) -> io::Result<()> {
    match destination {
        AuditDestination::Stdout => {
            // Not through the buffer of `io::stdout`, which would keep and repeat what could not be written.
            let mut stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            write_to_stream(&mut stdout, lines.as_bytes(), unfinished)
        }
        AuditDestination::File(path) => {
            let mut file = open(path)?;
            if file.metadata()?.is_file() {
                append_to_file(&mut file, lines)
            } else {
                write_to_stream(&mut file, lines.as_bytes(), unfinished)
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    private_files::open_options()
        // To find the end of the last whole line. A named pipe must be opened for writing only.
        .read(!is_special(path))
        .append(true)
        .create(true)
        .open(path)
}

/// Returns true for a pipe or a device.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir())
}

/// Appends all lines or none. Synchronized, because the position is noted next and would survive a power cut.
fn append_to_file(file: &mut File, lines: &str) -> io::Result<()> {
    // A power cut or a kill can leave half a line. Its position was not noted, so it is written again.
    let before = end_of_last_line(file)?;
    if before < file.metadata()?.len() {
        file.set_len(before)?;
    }
    let mut written = 0;
    let result =
        write_counted(file, lines.as_bytes(), &mut written).and_then(|()| file.sync_data());
    if result.is_err() {
        // Another process may have appended meanwhile; its lines are not ours to remove.
        let end = before + u64::try_from(written).unwrap_or(u64::MAX);
        if file.metadata()?.len() == end {
            file.set_len(before)?;
        }
    }
    result
}

/// Returns the length of the file without an unfinished last line.
fn end_of_last_line(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut bytes = [0; TAIL_BYTES];
    while end > 0 {
        let start = end.saturating_sub(TAIL_BYTES as u64);
        let part = usize::try_from(end - start).unwrap_or(TAIL_BYTES);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut bytes[..part])?;
        if let Some(at) = bytes[..part].iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Writes to a pipe or device. A partial write cannot be undone, so half a line is ended before the next batch.
pub(crate) fn write_to_stream(
    stream: &mut File,
    lines: &[u8],
    unfinished: &mut bool,
) -> io::Result<()> {
    if *unfinished {
        stream.write_all(b"\n")?;
        *unfinished = false;
    }
    let mut written = 0;
    let result = write_counted(stream, lines, &mut written);
    *unfinished = result.is_err() && !matches!(lines[..written].last(), None | Some(b'\n'));
    result
}

/// Writes all bytes, and counts those that were written before an error.
fn write_counted(file: &mut File, bytes: &[u8], written: &mut usize) -> io::Result<()> {
    while *written < bytes.len() {
        match file.write(&bytes[*written..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => *written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::{fd::OwnedFd, unix::net::UnixStream};

    #[test]
    fn partial_line_in_a_stream_is_ended_before_the_next() {
        let (writer, mut reader) = UnixStream::pair().unwrap();
        writer.set_nonblocking(true).unwrap();
        let mut stream = File::from(OwnedFd::from(writer));
        let long = format!("{}\n", "x".repeat(8 * 1024 * 1024));
        let mut unfinished = false;
        write_to_stream(&mut stream, long.as_bytes(), &mut unfinished).unwrap_err();
        assert!(unfinished);
        // Room again.
        reader.set_nonblocking(true).unwrap();
        let mut half = Vec::new();
        reader.read_to_end(&mut half).unwrap_err();
        assert!(!half.is_empty() && !half.contains(&b'\n'));
        write_to_stream(&mut stream, b"next\n", &mut unfinished).unwrap();
        assert!(!unfinished);
        drop(stream);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "\nnext\n");
    }

    #[test]
    fn end_of_last_line_is_found_in_files_of_every_length() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        let end = |text: &str| {
            fs::write(&path, text).unwrap();
            end_of_last_line(&mut open(&path).unwrap()).unwrap()
        };
        let half = "x".repeat(3 * TAIL_BYTES);
        assert_eq!(end(""), 0);
        assert_eq!(end("a\n"), 2);
        assert_eq!(end("a\nb"), 2);
        assert_eq!(end(&half), 0);
        assert_eq!(end(&format!("a\n{half}")), 2);
        assert_eq!(end(&format!("{half}\nb")), half.len() as u64 + 1);
    }
}
