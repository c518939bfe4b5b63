//! The Go programs of `end2end/`: Elastic's agent for Go and its client, two majors.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{command, debian, up_to_date};

/// What the programs are made from.
const SOURCES: [&str; 6] = [
    "go.mod",
    "go.sum",
    "agents/go/main.go",
    "clients/go/walk.go",
    "clients/go/version8.go",
    "clients/go/version9.go",
];

/// Program, build tag, package.
const PROGRAMS: [(&str, &str, &str); 3] = [
    ("application", "", "./agents/go"),
    ("walk-8", "v8", "./clients/go"),
    ("walk-9", "v9", "./clients/go"),
];

/// From this version on, Go fetches the version that `go.mod` asks for by itself.
const SELECTS_TOOLCHAIN: u32 = 21;

/// The version fetched by a Go that is older than that.
const TOOLCHAIN: &str = "v0.0.1-go1.26.8";

/// Downloads the modules and builds the programs into `.go/`, unless they are there already.
///
/// Without Go, and without the right to install it, the tests are skipped.
pub(crate) fn prepare(folder: &Path) -> Result<()> {
    let word = up_to_date::of_files(folder, &SOURCES)?;
    let made = folder.join(".go");
    let stamp_file = made.join(".digest");
    if up_to_date::is(&stamp_file, &word) {
        return Ok(());
    }
    if command::find("go").is_none() {
        if !debian::can_install() {
            eprintln!("tests in Go are skipped: install Go 1.25 or later");
            return Ok(());
        }
        debian::install(&["golang-go", "ca-certificates"])?;
    }
    let go = recent_go(folder)?;
    for (program, tag, package) in PROGRAMS {
        command::run(
            Command::new(&go)
                .args(["build", "-tags", tag, "-o"])
                .arg(made.join(program))
                .arg(package)
                .current_dir(folder),
        )
        .with_context(|| format!("end2end/{package} could not be built"))?;
    }
    up_to_date::mark(&stamp_file, &word)
}

/// The `go` on the `PATH`, or a newer one that it downloads and verifies as a module.
fn recent_go(folder: &Path) -> Result<OsString> {
    let parent = folder.parent().unwrap_or(folder);
    let env = |name| {
        command::read(Command::new("go").args(["env", name]).current_dir(parent))
            .map(|value| value.trim().to_owned())
    };
    if minor(&env("GOVERSION")?).is_none_or(|minor| minor >= SELECTS_TOOLCHAIN) {
        return Ok("go".into());
    }
    let module = format!(
        "golang.org/toolchain@{TOOLCHAIN}.{}-{}",
        env("GOOS")?,
        env("GOARCH")?
    );
    command::run(
        Command::new("go")
            .args(["mod", "download", &module])
            .current_dir(parent),
    )
    .context("install Go 1.25 or later by hand, then try again")?;
    let root = PathBuf::from(env("GOMODCACHE")?).join(&module);
    // A module's files are read-only and not executable.
    command::run(
        Command::new("chmod")
            .args(["-R", "a+x"])
            .args([root.join("bin"), root.join("pkg/tool")]),
    )?;
    Ok(root.join("bin/go").into())
}

/// The `22` of `go1.22.3`.
fn minor(version: &str) -> Option<u32> {
    let rest = version.strip_prefix("go1.")?;
    rest.split(|character: char| !character.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_is_read_from_releases_and_candidates() {
        for (version, expected) in [
            ("go1.19.8", Some(19)),
            ("go1.22rc1", Some(22)),
            ("go1.26", Some(26)),
            ("devel", None),
        ] {
            assert_eq!(minor(version), expected, "{version}");
        }
    }
}
