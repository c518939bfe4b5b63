//! Playwright, which drives the browser: the packages of `end2end/` and its command.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{command, up_to_date};

/// Installs what the lock file of `end2end/` says, unless it is there already.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    if command::find("npm").is_none() {
        bail!("the stories need Node.js 20 or newer with npm; install both, then try again");
    }
    let folder = workspace.path("end2end");
    let word = up_to_date::of_file(&folder.join("package-lock.json"))?;
    let stamp_file = folder.join("node_modules/.lock-digest");
    if up_to_date::is(&stamp_file, &word) {
        return Ok(());
    }
    command::run(Command::new("npm").arg("ci").current_dir(&folder))
        .context("the packages of end2end/package-lock.json could not be installed")?;
    up_to_date::mark(&stamp_file, &word)
}

/// `playwright test`, with this binary and this browser.
pub(crate) fn test(workspace: &Workspace, binary: &Path, chromium: &Path) -> Command {
    let mut command = Command::new("npx");
    command
        .args(["--no-install", "playwright", "test"])
        .current_dir(workspace.path("end2end"))
        .env("AGENT_KEYS_BINARY", binary)
        .env("CHROMIUM", chromium);
    command
}
