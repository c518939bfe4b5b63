//! `cargo xtask run`: builds the product and starts it.

use std::process::Command;

use anyhow::Result;

use crate::build;
use crate::workspace::Workspace;

/// Builds what changed, then becomes `agent-keys serve` with the arguments given.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let binary = build::build(workspace)?;
    let mut command = Command::new(binary);
    command.arg("serve").args(arguments);
    replace_this_process(&mut command)
}

/// The server takes this process's place, so that signals and exit status are its own.
#[cfg(unix)]
fn replace_this_process(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;

    use anyhow::Context;

    Err(command.exec()).context("agent-keys could not be started")
}

#[cfg(not(unix))]
fn replace_this_process(command: &mut Command) -> Result<()> {
    crate::command::run(command)
}
