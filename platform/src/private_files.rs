//! Files and directories that only the account of the process can open.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::Path,
};

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const ROOT: u32 = 0;

/// Creates a directory and its parents. An existing directory keeps its mode, because it may be
/// shared on purpose.
pub fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(path)
}

/// Creates a file and its directory, and makes an existing file private.
///
/// SQLite gives the files beside a database the mode of the database.
pub fn create_file(path: &Path) -> io::Result<()> {
    if let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        create_directory(directory)?;
    }
    let file = open_options().append(true).create(true).open(path)?;
    file.set_permissions(permissions())?;
    give_to_owner_of_directory(path)
}

/// Gives a file that root has made to the owner of its directory, so that the account of the service can open it.
pub fn give_to_owner_of_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
    let directory = fs::metadata(directory.unwrap_or(Path::new(".")))?;
    let file = fs::metadata(path)?;
    if file.uid() == ROOT && directory.uid() != ROOT {
        chown(path, Some(directory.uid()), Some(directory.gid()))?;
    }
    Ok(())
}

/// Options that give a new file its mode. An existing file keeps its own.
pub fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(FILE_MODE);
    options
}

pub fn permissions() -> Permissions {
    Permissions::from_mode(FILE_MODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn created_file_and_its_directories_are_private() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("a/b");
        let file = directory.join("file");
        create_file(&file).unwrap();
        assert_eq!(mode(&file), FILE_MODE);
        assert_eq!(mode(&directory), DIRECTORY_MODE);
        assert_eq!(mode(&temporary.path().join("a")), DIRECTORY_MODE);
    }

    #[test]
    fn existing_file_becomes_private_and_keeps_its_content() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("file");
        fs::write(&file, "content").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        create_file(&file).unwrap();
        assert_eq!(mode(&file), FILE_MODE);
        assert_eq!(fs::read_to_string(&file).unwrap(), "content");
    }

    #[test]
    fn existing_directory_keeps_its_mode() {
        let temporary = tempfile::tempdir().unwrap();
        let shared = Permissions::from_mode(0o755);
        fs::set_permissions(temporary.path(), shared).unwrap();
        create_directory(temporary.path()).unwrap();
        assert_eq!(mode(temporary.path()), 0o755);
    }
}
