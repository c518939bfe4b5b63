//! Playwright and its browser: the packages of `end2end/`, the command, and Chromium.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{command, debian, up_to_date};

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

/// Chromium without its window, as Debian packages it: a story takes it half the processor time of the whole browser.
const HEADLESS: &str = "chromium-headless-shell";

/// Names under which the whole of Chromium and its relatives are installed.
const WHOLE: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Finds Chromium: the one that `CHROMIUM` names, else the headless one, installed now where that is possible, else a
/// whole one on the `PATH`.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(path) = env::var_os("CHROMIUM").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        if !path.is_file() {
            bail!(
                "CHROMIUM names {}, which is no file; correct or unset it",
                path.display()
            );
        }
        return Ok(path);
    }
    if let Some(path) = command::find(HEADLESS) {
        return Ok(path);
    }
    if debian::can_install() {
        debian::install(&[HEADLESS, "fonts-liberation"])?;
        return command::find(HEADLESS)
            .context("Debian's chromium-headless-shell was installed, yet is not on the PATH");
    }
    WHOLE
        .iter()
        .find_map(|name| command::find(name))
        .context("the stories need Chromium; install it, or set CHROMIUM to where it is")
}
