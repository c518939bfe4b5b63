//! Files with settings and secrets.

use super::{Error, FILE_DEFAULT};
use rustix::process::geteuid;
use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A larger settings file or secret file is a mistake.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Reads the settings file: the named one, which must exist, or the one in the working directory if it exists.
pub(super) fn read_settings_file(file: Option<&Path>) -> Result<Option<(PathBuf, String)>, Error> {
    let path = file.unwrap_or(Path::new(FILE_DEFAULT));
    let read = match file {
        Some(_) => read_limited(path),
        None => only_ours(path).and_then(|()| read_limited(path)),
    };
    match read {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if file.is_none() && error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Refuses a file in the working directory that another user may have written: its settings decide which server gets the
/// passwords.
fn only_ours(path: &Path) -> std::io::Result<()> {
    let about = fs::metadata(path)?;
    if is_only_ours(about.uid(), about.mode(), geteuid().as_raw()) {
        return Ok(());
    }
    Err(std::io::Error::new(
        ErrorKind::PermissionDenied,
        "another user owns it or may write it; name it with --config, or correct its owner and mode",
    ))
}

fn is_only_ours(owner: u32, mode: u32, me: u32) -> bool {
    const ROOT: u32 = 0;
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    (owner == me || owner == ROOT) && mode & WRITABLE_BY_OTHERS == 0
}

/// Reads a file of a bounded size.
pub(super) fn read_limited(path: &Path) -> std::io::Result<String> {
    let about = fs::metadata(path)?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return Err(std::io::Error::new(
            ErrorKind::InvalidData,
            "not a file of at most 64 KiB",
        ));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unnamed_settings_file_counts_only_if_nobody_else_writes_it() {
        for (owner, mode, trusted) in [
            (1000, 0o100_644, true),
            (1000, 0o100_600, true),
            (0, 0o100_644, true),
            (1001, 0o100_644, false),
            (1000, 0o100_664, false),
            (1000, 0o100_646, false),
            (0, 0o100_666, false),
        ] {
            assert_eq!(is_only_ours(owner, mode, 1000), trusted, "{owner} {mode:o}");
        }
    }
}
