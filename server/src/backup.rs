//! Backup of the databases while the application runs, and restore while it does not.
//!
//! `FILE` holds the application's own database; with the embedded engine, `FILE.engine` beside it holds the
//! engine's. The server key is not in a backup, so a stolen backup opens no session. A cluster's keys and a
//! PostgreSQL database are backed up with their own tools.

use crate::{
    config::{Config, Elasticsearch},
    database,
    store::{self, AuditHead},
};
use platform::{
    Clock,
    private_files::{self, OtherOwner, Owner},
};
use secrecy::ExposeSecret;
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// Failed backup or restore.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(
        "AGENT_KEYS_DATABASE_URL names PostgreSQL: back it up with its own tools, such as pg_dump"
    )]
    Postgres,
    #[error("{path} exists; remove it or choose another name", path = .0.display())]
    Exists(PathBuf),
    #[error("{path} does not exist", path = .0.display())]
    Missing(PathBuf),
    #[error("{path} is damaged: {found}", path = path.display())]
    Damaged {
        path: PathBuf,
        /// SQLite's message.
        found: String,
    },
    #[error(transparent)]
    Owner(#[from] OtherOwner),
    #[error("{path} cannot be read or written", path = path.display())]
    Database { path: PathBuf, source: sqlx::Error },
    /// The start of the application is refused in the same way, and says the same.
    #[error("the databases were restored, and that could not be recorded in the audit log")]
    NotRecorded(#[from] database::Error),
    /// A file cannot be created or moved.
    #[error("{path}: {source}", path = path.display())]
    File { path: PathBuf, source: io::Error },
}

/// Writes a consistent copy of each database and checks it. The application may run meanwhile. Returns the written
/// files.
pub async fn back_up(config: &Config, to: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let mut written = Vec::new();
    let pairs = pairs(config, to)?;
    for Pair { copy, .. } in &pairs {
        if copy.exists() {
            return Err(BackupError::Exists(copy.clone()));
        }
    }
    for Pair { database, copy } in pairs {
        copy_database(&database, &copy).await?;
        check(&copy).await?;
        written.push(copy);
    }
    Ok(written)
}

/// Replaces the databases with the copies, and records that in the audit log of the copy. The application must not run.
/// The old files are kept, with the suffix `.before-restore`. Returns the restored files.
pub async fn restore(
    config: &Config,
    clock: &Clock,
    from: &Path,
) -> Result<Vec<PathBuf>, BackupError> {
    let pairs = pairs(config, from)?;
    check_owner(config)?;
    for Pair { copy, database } in &pairs {
        if !copy.exists() {
            return Err(BackupError::Missing(copy.clone()));
        }
        check(copy).await?;
        let kept = with_suffix(database, ".before-restore");
        if kept.exists() {
            return Err(BackupError::Exists(kept));
        }
    }
    private_files::create_directory(&config.data_dir).map_err(|source| BackupError::File {
        path: config.data_dir.clone(),
        source,
    })?;
    let replaced = audit_head(config).await;
    let mut restored: Vec<(PathBuf, Owner)> = Vec::new();
    for Pair { database, copy } in pairs {
        let owner = private_files::owner(&database).map_err(|source| BackupError::File {
            path: database.clone(),
            source,
        })?;
        // The WAL belongs to the old database, not to the copy.
        for suffix in ["", "-wal", "-shm"] {
            let old = with_suffix(&database, suffix);
            if old.exists() {
                let kept = with_suffix(&with_suffix(&database, ".before-restore"), suffix);
                fs::rename(&old, kept).map_err(|source| BackupError::File { path: old, source })?;
            }
        }
        copy_database(&copy, &database).await?;
        restored.push((database, owner));
    }
    database::record_restore(config, clock, replaced).await?;
    for (file, owner) in &restored {
        private_files::give_to(file, *owner).map_err(|source| BackupError::File {
            path: file.clone(),
            source,
        })?;
    }
    Ok(restored.into_iter().map(|(file, _)| file).collect())
}

/// Refuses databases of another account: the application could not open what this one writes.
pub fn check_owner(config: &Config) -> Result<(), BackupError> {
    for Pair { database, .. } in pairs(config, Path::new(""))? {
        private_files::check_owner(&database)?;
    }
    Ok(())
}

/// The end of the audit log that is about to be replaced. There may be none, and it may be damaged.
async fn audit_head(config: &Config) -> Option<AuditHead> {
    let store = database::open_to_read(config).await.ok()?;
    let head = store.audit_head().await.ok();
    store.close().await;
    head
}

/// A database and its copy.
struct Pair {
    database: PathBuf,
    copy: PathBuf,
}

fn pairs(config: &Config, copy: &Path) -> Result<Vec<Pair>, BackupError> {
    let database = match config
        .database_url
        .as_ref()
        .map(ExposeSecret::expose_secret)
    {
        None => config.data_dir.join("agent-keys.db"),
        Some(url) => match store::sqlite_file(url) {
            Some(file) => file.to_owned(),
            None => return Err(BackupError::Postgres),
        },
    };
    let mut pairs = vec![Pair {
        database,
        copy: copy.to_owned(),
    }];
    if matches!(config.elasticsearch, Elasticsearch::Embedded { .. }) {
        pairs.push(Pair {
            database: config.engine_file(),
            copy: with_suffix(copy, ".engine"),
        });
    }
    Ok(pairs)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

async fn copy_database(from: &Path, to: &Path) -> Result<(), BackupError> {
    if !from.exists() {
        return Err(BackupError::Missing(from.to_owned()));
    }
    let failed = |source| BackupError::Database {
        path: from.to_owned(),
        source,
    };
    let file = |source| BackupError::File {
        path: to.to_owned(),
        source,
    };
    let mut connection = open(from, false).await?;
    // SQLite keeps the mode of the empty file, so that the copy is private from its first byte.
    private_files::create_file(to).map_err(file)?;
    sqlx::query("VACUUM INTO $1")
        .bind(to.to_string_lossy())
        .execute(&mut connection)
        .await
        .map_err(failed)?;
    connection.close().await.map_err(failed)?;
    // So that the copy survives a power cut.
    fs::File::open(to)
        .and_then(|file| file.sync_all())
        .map_err(file)
}

/// Checks every page of a database. The application may have it open.
pub(crate) async fn check(path: &Path) -> Result<(), BackupError> {
    let failed = |source| BackupError::Database {
        path: path.to_owned(),
        source,
    };
    let mut connection = open(path, true).await?;
    let row = sqlx::query("PRAGMA integrity_check(1)")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    let found: String = row.try_get(0).map_err(failed)?;
    connection.close().await.map_err(failed)?;
    if found == "ok" {
        Ok(())
    } else {
        Err(BackupError::Damaged {
            path: path.to_owned(),
            found,
        })
    }
}

async fn open(path: &Path, read_only: bool) -> Result<SqliteConnection, BackupError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(read_only)
        .busy_timeout(std::time::Duration::from_secs(5));
    SqliteConnection::connect_with(&options)
        .await
        .map_err(|source| BackupError::Database {
            path: path.to_owned(),
            source,
        })
}
