//! `cargo xtask bench`: measures the release binary against two floors, and what a person waits for in a browser.

use std::process::Command;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{build, command, playwright};

/// Builds the product and its measuring program, and lets the one measure the other.
pub(crate) fn bench(workspace: &Workspace) -> Result<()> {
    playwright::install(workspace)?;
    let chromium = playwright::chromium()?;
    let binary = build::build(workspace)?;
    command::run(command::cargo(workspace).args(["build", "--release", "--package", "bench"]))?;

    let in_the_browser = workspace.target("bench-browser.json");
    command::run(
        playwright::test(workspace, &binary, &chromium)
            .args(["--config", "measure.config.ts"])
            .env("AGENT_KEYS_MEASURED", &in_the_browser),
    )?;
    let report = workspace.target("bench.md");
    command::run(
        Command::new(workspace.target("release/bench"))
            .arg(binary)
            .arg(in_the_browser)
            .arg(&report),
    )?;
    println!("written to {}", report.display());
    Ok(())
}
