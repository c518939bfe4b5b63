//! `cargo xtask build`: one file, `target/release/agent-keys`, with the site inside.
//!
//! The browser half is compiled and bound to JavaScript, the style sheets become one,
//! everything gets a name that changes with its content and is compressed once,
//! and the server is compiled with all of it in its belly.

mod browser;
mod site;
mod stylesheet;
pub(crate) mod toolchain;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::command;
use crate::up_to_date::{self, Inputs};
use crate::workspace::Workspace;

pub(crate) use site::Manifest;

/// Tells the build script of `server` which site to put into the binary.
pub(crate) const SITE_VARIABLE: &str = "AGENT_KEYS_SITE_DIR";

/// What the build reads of the checkout, besides what every stamp begins with.
const INPUTS: [&str; 8] = [
    ".cargo",
    "Cargo.toml",
    "app",
    "embedded",
    "migrations",
    "platform",
    "server",
    "style",
];

/// Builds what changed and returns the path of the binary.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let binary = workspace.binary("release");
    let stamp_file = workspace.target("agent-keys.stamp");
    // Read before anything is built, so that what changes meanwhile is built next time.
    let inputs = sum_of_inputs(workspace)?;
    // Cargo alone needs a second to find nothing to do, so look before asking it.
    if binary.is_file() && up_to_date::is(&stamp_file, &word(workspace, &inputs)?) {
        return Ok(binary);
    }

    let site = site(workspace)?;
    command::run(
        command::cargo(workspace)
            .args([
                "build",
                "--release",
                "--package",
                "server",
                "--bin",
                "agent-keys",
            ])
            .env(SITE_VARIABLE, site),
    )
    .context("the server did not compile")?;

    up_to_date::mark(&stamp_file, &word(workspace, &inputs)?)?;
    Ok(binary)
}

/// Builds what a browser may load, and returns its folder.
pub(crate) fn site(workspace: &Workspace) -> Result<PathBuf> {
    let browser = browser::build(workspace)?;
    let stylesheet = stylesheet::bundle(&workspace.path("style/main.css"))?;
    site::assemble(workspace, &browser, &stylesheet)
}

fn sum_of_inputs(workspace: &Workspace) -> Result<String> {
    let mut stamp = Inputs::new(workspace)?;
    for input in INPUTS {
        stamp.look(&workspace.path(input))?;
    }
    let flags = std::env::var_os("RUSTFLAGS").unwrap_or_default();
    stamp.bytes(flags.as_encoded_bytes());
    Ok(stamp.word())
}

/// Sums up the inputs and the output: a binary built since by other means is not this one.
fn word(workspace: &Workspace, inputs: &str) -> Result<String> {
    let mut stamp = Inputs::new(workspace)?;
    stamp.bytes(inputs.as_bytes());
    stamp.look(&workspace.binary("release"))?;
    Ok(stamp.word())
}
