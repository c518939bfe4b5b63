//! Opening and migrating the database.

use super::{Database, Error, Store};
use crate::{audit::AuditWriter, config::Durability};
use platform::{
    private_files::create_file,
    sql::{MigrationError, MigrationText, has_no_open_transaction, migrate, pool_options},
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    AnyConnection, AnyPool, Connection, Executor, Row,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::MigrateError,
};
use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;

/// In order.
const MIGRATIONS: [MigrationText; 6] = [
    (
        1,
        "initial",
        include_str!("../../../migrations/0001_initial.sql"),
    ),
    (
        2,
        "audit indexes",
        include_str!("../../../migrations/0002_audit_indexes.sql"),
    ),
    (
        3,
        "server key",
        include_str!("../../../migrations/0003_server_key.sql"),
    ),
    (
        4,
        "retention pause",
        include_str!("../../../migrations/0004_retention_pause.sql"),
    ),
    (
        5,
        "keys per user",
        include_str!("../../../migrations/0005_keys_per_user.sql"),
    ),
    (
        6,
        "rotations",
        include_str!("../../../migrations/0006_rotations.sql"),
    ),
];

const SQLITE_READERS_MAX: u32 = 4;
const POSTGRES_CONNECTIONS_MAX: u32 = 8;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// WAL lets readers continue during a write. A copy that `backup` made has another mode, and cannot change it read-only.
const SQLITE_WAL: &str = "PRAGMA journal_mode = WAL";
/// FULL makes a commit survive a power cut.
const SQLITE_PRAGMAS: &str = "PRAGMA synchronous = FULL; \
     PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF";

/// Audit events cannot be changed, and are removed only up to the retention mark. For SQLite.
const SQLITE_TRIGGERS: &str = "\
    CREATE TRIGGER IF NOT EXISTS audit_events_stay BEFORE UPDATE ON audit_events \
    BEGIN SELECT RAISE(ABORT, 'audit events are only ever added'); END; \
    CREATE TRIGGER IF NOT EXISTS audit_events_remain_until_cut BEFORE DELETE ON audit_events \
    WHEN OLD.sequence > COALESCE((SELECT sequence FROM audit_cut WHERE id = 1), 0) \
    BEGIN SELECT RAISE(ABORT, 'audit events are only ever added'); END";
/// The same for PostgreSQL. The lock serializes processes that start together.
const POSTGRES_TRIGGERS: &str = "\
    LOCK TABLE audit_head IN EXCLUSIVE MODE; \
    CREATE OR REPLACE FUNCTION audit_events_stay() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN RAISE EXCEPTION 'audit events are only ever added'; END $$; \
    CREATE OR REPLACE FUNCTION audit_events_remain_until_cut() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN \
        IF OLD.sequence > COALESCE((SELECT sequence FROM audit_cut WHERE id = 1), 0) THEN \
            RAISE EXCEPTION 'audit events are only ever added'; \
        END IF; \
        RETURN OLD; \
    END $$; \
    CREATE OR REPLACE TRIGGER audit_events_stay BEFORE UPDATE OR TRUNCATE ON audit_events \
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_stay(); \
    CREATE OR REPLACE TRIGGER audit_events_remain_until_cut BEFORE DELETE ON audit_events \
    FOR EACH ROW EXECUTE FUNCTION audit_events_remain_until_cut()";

/// For the negative control of the durability tests.
const SQLITE_WITHOUT_SYNC: &str = "PRAGMA synchronous = NORMAL";

/// Purpose of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Serve(Durability),
    Read,
    /// No process uses the file, and its directory may not be writable.
    ReadCopy,
}

impl Purpose {
    fn is_read_only(self) -> bool {
        !matches!(self, Self::Serve(_))
    }

    fn durability(self) -> Durability {
        match self {
            Self::Serve(durability) => durability,
            Self::Read | Self::ReadCopy => Durability::Full,
        }
    }
}

