//! The browser that the stories run in.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::{command, debian};

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
pub(crate) fn ready() -> Result<PathBuf> {
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
