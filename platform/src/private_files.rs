//! Files and directories that only the account of the process can open.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
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

/// The file belongs to another account than that of this process.
#[derive(Debug, thiserror::Error)]
#[error(
    "{path} belongs to the account with the number {owner}, and this process runs as number {user}: run it as the \
     account of the application, or as root", path = .path.display()
)]
pub struct OtherOwner {
    pub path: PathBuf,
    pub owner: u32,
    pub user: u32,
}

/// Owner of a file: account and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    account: u32,
    group: u32,
}

/// The owner of a file, or else of the first directory above it that exists.
pub fn owner(path: &Path) -> io::Result<Owner> {
    let absolute = std::path::absolute(path)?;
    let existing = absolute
        .ancestors()
        .find_map(|path| fs::metadata(path).ok());
    let about = existing.ok_or(io::ErrorKind::NotFound)?;
    Ok(Owner {
        account: about.uid(),
        group: about.gid(),
    })
}

/// Refuses a file of another account, except to root. A missing file may be made by any account that is able to.
pub fn check_owner(path: &Path) -> Result<(), OtherOwner> {
    let user = rustix::process::geteuid().as_raw();
    match fs::metadata(path) {
        Ok(about) if user != ROOT && about.uid() != user => Err(OtherOwner {
            path: path.to_owned(),
            owner: about.uid(),
            user,
        }),
        _ => Ok(()),
    }
}

/// Gives a file that root has made to `owner`.
pub fn give_to(path: &Path, owner: Owner) -> io::Result<()> {
    if fs::metadata(path)?.uid() == ROOT && owner.account != ROOT {
        chown(path, Some(owner.account), Some(owner.group))?;
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
