//! Health of the process, its database, its disk and Elasticsearch, for readiness checks and metrics.

use crate::{
    config::{self, Config},
    elasticsearch::Elasticsearch,
    store::{self, Store},
};
use secrecy::ExposeSecret;
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex as StdMutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{Mutex, watch},
    task::spawn_blocking,
    time::timeout,
};

/// Limit for a readiness check to wait for a result. The check itself continues, for the next one.
const WAIT: Duration = Duration::from_millis(120);
/// Limit for one check of the database.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);
/// Age at which a result counts no more. Longer than the interval of load balancers and orchestrators.
const KNOWN_FOR: Duration = Duration::from_secs(15);
/// A disk with less free space is full: `SQLite` needs some for the next change.
const FREE_BYTES_MIN: u64 = 1024 * 1024;

/// Result of a check of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseHealth {
    Works,
    CannotBeWritten,
    NoAnswer,
}

/// Results of the latest checks. A check begins when it is asked for.
#[derive(Debug)]
pub struct Health {
    is_stopping: AtomicBool,
    asked_at: StdMutex<Option<Instant>>,
    database: LatestCheck<DatabaseHealth>,
    elasticsearch: LatestCheck<bool>,
    disk: LatestCheck<bool>,
    written: Vec<PathBuf>,
}

impl Health {
    /// `written` are the directories without whose space nothing can be changed.
    pub fn new(written: Vec<PathBuf>) -> Self {
        Self {
            is_stopping: AtomicBool::new(false),
            asked_at: StdMutex::default(),
            database: LatestCheck::default(),
            elasticsearch: LatestCheck::default(),
            disk: LatestCheck::default(),
            written,
        }
    }

    /// Returns true from the moment when the process was told to end. Notes that a load balancer asks.
    pub fn is_stopping(&self) -> bool {
        *self.asked_at() = Some(Instant::now());
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Begins to answer that the process stops. Returns true if a load balancer seems to ask, which has to see that.
    pub fn stop(&self) -> bool {
        /// Longer than the interval of load balancers and orchestrators.
        const ASKED_LATELY: Duration = Duration::from_secs(60);
        self.is_stopping.store(true, Ordering::Relaxed);
        self.asked_at()
            .is_some_and(|at| at.elapsed() < ASKED_LATELY)
    }

    /// State of the database. A change of it is logged.
    pub async fn database(&self, store: &Store) -> DatabaseHealth {
        let store = store.clone();
        let before = self.database.latest();
        let latest = self.database.ask(async move {
            let result = timeout(DATABASE_TIMEOUT, store.check()).await;
            let (health, error) = match result {
                Ok(Ok(())) => (DatabaseHealth::Works, None),
                Ok(Err(error @ store::Error::ReadOnly)) => {
                    (DatabaseHealth::CannotBeWritten, Some(error))
                }
                Ok(Err(error)) => (DatabaseHealth::NoAnswer, Some(error)),
                Err(_) => (DatabaseHealth::NoAnswer, Some(store::Error::NoAnswer)),
            };
            match error {
                Some(error) if before != Some(health) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "the database cannot be used");
                }
                None if before.is_some_and(|before| before != health) => {
                    tracing::info!("the database can be used again");
                }
                _ => {}
            }
            health
        });
        latest.await.unwrap_or(DatabaseHealth::NoAnswer)
    }

    /// Returns true if Elasticsearch answers.
    pub async fn reaches_elasticsearch(&self, elasticsearch: &Elasticsearch) -> bool {
        let elasticsearch = elasticsearch.clone();
        let latest = self
            .elasticsearch
            .ask(async move { elasticsearch.is_reachable().await });
        latest.await.unwrap_or(false)
    }

    /// Returns true if a disk that has to be written to is full.
    pub async fn is_disk_full(&self) -> bool {
        let written = self.written.clone();
        let before = self.disk.latest();
        let latest = self.disk.ask(async move {
            let full = spawn_blocking(move || written.into_iter().find(|path| is_full(path)));
            let full = full.await.ok().flatten();
            if let Some(path) = &full
                && before != Some(true)
            {
                tracing::error!(path = %path.display(), "the disk is full");
            }
            full.is_some()
        });
        latest.await.unwrap_or(false)
    }

    fn asked_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.asked_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The directories without whose space nothing can be changed.
pub fn written_directories(config: &Config) -> Vec<PathBuf> {
    let url = config
        .database_url
        .as_ref()
        .map(ExposeSecret::expose_secret);
    let elsewhere = url.and_then(store::sqlite_file);
    let is_embedded = matches!(config.elasticsearch, config::Elasticsearch::Embedded { .. });
    let data_dir = (url.is_none() || is_embedded).then(|| config.data_dir.clone());
    let elsewhere = elsewhere.and_then(Path::parent).map(Path::to_owned);
    data_dir.into_iter().chain(elsewhere).collect()
}

/// Space of a disk in bytes.
#[derive(Clone, Copy, Debug)]
pub struct DiskSpace {
    /// The limits of this process.
    pub free: u64,
    pub size: u64,
}

/// The space of the disk that holds `directory`.
pub fn disk_space(directory: &Path) -> io::Result<DiskSpace> {
    let disk = rustix::fs::statvfs(directory)?;
    Ok(DiskSpace {
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        size: disk.f_blocks.saturating_mul(disk.f_frsize),
    })
}

fn is_full(directory: &Path) -> bool {
    disk_space(directory).is_ok_and(|space| space.free < FREE_BYTES_MIN)
}

/// The latest result of a check that may take longer than its caller can wait. One check runs at a time.
#[derive(Debug)]
struct LatestCheck<T> {
    running: Arc<Mutex<()>>,
    latest: watch::Sender<Option<(Instant, T)>>,
}

impl<T> Default for LatestCheck<T> {
    fn default() -> Self {
        Self {
            running: Arc::default(),
            latest: watch::Sender::new(None),
        }
    }
}

impl<T: Copy + Send + Sync + 'static> LatestCheck<T> {
    /// Begins `check` unless one is running, waits a moment for its end, and returns the latest result.
    async fn ask(&self, check: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let mut changed = self.latest.subscribe();
        if let Ok(running) = Arc::clone(&self.running).try_lock_owned() {
            let latest = self.latest.clone();
            tokio::spawn(async move {
                let result = check.await;
                drop(running);
                latest.send_replace(Some((Instant::now(), result)));
            });
        }
        let _ = timeout(WAIT, changed.changed()).await;
        self.latest()
    }

    fn latest(&self) -> Option<T> {
        let latest = *self.latest.borrow();
        let known = latest.filter(|(at, _)| at.elapsed() < KNOWN_FOR);
        known.map(|(_, result)| result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[tokio::test]
    async fn check_that_hangs_is_waited_for_briefly_and_not_begun_again() {
        let check = LatestCheck::default();
        assert_eq!(check.ask(ready(1)).await, Some(1));
        let began = Instant::now();
        assert_eq!(check.ask(pending()).await, Some(1));
        assert_eq!(check.ask(ready(2)).await, Some(1), "one check runs already");
        assert!(began.elapsed() < Duration::from_secs(1));
        let check = LatestCheck::<u8>::default();
        assert_eq!(check.ask(pending()).await, None);
    }

    #[test]
    fn free_space_is_told() {
        assert!(disk_space(Path::new("/")).is_ok_and(|space| space.free < space.size));
        assert!(disk_space(Path::new("/no/such/directory")).is_err());
        assert!(!is_full(Path::new("/no/such/directory")));
    }
}
