//! `cargo xtask soak`: faults under load against the release binary, and the promises that hold nevertheless.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{build, command};

const USAGE: &str = "use cargo xtask soak [FAULTS [SEED]], both numbers";

/// Builds the product, then runs the story `soak` of the server's tests with it.
pub(crate) fn soak(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    if arguments.len() > 2 || arguments.iter().any(|text| text.parse::<u64>().is_err()) {
        bail!(USAGE);
    }
    let binary = build::build(workspace)?;
    let directory = workspace.target("soak");
    if directory.exists() {
        fs::remove_dir_all(&directory).context("the last soak could not be removed")?;
    }
    fs::create_dir_all(&directory)?;
    let mut test = command::cargo(workspace);
    test.args([
        "test",
        "--quiet",
        "--package",
        "server",
        "--test",
        "stories",
        "--",
    ])
    .args(["--ignored", "--nocapture", "soak::"])
    .env("AGENT_KEYS_SOAK_BINARY", binary)
    .env("AGENT_KEYS_SOAK_DIR", &directory);
    let names = ["AGENT_KEYS_SOAK_FAULTS", "AGENT_KEYS_SOAK_SEED"];
    test.envs(names.into_iter().zip(arguments));
    let ended = command::run(&mut test);
    println!("data and logs: {}", directory.display());
    ended
}
