//! Steps that are up to date are not repeated: a digest of a step's inputs is stored beside its output.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::workspace::Workspace;

/// The digest of what a step reads.
pub(crate) struct Inputs(Sha256);

impl Inputs {
    /// Starts with xtask itself: another one may make another thing of the same input.
    pub(crate) fn new(workspace: &Workspace) -> Result<Self> {
        let mut stamp = Self(Sha256::new());
        for own in ["Cargo.lock", "xtask/Cargo.toml", "xtask/src"] {
            stamp.look(&workspace.path(own))?;
        }
        Ok(stamp)
    }

    /// Adds some bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Adds a file or a folder by name, length and time of change, without reading it.
    ///
    /// What does not exist counts as empty.
    pub(crate) fn look(&mut self, path: &Path) -> Result<()> {
        let Ok(metadata) = fs::metadata(path) else {
            return Ok(());
        };
        if metadata.is_dir() {
            let mut entries = fs::read_dir(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            entries.sort_by_key(fs::DirEntry::file_name);
            return entries
                .iter()
                .try_for_each(|entry| self.look(&entry.path()));
        }
        let changed = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .unwrap_or_default();
        self.bytes(path.as_os_str().as_encoded_bytes());
        self.bytes(&metadata.len().to_le_bytes());
        self.bytes(&changed.as_nanos().to_le_bytes());
        Ok(())
    }

    /// The word for everything added.
    pub(crate) fn word(self) -> String {
        hex(&self.0.finalize())
    }
}

/// Returns true if the digest on disk is this one.
pub(crate) fn is(path: &Path, word: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|found| found == word)
}

/// Writes the digest to disk.
pub(crate) fn mark(path: &Path, word: &str) -> Result<()> {
    fs::write(path, word).with_context(|| format!("{} cannot be written", path.display()))
}

/// The word for a file's content.
pub(crate) fn of_file(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("{} is missing", path.display()))?;
    Ok(short_digest(&bytes))
}

/// The word for the content of some files of a folder.
pub(crate) fn of_files(folder: &Path, names: &[&str]) -> Result<String> {
    let words: Vec<_> = names
        .iter()
        .map(|name| of_file(&folder.join(name)))
        .collect::<Result<_>>()?;
    Ok(short_digest(words.join(" ").as_bytes()))
}

/// The digest of some bytes, short enough for a file name.
pub(crate) fn short_digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..8])
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_input_makes_the_same_word() {
        let word = |bytes: &[u8]| {
            let mut stamp = Inputs::new(&Workspace::find().unwrap()).unwrap();
            stamp.bytes(bytes);
            stamp.word()
        };
        assert_eq!(word(b"one"), word(b"one"));
        assert_ne!(word(b"one"), word(b"two"));
    }

    #[test]
    fn a_file_that_grew_makes_another_word() {
        let file = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        let word = |text: &str| {
            fs::write(&file, text).unwrap();
            let mut stamp = Inputs::new(&Workspace::find().unwrap()).unwrap();
            stamp.look(&file).unwrap();
            stamp.word()
        };
        assert_ne!(word("short"), word("longer"));
        fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_digest_fits_a_file_name() {
        assert_eq!(short_digest(b""), "e3b0c44298fc1c14");
    }
}
