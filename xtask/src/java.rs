//! The Java programs of `end2end/`: Elastic's agent for Java and its client.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::{command, debian, up_to_date};

/// What the programs are made from.
const SOURCES: [&str; 4] = [
    "pom.xml",
    "jars.sha256",
    "agents/java/Application.java",
    "clients/java/Walk.java",
];

/// Downloads the jars and compiles the programs into `.java/`, unless they are there already.
///
/// Without a JDK and Maven, and without the right to install them, the tests are skipped.
pub(crate) fn prepare(folder: &Path) -> Result<()> {
    let word = up_to_date::of_files(folder, &SOURCES)?;
    let made = folder.join(".java");
    let stamp_file = made.join(".digest");
    if up_to_date::is(&stamp_file, &word) {
        return Ok(());
    }
    if command::find("javac").is_none() || command::find("mvn").is_none() {
        if !debian::can_install() {
            eprintln!("tests in Java are skipped: install a JDK (17 or later) and Maven");
            return Ok(());
        }
        debian::install(&["default-jdk-headless", "maven"])?;
    }
    // Jars of former versions would be on the class path too.
    if made.exists() {
        fs::remove_dir_all(&made)
            .with_context(|| format!("{} cannot be removed", made.display()))?;
    }
    command::run(
        Command::new("mvn")
            .args([
                "--batch-mode",
                "--quiet",
                "--strict-checksums",
                "--file",
                "pom.xml",
                "package",
            ])
            .current_dir(folder),
    )
    .context("the packages of end2end/pom.xml could not be downloaded")?;
    verify(&folder.join("jars.sha256"), &made.join("jars"))?;
    command::run(
        Command::new("javac")
            .args([
                "--release",
                "17",
                "-d",
                ".java/classes",
                "-cp",
                ".java/jars/*",
            ])
            .args(SOURCES.iter().filter(|source| {
                Path::new(source)
                    .extension()
                    .is_some_and(|extension| extension == "java")
            }))
            .current_dir(folder),
    )?;
    up_to_date::mark(&stamp_file, &word)
}

/// Fails unless a folder holds exactly the files of a list in the form of `sha256sum`.
fn verify(list: &Path, folder: &Path) -> Result<()> {
    let text =
        fs::read_to_string(list).with_context(|| format!("{} is missing", list.display()))?;
    let expected: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(digest, name)| (name.to_owned(), digest.to_owned()))
        .collect();
    let mut found = BTreeMap::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?
    {
        let entry = entry?;
        let digest = Sha256::digest(fs::read(entry.path())?);
        found.insert(
            entry.file_name().to_string_lossy().into_owned(),
            up_to_date::hex(&digest),
        );
    }
    if found != expected {
        let differing: BTreeSet<_> = expected
            .keys()
            .chain(found.keys())
            .filter(|name| expected.get(*name) != found.get(*name))
            .map(String::as_str)
            .collect();
        let names: Vec<_> = differing.into_iter().collect();
        bail!(
            "{} does not hold what {} lists: {}",
            folder.display(),
            list.display(),
            names.join(", ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify_case(name: &str, list: &str, files: &[(&str, &str)]) -> Result<()> {
        let root = std::env::temp_dir().join(format!("xtask-java-{name}-{}", std::process::id()));
        let jars = root.join("jars");
        fs::create_dir_all(&jars).unwrap();
        fs::write(root.join("list"), list).unwrap();
        for (name, content) in files {
            fs::write(jars.join(name), content).unwrap();
        }
        let verdict = verify(&root.join("list"), &jars);
        fs::remove_dir_all(&root).unwrap();
        verdict
    }

    /// The digest of an empty file.
    const LIST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a.jar\n";

    #[test]
    fn listed_jars_pass() {
        verify_case("listed", LIST, &[("a.jar", "")]).unwrap();
    }

    #[test]
    fn changed_missing_and_unlisted_jars_are_named() {
        for (name, files, named) in [
            ("changed", &[("a.jar", "other")][..], "a.jar"),
            ("missing", &[], "a.jar"),
            ("unlisted", &[("a.jar", ""), ("b.jar", "")], "b.jar"),
        ] {
            let error = verify_case(name, LIST, files).unwrap_err().to_string();
            assert!(error.ends_with(&format!(": {named}")), "{name}: {error}");
        }
    }
}
