//! The browser that the stories run in.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::{command, debian};

/// Names under which Chromium and its relatives are installed.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Finds Chromium: the one that `CHROMIUM` names, else one on the `PATH`, else Debian's, installed now.
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
    if let Some(path) = on_path() {
        return Ok(path);
    }
    if !debian::can_install() {
        bail!("the stories need Chromium; install it, or set CHROMIUM to where it is");
    }
    debian::install(&["chromium", "fonts-liberation"])?;
    on_path().context("Debian's chromium was installed, yet is not on the PATH")
}

fn on_path() -> Option<PathBuf> {
    NAMES.iter().find_map(|name| command::find(name))
}
