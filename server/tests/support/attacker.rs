//! Somebody who has the database and not the key.

use super::App;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};
use std::path::Path;

/// A connection to an application's database, past the application.
pub(crate) struct Attacker(AnyConnection);

impl Attacker {
    pub(crate) async fn with(url: &str) -> Self {
        sqlx::any::install_default_drivers();
        Self(AnyConnection::connect(url).await.unwrap())
    }

    pub(crate) async fn with_file(path: &Path) -> Self {
        Self::with(&format!("sqlite://{}", path.display())).await
    }

    pub(crate) async fn of(app: &App) -> Self {
        Self::with_file(&app.data_dir.path().join("agent-keys.db")).await
    }

    pub(crate) async fn try_to(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        self.0.execute(AssertSqlSafe(sql)).await.map(|_| ())
    }

    pub(crate) async fn run(&mut self, sql: &str) {
        self.try_to(sql).await.unwrap();
    }

    /// On SQLite.
    pub(crate) async fn drop_triggers(&mut self) {
        self.run("DROP TRIGGER audit_events_stay; DROP TRIGGER audit_events_remain_until_cut")
            .await;
    }

    /// Makes the head fit what is left.
    pub(crate) async fn mend_head(&mut self) {
        self.run(
            "UPDATE audit_head SET sequence = (SELECT MAX(sequence) FROM audit_events), mac = \
             (SELECT mac FROM audit_events ORDER BY sequence DESC LIMIT 1)",
        )
        .await;
    }
}
