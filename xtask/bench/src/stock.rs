//! Many keys, put into the engine's database while nobody uses it.
//!
//! Making 100,000 keys one by one over HTTP would measure patience. Instead one key made over
//! HTTP is copied: every copy has an id of its own and, since the hash covers the secret alone,
//! opens with the same secret.

use std::path::Path;

use anyhow::{Context, Result};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Row};

/// Copies the key until so many copies exist. Returns the ids of some of them.
pub(crate) async fn fill(
    database: &Path,
    key_id: &str,
    copies: u32,
    sample: u32,
) -> Result<Vec<String>> {
    let options = SqliteConnectOptions::new().filename(database);
    let pool = SqlitePool::connect_with(options)
        .await
        .with_context(|| format!("{} cannot be opened", database.display()))?;
    let columns: Vec<String> = sqlx::query("SELECT name FROM pragma_table_info('api_keys')")
        .fetch_all(&pool)
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect();
    let values: Vec<String> = columns
        .iter()
        .map(|column| match column.as_str() {
            "number" => "(SELECT MAX(number) FROM api_keys) + n".to_owned(),
            "id" => "printf('bench%015d', n)".to_owned(),
            "name" => "printf('service %d of team %d', n, n % 100)".to_owned(),
            "username" => "printf('owner %d', n % 100)".to_owned(),
            "creation" => "k.creation - n * 1000".to_owned(),
            other => format!("k.{other}"),
        })
        .collect();
    // The words of this text come from the schema and from above, none from outside.
    let copy = format!(
        "WITH RECURSIVE numbers (n) AS (
             SELECT (SELECT COUNT(*) + 1 FROM api_keys WHERE id LIKE 'bench%')
             UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
         INSERT INTO api_keys ({}) SELECT {} FROM numbers, api_keys k WHERE k.id = $2 AND n <= $1",
        columns.join(", "),
        values.join(", "),
    );
    sqlx::query(AssertSqlSafe(copy))
        .bind(copies)
        .bind(key_id)
        .execute(&pool)
        .await
        .context("the keys could not be copied; did the engine's schema change?")?;
    let ids =
        sqlx::query_scalar("SELECT id FROM api_keys WHERE id LIKE 'bench%' ORDER BY id LIMIT $1")
            .bind(sample)
            .fetch_all(&pool)
            .await?;
    pool.close().await;
    Ok(ids)
}
