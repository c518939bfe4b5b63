//! Migrations, in order.

use platform::sql::MigrationText;

pub(super) const MIGRATIONS: [MigrationText; 1] = [(
    1,
    "engine",
    include_str!("../../migrations/0001_engine.sql"),
)];

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use sha2::{Digest, Sha256};

    use super::MIGRATIONS;

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
        const DIGESTS: [&str; MIGRATIONS.len()] =
            ["f2c6f5228ce3999b00d65c6f35fd0cc5d44717036936d09f50d0cf4edca7f791"];
        for ((_, about, sql), digest) in MIGRATIONS.iter().zip(DIGESTS) {
            let found = Sha256::digest(sql)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>();
            assert_eq!(found, digest, "{about}");
        }
    }
}