/// The database cannot be used. None of these prints the address: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or the file cannot be created.
    #[error("cannot make {path}: {source}", path = path.display())]
    File { path: PathBuf, source: io::Error },
    /// The URL is invalid, or the database does not respond.
    #[error("AGENT_KEYS_DATABASE_URL: the database cannot be opened")]
    Connect(#[source] sqlx::Error),
    #[error("AGENT_KEYS_DATABASE_URL: the database did not answer within {} s", ACQUIRE_TIMEOUT.as_secs())]
    NoAnswer,
    /// The file is damaged.
    #[error(
        "the database is damaged: {0}. Nothing of it was changed. Put a backup back with `agent-keys restore FILE`, \
         which keeps what is there"
    )]
    Damaged(String),
    /// A newer version wrote the database.
    #[error(
        "the database was written by a newer version of Agent Keys, which has its migration {0}: start that version, \
         or put a backup back from before the update"
    )]
    Newer(i64),
    #[error("the database's tables cannot be brought up to date")]
    Migrate(#[source] MigrateError),
    /// The append-only triggers cannot be installed.
    #[error("the database's audit log cannot be protected")]
    Protect(#[from] Error),
}

impl Store {
    /// Opens the database at `url`, or else `agent-keys.db` in `data_dir`, and migrates it.
    pub async fn open(
        url: Option<&SecretString>,
        data_dir: &Path,
        audit_writer: AuditWriter,
    ) -> Result<Self, OpenError> {
        Self::open_with(url, data_dir, audit_writer, Durability::Full).await
    }

    /// The same with another durability, for tests.
    #[doc(hidden)]
    pub async fn open_with(
        url: Option<&SecretString>,
        data_dir: &Path,
        audit_writer: AuditWriter,
        durability: Durability,
    ) -> Result<Self, OpenError> {
        let store = Self::connect(url, data_dir, audit_writer, Purpose::Serve(durability)).await?;
        migrate(&store.writer, &MIGRATIONS)
            .await
            .map_err(|error| match error {
                MigrationError::Newer(version) => OpenError::Newer(version),
                MigrationError::Failed(error) => OpenError::Migrate(error),
            })?;
        store.install_append_only_triggers().await?;
        Ok(store)
    }

    /// Opens the database read-only, while the application may be running. It must exist and be migrated.
    pub async fn open_to_read(
        url: Option<&SecretString>,
        data_dir: &Path,
        audit_writer: AuditWriter,
    ) -> Result<Self, OpenError> {
        Self::connect(url, data_dir, audit_writer, Purpose::Read).await
    }

    /// Opens a copy of a SQLite database read-only.
    pub async fn open_copy(file: &Path, audit_writer: AuditWriter) -> Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        Self::open_sqlite(file, audit_writer, Purpose::ReadCopy).await
    }

    async fn connect(
        url: Option<&SecretString>,
        data_dir: &Path,
        audit_writer: AuditWriter,
        purpose: Purpose,
    ) -> Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        match url.map(ExposeSecret::expose_secret) {
            Some(url) => match sqlite_file(url) {
                Some(file) => Self::open_sqlite(file, audit_writer, purpose).await,
                None => Self::open_postgres(url, audit_writer).await,
            },
            None => Self::open_sqlite(&data_dir.join("agent-keys.db"), audit_writer, purpose).await,
        }
    }

    /// Installs triggers that reject changes and removals of events. The owner of the database can drop them; the chain
    /// then shows the change.
    async fn install_append_only_triggers(&self) -> Result<(), Error> {
        let statements = match self.database {
            Database::Sqlite => SQLITE_TRIGGERS,
            Database::Postgres => POSTGRES_TRIGGERS,
        };
        let mut write = self.write().await?;
        (&mut *write).execute(statements).await?;
        write.commit().await
    }

    async fn open_sqlite(
        path: &Path,
        audit_writer: AuditWriter,
        purpose: Purpose,
    ) -> Result<Self, OpenError> {
        if !purpose.is_read_only() {
            create_file(path).map_err(|source| OpenError::File {
                path: path.to_owned(),
                source,
            })?;
        }
        let absolute = fs::canonicalize(path).map_err(|source| OpenError::File {
            path: path.to_owned(),
            source,
        })?;
        let mut url = url::Url::from_file_path(&absolute).map_err(|()| OpenError::File {
            path: absolute,
            source: io::Error::from(io::ErrorKind::InvalidInput),
        })?;
        // A file URL has the percent-encoding that a path needs, and the same shape.
        let _ = url.set_scheme("sqlite");
        match purpose {
            Purpose::Serve(_) => {}
            // Without a WAL there is nothing but the file, and SQLite makes none beside it.
            Purpose::ReadCopy if !has_wal(path) => url.set_query(Some("mode=ro&immutable=1")),
            Purpose::Read | Purpose::ReadCopy => url.set_query(Some("mode=ro")),
        }
        let options = AnyConnectOptions::from_str(&url.as_str().replacen("file:", "sqlite:", 1))
            .map_err(OpenError::Connect)?;
        if !purpose.is_read_only() {
            check_file(&options).await?;
        }
        let writer = sqlite_pool(1, options.clone(), purpose).await?;
        let readers = sqlite_pool(SQLITE_READERS_MAX, options, purpose).await?;
        Ok(Self {
            readers,
            writer,
            database: Database::Sqlite,
            audit_writer,
            doubted: Arc::default(),
        })
    }

    async fn open_postgres(url: &str, audit_writer: AuditWriter) -> Result<Self, OpenError> {
        let options = AnyConnectOptions::from_str(url).map_err(OpenError::Connect)?;
        probe_postgres(&options).await?;
        let pool = AnyPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(OpenError::Connect)?;
        Ok(Self {
            readers: pool.clone(),
            writer: pool,
            database: Database::Postgres,
            audit_writer,
            doubted: Arc::default(),
        })
    }
}

