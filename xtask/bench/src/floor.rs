//! The floors: the least that a server of this kind can do.

use std::path::Path;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Path as Segment, State};
use axum::http::StatusCode;
use axum::routing::get;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use tokio::net::TcpListener;

/// How many rows the indexed read chooses from.
pub(crate) const ROWS: u32 = 1_000;

/// Floor A: a handler that answers a constant.
pub(crate) async fn constant() -> Result<()> {
    serve(Router::new().route("/", get(async || "constant"))).await
}

/// Floor B: a handler that reads one row of SQLite by its key.
pub(crate) async fn indexed_read(file: &Path) -> Result<()> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(options)
        .await?;
    sqlx::query("CREATE TABLE things (id TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID")
        .execute(&pool)
        .await?;
    sqlx::query(
        "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < $1)
         INSERT INTO things SELECT n, 'thing ' || n FROM numbers",
    )
    .bind(ROWS)
    .execute(&pool)
    .await?;
    serve(Router::new().route("/{id}", get(read_one)).with_state(pool)).await
}

async fn read_one(
    State(pool): State<SqlitePool>,
    Segment(id): Segment<String>,
) -> Result<String, StatusCode> {
    sqlx::query_scalar("SELECT name FROM things WHERE id = $1")
        .bind(id)
        .fetch_one(&pool)
        .await
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn serve(router: Router) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .context("no free port on loopback")?;
    println!("ready on http://{}", listener.local_addr()?);
    axum::serve(listener, router)
        .await
        .context("the floor fell through")
}
