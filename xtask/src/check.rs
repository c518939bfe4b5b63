//! `cargo xtask check`: requirements, imports, format, lints, and the size of the first load.

mod circles;
mod floors;
mod imports;
mod requirements;

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::build::toolchain::{TARGET, Toolchain};
use crate::build::{self, Manifest};
use crate::command;
use crate::workspace::Workspace;

/// Crates that belong to the server alone.
const SERVER_CRATES: [&str; 7] = [
    "argon2", "axum", "hyper", "platform", "reqwest", "sqlx", "tokio",
];

/// The most that the first load of the list may take over the wire.
const FIRST_LOAD_BYTES_MAX: u64 = 300_000;
/// What is set aside of it for the page itself, which travels compressed, and the headers of its parts.
/// `cargo xtask bench` measures both with a full page.
const PAGE_BYTES_RESERVED: u64 = 20_000;

/// How the browser half is selected.
const BROWSER_HALF: [&str; 5] = [
    "--package",
    "app",
    "--no-default-features",
    "--features",
    "hydrate",
];

/// Runs every check, and stops at the first that fails.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    check_sources(workspace)?;
    build::build(workspace)?;
    check_first_load(workspace)
}

/// Checks all that can be checked without a build of the product.
pub(crate) fn check_sources(workspace: &Workspace) -> Result<()> {
    requirements::prove_each_has_its_tests(workspace)?;
    check_imports(workspace)?;
    command::run(command::cargo(workspace).args(["fmt", "--all", "--check"]))
        .context("run `cargo fmt --all`")?;
    prove_no_server_crate_in_browser(workspace)?;
    lint(workspace)
}

/// Fails on an import circle, and on an import of `server` that goes up a floor.
fn check_imports(workspace: &Workspace) -> Result<()> {
    let circles = circles::prove_none(workspace);
    let floors = floors::prove_no_arrow_up(workspace);
    match (circles, floors) {
        (Err(circles), Err(floors)) => bail!("{circles}\n{floors}"),
        (circles, floors) => circles.and(floors),
    }
}

fn lint(workspace: &Workspace) -> Result<()> {
    // Apart, for the reason that `test.rs` gives.
    for packages in [
        ["--workspace", "--exclude", "xtask"].as_slice(),
        &["--package", "xtask"],
    ] {
        command::run(
            command::cargo(workspace)
                .arg("clippy")
                .args(packages)
                .args(["--all-targets", "--", "-D", "warnings"]),
        )?;
    }
    if Toolchain::ready(workspace)? == Toolchain::Debian {
        eprintln!("the browser half is not linted here: Debian's Rust has no clippy");
        return Ok(());
    }
    command::run(
        command::cargo(workspace)
            .arg("clippy")
            .args(BROWSER_HALF)
            .args(["--target", TARGET, "--", "-D", "warnings"]),
    )
}

fn prove_no_server_crate_in_browser(workspace: &Workspace) -> Result<()> {
    let tree = command::read(
        command::cargo(workspace)
            .arg("tree")
            .args(BROWSER_HALF)
            .args([
                "--target", TARGET, "--edges", "normal", "--prefix", "none", "--format", "{p}",
            ]),
    )?;
    let found = server_crates(&tree);
    if !found.is_empty() {
        bail!(
            "the browser half contains {}, which only the server may; \
             `cargo tree {} --target {TARGET} --invert {}` tells how it got in",
            found.join(", "),
            BROWSER_HALF.join(" "),
            found[0],
        );
    }
    println!("the browser half has none of {}", SERVER_CRATES.join(", "));
    Ok(())
}

/// The crates of the server in the output of `cargo tree`, a crate a line.
fn server_crates(tree: &str) -> Vec<&'static str> {
    let crates: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    SERVER_CRATES
        .into_iter()
        .filter(|name| crates.contains(name))
        .collect()
}

/// Fails if the files of the first load take more bytes than their budget. Reads the last build.
pub(crate) fn check_first_load(workspace: &Workspace) -> Result<()> {
    let manifest = Manifest::read(workspace)?;
    println!("first load of the list, over the wire:");
    let mut total = 0;
    let files = [
        &manifest.css,
        &manifest.js,
        &manifest.wasm,
        &manifest.parts_js,
    ];
    for file in files.into_iter().chain(manifest.assets.values()) {
        let bytes = bytes_over_the_wire(workspace, file)?;
        println!("{bytes:>9}  {file}");
        total += bytes;
    }
    println!("{PAGE_BYTES_RESERVED:>9}  set aside for the page and all headers");
    total += PAGE_BYTES_RESERVED;
    println!("{total:>9}  of {FIRST_LOAD_BYTES_MAX}");
    if total > FIRST_LOAD_BYTES_MAX {
        bail!(
            "the first load is {} bytes too large; see what grew with `twiggy`; what the list does not need belongs behind `SplitPage`",
            total - FIRST_LOAD_BYTES_MAX
        );
    }
    Ok(())
}

/// The size of a file as a browser gets it, which is with Brotli where that was worth it.
fn bytes_over_the_wire(workspace: &Workspace, file: &str) -> Result<u64> {
    let plain = workspace.target("site").join(file);
    let brotli = workspace.target("site").join(format!("{file}.br"));
    let sent = if brotli.is_file() { brotli } else { plain };
    let metadata = fs::metadata(&sent)
        .with_context(|| format!("{} is missing; run `cargo xtask build`", sent.display()))?;
    Ok(metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_of_the_server_is_found_by_its_whole_name() {
        let tree = "app v0.1.0 (/app)\nleptos v0.8.23\ntokio v1.50.0\ntokio-util v0.7.0 (*)\n";
        assert_eq!(server_crates(tree), ["tokio"]);
        assert!(server_crates("leptos_axum v0.8.0\nhyper-util v0.1.0\n").is_empty());
    }
}