fn has_wal(database: &Path) -> bool {
    ["-wal", "-shm"].into_iter().any(|suffix| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        Path::new(&name).exists()
    })
}

/// The file in a URL such as `sqlite:///var/lib/agent-keys.db`; `None` for PostgreSQL.
pub(crate) fn sqlite_file(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.trim_start_matches("//");
    Some(Path::new(path.split('?').next().unwrap_or(path)))
}

async fn sqlite_pool(
    connections_max: u32,
    options: AnyConnectOptions,
    purpose: Purpose,
) -> Result<AnyPool, OpenError> {
    let is_read_only = purpose.is_read_only();
    let durability = purpose.durability();
    pool_options(connections_max, ACQUIRE_TIMEOUT)
        .min_connections(1)
        .after_connect(move |connection: &mut AnyConnection, _| {
            Box::pin(async move {
                if !is_read_only {
                    connection.execute(SQLITE_WAL).await?;
                }
                connection.execute(SQLITE_PRAGMAS).await?;
                if durability == Durability::MissedByTests {
                    connection.execute(SQLITE_WITHOUT_SYNC).await?;
                }
                Ok(())
            })
        })
        .after_release(|connection, _| Box::pin(has_no_open_transaction(connection)))
        .connect_with(options)
        .await
        .map_err(OpenError::Connect)
}

