//! Lock of the data: one process at a time uses a data directory and a SQLite database.

use crate::{config::Config, store};
use platform::private_files;
use secrecy::ExposeSecret;
use std::{
    ffi::OsString,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// File name in the data directory.
const FILE: &str = "agent-keys.lock";

/// Held while the process uses the data. The kernel releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct DataLock {
    _files: Vec<File>,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error(
        "{path} is locked: another process of Agent Keys uses these data. Stop it first, or give this one another \
         AGENT_KEYS_DATA_DIR. Only a PostgreSQL database can be shared", path = .0.display()
    )]
    InUse(PathBuf),
    #[error("cannot lock {path}: {source}", path = path.display())]
    File { path: PathBuf, source: io::Error },
}

impl DataLock {
    /// Returns true while a process uses the data directory. Makes no file.
    pub fn is_held(config: &Config) -> bool {
        let file = File::open(config.data_dir.join(FILE));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Locks the data directory, which is created if it is missing, and a SQLite database elsewhere. Never waits.
    pub fn acquire(config: &Config) -> Result<Self, LockError> {
        let mut files = vec![config.data_dir.join(FILE)];
        let url = config
            .database_url
            .as_ref()
            .map(ExposeSecret::expose_secret);
        if let Some(database) = url.and_then(store::sqlite_file)
            && database.parent() != Some(config.data_dir.as_path())
        {
            let mut name = OsString::from(database);
            name.push(".lock");
            files.push(name.into());
        }
        let locked = files.iter().map(|path| lock(path));
        let locked: Result<Vec<_>, _> = locked.collect();
        Ok(Self {
            _files: locked?.into_iter().flatten().collect(),
        })
    }
}

/// `None` where nothing can be written and so nothing can be spoiled.
fn lock(path: &Path) -> Result<Option<File>, LockError> {
    let failed = |source| LockError::File {
        path: path.to_owned(),
        source,
    };
    let opened =
        private_files::create_file(path).and_then(|()| File::options().append(true).open(path));
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(LockError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
