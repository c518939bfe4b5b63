//! The migrations, in the order in which they are applied.
//!
//! A list instead of sqlx's macro: the macro would have SQLite compiled a second time, for the compiler's own use.

use sqlx::{
    SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// Version, what it is about, and its SQL. What was ever released is never changed again.
const MIGRATIONS: [(i64, &str, &str); 7] = [
    (
        1,
        "first",
        include_str!("../../../migrations/0001_first.sql"),
    ),
    (
        2,
        "audit chain",
        include_str!("../../../migrations/0002_audit_chain.sql"),
    ),
    (
        3,
        "delivery",
        include_str!("../../../migrations/0003_delivery.sql"),
    ),
    (
        4,
        "sign in attempts",
        include_str!("../../../migrations/0004_sign_in_attempts.sql"),
    ),
    (
        5,
        "own sessions",
        include_str!("../../../migrations/0005_own_sessions.sql"),
    ),
    (
        6,
        "audit forwarding",
        include_str!("../../../migrations/0006_audit_forwarding.sql"),
    ),
    (
        7,
        "audit retention",
        include_str!("../../../migrations/0007_audit_retention.sql"),
    ),
];

pub(super) fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, about, sql)| {
        let sql = SqlStr::from_static(sql);
        Migration::new(version, about.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.into())
}

#[cfg(test)]
mod tests {
    use super::MIGRATIONS;
    use std::{fs, path::Path};

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
        for (file, (version, about, sql)) in files.iter().zip(MIGRATIONS) {
            let name = format!("{version:04}_{}", about.replace(' ', "_"));
            assert_eq!(file.file_stem().unwrap().to_str().unwrap(), name);
            assert_eq!(fs::read_to_string(file).unwrap(), sql);
        }
    }
}
