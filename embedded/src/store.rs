//! SQLite database of the engine: its migrations, and SQL built from fixed texts and bound values.

pub(crate) mod api_keys;
mod key_cache;
pub(crate) mod metadata_values;
mod roles;
pub(crate) mod tokens;
pub(crate) mod users;

use crate::{
    error::ApiError, generate, privileges::application::Registered, roles::descriptor::RoleMap,
    store::key_cache::KeyCache,
};
use platform::{
    Random, private_files,
    sql::{MigrationError, MigrationText, has_no_open_transaction, migrate, pool_options},
};
use sqlx::{
    AssertSqlSafe, Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    pool::PoolConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

/// Connections that look up what authentication needs.
const READERS: u32 = 2;
/// Connections that search. They are others, so that no search delays an authentication.
const SEARCHERS: u32 = 4;
/// Time limit of a search.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(5);
/// Steps of SQLite between two looks at the clock.
const STEPS: i32 = 10_000;
/// Time limit for a free connection. Slower requests get 429.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Page cache of each connection, in KiB.
const PAGE_CACHE_KIB: u32 = 8 * 1024;

/// The database, and caches of the data that every request needs.
///
/// All writes of a running engine go through the store, which updates its caches. Only a password
/// reset by another process does not, and users are not cached.
pub(crate) struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
    searchers: SqlitePool,
    roles: RwLock<Arc<RoleMap>>,
    application_privileges: RwLock<Arc<Registered>>,
    pub(crate) keys: KeyCache,
    pub(crate) cluster_uuid: String,
}

/// The reason why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("{0}")]
    File(#[from] std::io::Error),
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    #[error("{0}")]
    Migration(#[from] MigrationError),
    #[error("what is stored cannot be read: {0}")]
    Content(String),
}

impl Store {
    /// Opens the file, creates it if it is missing, and migrates it.
    pub(crate) async fn open(file: &Path, random: Random) -> Result<Self, OpenError> {
        private_files::create_file(file)?;
        let options = connect_options(file);
        let writer = pool_options(1, CONNECTION_TIMEOUT)
            .after_release(|connection, _| Box::pin(has_no_open_transaction(connection)))
            .connect_with(options.clone())
            .await?;
        migrate(&writer, &MIGRATIONS).await?;
        let options = options.pragma("query_only", "ON");
        let readers = pool_options(READERS, CONNECTION_TIMEOUT)
            .connect_with(options.clone())
            .await?;
        let searchers = pool_options(SEARCHERS, CONNECTION_TIMEOUT)
            .connect_with(options)
            .await?;
        let cluster_uuid = cluster_uuid(&writer, random).await?;
        let store = Self {
            writer,
            readers,
            searchers,
            roles: RwLock::default(),
            application_privileges: RwLock::default(),
            keys: KeyCache::default(),
            cluster_uuid,
        };
        let content = |error: ApiError| OpenError::Content(error.reason());
        store.reload_roles().await.map_err(content)?;
        store
            .reload_application_privileges()
            .await
            .map_err(content)?;
        Ok(store)
    }

    /// Closes all connections. SQLite then merges its log into the file.
    pub(crate) async fn close(&self) {
        self.searchers.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }

    pub(crate) fn reader(&self) -> &SqlitePool {
        &self.readers
    }

    /// Returns a connection for one search, which SQLite interrupts at its time limit.
    pub(crate) async fn searcher(&self) -> Result<PoolConnection<Sqlite>, sqlx::Error> {
        self.searcher_until(Instant::now() + SEARCH_TIME_MAX).await
    }

    async fn searcher_until(&self, end: Instant) -> Result<PoolConnection<Sqlite>, sqlx::Error> {
        let mut connection = self.searchers.acquire().await?;
        connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS, move || Instant::now() < end);
        Ok(connection)
    }

    /// Begins a transaction with the write lock, so that it never has to be retried.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }
}

/// Opens one connection to a file that an engine may have open.
pub(crate) async fn connect(file: &Path) -> Result<SqliteConnection, OpenError> {
    if !file.exists() {
        return Err(OpenError::File(std::io::ErrorKind::NotFound.into()));
    }
    Ok(SqliteConnection::connect_with(&connect_options(file)).await?)
}

fn connect_options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(CONNECTION_TIMEOUT)
        .pragma("cache_size", format!("-{PAGE_CACHE_KIB}"))
        .pragma("journal_size_limit", "67108864")
}

async fn cluster_uuid(writer: &SqlitePool, random: Random) -> Result<String, OpenError> {
    let fresh =
        generate::cluster_uuid(random).map_err(|error| OpenError::Content(error.to_string()))?;
    sqlx::query(
        "INSERT INTO facts (name, value) VALUES ('cluster_uuid', ?) ON CONFLICT DO NOTHING",
    )
    .bind(fresh)
    .execute(writer)
    .await?;
    Ok(
        sqlx::query_scalar("SELECT value FROM facts WHERE name = 'cluster_uuid'")
            .fetch_one(writer)
            .await?,
    )
}

