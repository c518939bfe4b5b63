//! `cargo xtask bench`: measures the release binary against two floors.

use std::process::Command;

use anyhow::Result;

use crate::build;
use crate::command;
use crate::workspace::Workspace;

/// Builds the product and its measuring program, and lets the one measure the other.
pub(crate) fn bench(workspace: &Workspace) -> Result<()> {
    let binary = build::build(workspace)?;
    command::run(command::cargo(workspace).args(["build", "--release", "--package", "bench"]))?;
    let report = workspace.target("bench.md");
    command::run(
        Command::new(workspace.target("release/bench"))
            .arg(binary)
            .arg(&report),
    )?;
    println!("written to {}", report.display());
    Ok(())
}
