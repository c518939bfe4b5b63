//! The migrations, in the order in which they are applied.
//!
//! A list instead of sqlx's macro: the macro would compile SQLite a second time, for the compiler's own use.

use sqlx::{
    SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// Version, description and SQL. A released migration never changes.
const MIGRATIONS: [(i64, &str, &str); 1] = [(
    1,
    "initial",
    include_str!("../../../migrations/0001_initial.sql"),
)];

pub(super) fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, description, sql)| {
        let sql = SqlStr::from_static(sql);
        Migration::new(
            version,
            description.into(),
            MigrationType::Simple,
            sql,
            false,
        )
    });
    Migrator::with_migrations(migrations.into())
}

#[cfg(test)]
mod tests {
    use super::{MIGRATIONS, migrator};
    use std::{fs, path::Path};

    /// SHA-384 of each file. Databases store it, and refuse to start with another.
    const CHECKSUMS: [&str; MIGRATIONS.len()] = ["\
        08ba617674a84e7921e13ce36fe626a51421dd94a5b115379bf745197039277cda0349548e72d15c9c0f73736bc9cb27"];

    #[test]
    fn migrations_have_the_checksums_that_databases_store() {
        for (migration, expected) in migrator().iter().zip(CHECKSUMS) {
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
