//! Migrations, in order.
//!
//! A list instead of sqlx's macro, which would compile SQLite a second time for the build.

use sqlx::{
    SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// Version, name and SQL. A released migration never changes.
const MIGRATIONS: [(i64, &str, &str); 1] = [(
    1,
    "engine",
    include_str!("../../migrations/0001_engine.sql"),
)];

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
}
