//! Installing packages on a Debian machine where this process may.

use std::process::Command;

use anyhow::{Context, Result};

use crate::command;

/// Whether this process can install packages: it is root, and the machine has `apt-get`.
pub(crate) fn can_install() -> bool {
    command::find("apt-get").is_some()
        && command::read(Command::new("id").arg("-u")).is_ok_and(|user| user.trim() == "0")
}

/// Installs packages, with a fresh list of what there is. Waits while another process installs.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    command::run(Command::new("apt-get").args(["update", "-qq", "-o", "DPkg::Lock::Timeout=600"]))
        .context("the list of Debian packages could not be fetched; is the network there?")?;
    command::run(
        Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(["-o", "DPkg::Lock::Timeout=600"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
    .with_context(|| format!("install by hand, then try again: {}", packages.join(" ")))
}
