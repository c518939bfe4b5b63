//! Playwright and its browsers: the packages of `end2end/`, the command, Chromium, Firefox and WebKitGTK.

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
    if let Some(path) = named_by("CHROMIUM")? {
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

/// Firefox, as Debian and as others package it.
const FIREFOX: [&str; 2] = ["firefox-esr", "firefox"];

/// Finds Firefox: the one that `FIREFOX` names, else one on the `PATH`, else Debian's, installed now where that is
/// possible.
pub(crate) fn firefox() -> Result<Option<PathBuf>> {
    if let Some(path) = named_by("FIREFOX")? {
        return Ok(Some(path));
    }
    let find = || FIREFOX.iter().find_map(|name| command::find(name));
    if let Some(path) = find() {
        return Ok(Some(path));
    }
    if !debian::can_install() {
        eprintln!(
            "the stories in Firefox are skipped: install Firefox, or set FIREFOX to where it is"
        );
        return Ok(None);
    }
    debian::install(&["firefox-esr"])?;
    Ok(find())
}

/// The display without a screen on which WebKitGTK draws, and Debian's packages of both.
const DISPLAY: &str = "xvfb-run";
const WEBKIT_PACKAGES: [&str; 4] = ["gir1.2-webkit2-4.1", "python3-gi", "xauth", "xvfb"];

/// Installs WebKitGTK where that is possible. Without it, its stories are skipped.
pub(crate) fn install_webkit() -> Result<()> {
    if command::find(DISPLAY).is_some() || !debian::can_install() {
        return Ok(());
    }
    debian::install(&WEBKIT_PACKAGES)
}

/// The browser that a variable of the environment names.
fn named_by(variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let path = PathBuf::from(path);
    if !path.is_file() {
        bail!(
            "{variable} names {}, which is no file; correct or unset it",
            path.display()
        );
    }
    Ok(Some(path))
}