/// Returns the value behind a lock. A poisoned lock is safe, because values are only replaced as a
/// whole.
fn read_lock<T: Clone>(lock: &RwLock<T>) -> T {
    lock.read().unwrap_or_else(PoisonError::into_inner).clone()
}

fn replace<T>(lock: &RwLock<T>, value: T) {
    *lock.write().unwrap_or_else(PoisonError::into_inner) = value;
}

/// A fragment of SQL with its values.
///
/// Text is always `&'static str`, and data of a request always a bound value. So no request can
/// change the meaning of a statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sql {
    text: String,
    values: Vec<SqlValue>,
}

/// A bound value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SqlValue {
    Text(String),
    Integer(i64),
}

impl Sql {
    pub(crate) fn new(text: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            values: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(crate) fn bind(&mut self, value: SqlValue) -> &mut Self {
        self.text.push('?');
        self.values.push(value);
        self
    }

    pub(crate) fn text(&mut self, value: impl Into<String>) -> &mut Self {
        self.bind(SqlValue::Text(value.into()))
    }

    pub(crate) fn integer(&mut self, value: i64) -> &mut Self {
        self.bind(SqlValue::Integer(value))
    }

    /// A list of any length, bound as one value.
    pub(crate) fn list(&mut self, values: &[String]) -> &mut Self {
        self.push("(SELECT value FROM json_each(");
        self.text(serde_json::Value::from(values).to_string());
        self.push("))")
    }

    pub(crate) fn append(&mut self, other: &Sql) -> &mut Self {
        self.text.push_str(&other.text);
        self.values.extend_from_slice(&other.values);
        self
    }

    /// The fragments with `separator` between them, or `empty` if there are none.
    pub(crate) fn join(pieces: &[Sql], separator: &'static str, empty: &'static str) -> Sql {
        if pieces.is_empty() {
            return Sql::new(empty);
        }
        let mut joined = Sql::new("(");
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                joined.push(separator);
            }
            joined.append(piece);
        }
        joined.push(")");
        joined
    }

    pub(crate) fn query(self) -> Query<'static, Sqlite, SqliteArguments> {
        let mut query = sqlx::query(AssertSqlSafe(self.text));
        for value in self.values {
            query = match value {
                SqlValue::Text(text) => query.bind(text),
                SqlValue::Integer(integer) => query.bind(integer),
            };
        }
        query
    }
}

pub(super) const MIGRATIONS: [MigrationText; 2] = [
    (1, "engine", include_str!("../migrations/0001_engine.sql")),
    (2, "tokens", include_str!("../migrations/0002_tokens.sql")),
];

#[cfg(test)]
mod tests {
    use super::{MIGRATIONS, SEARCHERS, Store};
    use crate::error::ApiError;
    use platform::Random;
    use sha2::{Digest, Sha256};
    use std::{
        fs,
        path::Path,
        time::{Duration, Instant},
    };

    async fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("engine.db"), Random).await;
        (directory, store.unwrap())
    }

    #[tokio::test]
    async fn search_is_interrupted_at_its_time_limit() {
        let (_directory, store) = store().await;
        let end = Instant::now() + Duration::from_millis(20);
        let mut searcher = store.searcher_until(end).await.unwrap();
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        let error = sqlx::query(endless)
            .fetch_one(&mut *searcher)
            .await
            .map(|_| ())
            .unwrap_err();
        assert!(matches!(ApiError::from(error), ApiError::TimedOut));
        drop(searcher);
        // The next search has a time limit of its own.
        for _ in 0..SEARCHERS {
            let mut searcher = store.searcher().await.unwrap();
            sqlx::query("SELECT 1")
                .fetch_one(&mut *searcher)
                .await
                .unwrap();
        }
    }

    #[tokio::test]
    async fn searches_do_not_delay_lookups() {
        let (_directory, store) = store().await;
        let mut busy = Vec::new();
        for _ in 0..SEARCHERS {
            busy.push(store.searcher().await.unwrap());
        }
        assert!(store.user("elastic").await.unwrap().is_some());
    }

    #[test]
    fn every_migration_file_is_listed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "sql"))
            .collect();
        files.sort();
        assert_eq!(files.len(), MIGRATIONS.len());
        for (file, (version, about, sql)) in files.iter().zip(MIGRATIONS) {
            let name = format!("{version:04}_{}", about.replace(' ', "_"));
            assert_eq!(file.file_stem().unwrap().to_str().unwrap(), name);
            assert_eq!(fs::read_to_string(file).unwrap(), sql);
        }
    }

    #[test]
    fn migrations_are_unchanged() {
        const DIGESTS: [&str; MIGRATIONS.len()] = [
            "f2c6f5228ce3999b00d65c6f35fd0cc5d44717036936d09f50d0cf4edca7f791",
            "310dcc3226edf73b3212b48dbb115d4cede66c19b3b585eea59c6d0d4cbd7f06",
        ];
        for ((_, about, sql), digest) in MIGRATIONS.iter().zip(DIGESTS) {
            let found = Sha256::digest(sql)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>();
            assert_eq!(found, digest, "{about}");
        }
    }
}
