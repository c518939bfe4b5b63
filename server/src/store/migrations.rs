//! Migrations, in order.

use platform::sql::MigrationText;

pub(super) const MIGRATIONS: [MigrationText; 1] = [(
    1,
    "initial",
    include_str!("../../../migrations/0001_initial.sql"),
)];

#[cfg(test)]
mod tests {
    use super::MIGRATIONS;
    use platform::sql::migrator;
    use std::{fs, path::Path};

    /// SHA-384 of each file. Databases store it, and refuse to start with another.
    const CHECKSUMS: [&str; MIGRATIONS.len()] = ["\
        08ba617674a84e7921e13ce36fe626a51421dd94a5b115379bf745197039277cda0349548e72d15c9c0f73736bc9cb27"];

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