/// Connects once outside the pool, which would report any failure as a timeout, and logs how the connection is encrypted.
async fn probe_postgres(options: &AnyConnectOptions) -> Result<(), OpenError> {
    let connecting = AnyConnection::connect_with(options);
    let mut connection = timeout(ACQUIRE_TIMEOUT, connecting)
        .await
        .map_err(|_| OpenError::NoAnswer)?
        .map_err(OpenError::Connect)?;
    let row = sqlx::query(
        "SELECT COALESCE(version, '') AS version, COALESCE(cipher, '') AS cipher, \
         COALESCE(host(inet_server_addr()), '') AS server \
         FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    )
    .fetch_optional(&mut connection)
    .await
    .map_err(OpenError::Connect)?;
    if let Some(row) = row {
        let text = |column| row.try_get::<String, _>(column).map_err(OpenError::Connect);
        let (version, cipher, server) = (text("version")?, text("cipher")?, text("server")?);
        let is_remote = |address: IpAddr| !address.is_loopback();
        if !version.is_empty() {
            tracing::info!(version, cipher, "the connection to PostgreSQL is encrypted");
        } else if server.parse().is_ok_and(is_remote) {
            tracing::warn!(
                "the connection to PostgreSQL is not encrypted; turn TLS on there, and set sslmode=verify-full"
            );
        } else {
            tracing::info!("the connection to PostgreSQL on this machine is not encrypted");
        }
    }
    connection.close().await.map_err(OpenError::Connect)
}

/// Checks every page of the file, so that damage is found at the start and not row by row.
async fn check_file(options: &AnyConnectOptions) -> Result<(), OpenError> {
    let mut connection = AnyConnection::connect_with(options)
        .await
        .map_err(of_connection)?;
    let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut connection)
        .await
        .map_err(of_connection)?;
    connection.close().await.map_err(of_connection)?;
    if found == "ok" {
        Ok(())
    } else {
        Err(OpenError::Damaged(found))
    }
}

/// Maps both of SQLite's error codes for a damaged file.
fn of_connection(error: sqlx::Error) -> OpenError {
    const CORRUPT: &str = "11";
    const NOT_A_DATABASE: &str = "26";
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        Some(CORRUPT | NOT_A_DATABASE) => OpenError::Damaged(error.to_string()),
        _ => OpenError::Connect(error),
    }
}

#[cfg(test)]
mod tests {
    use super::MIGRATIONS;
    use platform::sql::migrator;
    use std::{fs, path::Path};

    /// SHA-384 of each file. Databases store it, and refuse to start with another.
    const CHECKSUMS: [&str; MIGRATIONS.len()] = [
        "08ba617674a84e7921e13ce36fe626a51421dd94a5b115379bf745197039277cda0349548e72d15c9c0f73736bc9cb27",
        "5b97ba89d12f09c59f2918e0e8c80dfaba9b346f38a0a3f80187d5d2b1cb64a76bb4a088c4e5d4f6095d4b90178c533e",
        "81e90527501e739d27e13f7304210678029ddac74e8376bf4875c6f68c24589914c7e69e6d5dd6e027e29ebe0ad7fcf9",
        "2279b80a7a5665e37047d316dafb341f3ec5c5ec41521f705e82922b625615bef2357c9da2990582813d04d1c6c8bd40",
        "bb28568334fd0396979be5d4396a314093a90024ece18a75f5f10e08183f82df627b577b803ae81577f3fdae9e83b28c",
        "c134d7d22f4675758bd9ba9aa3984ab803cc6a588308757a22e76a3701a0408ef98270868f276f4eb064959b178d111b",
    ];

    #[test]
    fn migrations_have_the_checksums_that_databases_store() {
        for (migration, expected) in migrator(&MIGRATIONS).iter().zip(CHECKSUMS) {
            let digits: Vec<_> = migration
                .checksum
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            assert_eq!(digits.concat(), expected, "migration {}", migration.version);
        }
    }

    #[test]
    fn every_file_is_in_the_list() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "sql"))
            .collect();
        files.sort();
        assert_eq!(files.len(), MIGRATIONS.len());
        for (file, (version, description, sql)) in files.iter().zip(MIGRATIONS) {
            let name = format!("{version:04}_{}", description.replace(' ', "_"));
            assert_eq!(file.file_stem().unwrap().to_str().unwrap(), name);
            assert_eq!(fs::read_to_string(file).unwrap(), sql);
        }
    }
}
