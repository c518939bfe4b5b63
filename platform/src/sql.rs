//! Migrations, connection pools and patterns of SQL databases.

use std::time::Duration;

use sqlx::{
    Connection, Database, Pool, SqlStr,
    migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator},
    pool::PoolOptions,
};

/// Version, name and SQL of a migration. A released migration never changes.
///
/// Migrations are listed instead of read by sqlx's macro, which would compile SQLite a second time
/// for the build.
pub type MigrationText = (i64, &'static str, &'static str);

/// The tables of a database cannot be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error(
        "a newer version wrote it, which has its migration {0}: start that version, or put a backup back from before \
         the update"
    )]
    Newer(i64),
    #[error("{0}")]
    Failed(#[source] MigrateError),
}

/// Applies the migrations that are missing.
pub async fn migrate<DB>(
    pool: &Pool<DB>,
    migrations: &[MigrationText],
) -> Result<(), MigrationError>
where
    DB: Database,
    DB::Connection: Migrate,
{
    migrator(migrations)
        .run(pool)
        .await
        .map_err(|error| match error {
            MigrateError::VersionMissing(version) => MigrationError::Newer(version),
            error => MigrationError::Failed(error),
        })
}

pub fn migrator(migrations: &[MigrationText]) -> Migrator {
    let migrations = migrations
        .iter()
        .map(|&(version, name, sql)| {
            let sql = SqlStr::from_static(sql);
            Migration::new(version, name.into(), MigrationType::Simple, sql, false)
        })
        .collect();
    Migrator::with_migrations(migrations)
}

/// Options of a pool for SQLite, whose connections stay open.
pub fn pool_options<DB: Database>(
    connections_max: u32,
    acquire_timeout: Duration,
) -> PoolOptions<DB> {
    PoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(acquire_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Returns false for a connection with an open transaction. On a full disk SQLite rolls back by
/// itself, and sqlx never resets its transaction depth.
pub async fn has_no_open_transaction<C: Connection>(
    connection: &mut C,
) -> Result<bool, sqlx::Error> {
    // The ping waits for earlier statements.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Appends a character to a pattern for `LIKE … ESCAPE '\'`, so that it matches only itself.
pub fn push_like_literal(pattern: &mut String, character: char) {
    if matches!(character, '%' | '_' | '\\') {
        pattern.push('\\');
    }
    pattern.push(character);
}

#[cfg(test)]
mod tests {
    use super::push_like_literal;

    #[test]
    fn wildcards_of_like_are_escaped() {
        let mut pattern = String::new();
        for character in r"a%b_c\d*".chars() {
            push_like_literal(&mut pattern, character);
        }
        assert_eq!(pattern, r"a\%b\_c\\d*");
    }
}
