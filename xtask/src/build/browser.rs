//! The browser half: compiled to WebAssembly, split where pages begin, bound to JavaScript.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use wasm_bindgen_cli_support::Bindgen;
use wasm_split_cli_support as split;

use super::toolchain::Toolchain;
use crate::command;
use crate::up_to_date::{self, Inputs};
use crate::workspace::Workspace;

/// The JavaScript that loads the module and lends it the browser.
pub(super) const JS: &str = "agent-keys.js";
/// The module that every page loads.
pub(super) const WASM: &str = "agent-keys_bg.wasm";
/// The JavaScript that loads the other parts when they are needed.
pub(super) const PARTS_JS: &str = "agent-keys-parts.js";

/// Compiles, splits and binds what changed, and returns the folder with everything that a browser may load of it.
pub(super) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let compiled = compile(workspace)?;
    let whole =
        fs::read(&compiled).with_context(|| format!("{} is missing", compiled.display()))?;
    let folder = workspace.target("browser");
    let stamp_file = workspace.target("browser.stamp");
    let mut stamp = Inputs::new(workspace)?;
    stamp.bytes(&whole);
    let word = stamp.word();
    let is_whole = [JS, WASM, PARTS_JS]
        .iter()
        .all(|name| folder.join(name).is_file());
    if up_to_date::is(&stamp_file, &word) && is_whole {
        return Ok(folder);
    }

    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    let first = workspace.target("browser-first.wasm");
    cut(&whole, &folder, &first)?;
    bind(&first, &folder)?;
    up_to_date::mark(&stamp_file, &word)?;
    Ok(folder)
}

fn compile(workspace: &Workspace) -> Result<PathBuf> {
    let (mut cargo, folder) = Toolchain::ready(workspace)?.cargo_build(workspace);
    command::run(cargo.args([
        "--package",
        "app",
        "--lib",
        "--profile",
        "wasm-release",
        "--no-default-features",
        "--features",
        "hydrate",
    ]))
    .context("the browser half did not compile")?;
    Ok(folder.join("wasm32-unknown-unknown/wasm-release/app.wasm"))
}

/// Cuts the module where the pages say so: the `first` part is loaded with every page, the others when needed.
fn cut(whole: &[u8], folder: &Path, first: &Path) -> Result<()> {
    let link = format!("./{PARTS_JS}");
    let js = format!("./{JS}");
    let mut options = split::Options::new(whole);
    options.output_dir = folder;
    options.main_out_path = first;
    options.link_name = &link;
    options.main_module = &js;
    split::transform(options)
        .map(drop)
        .map_err(|error| anyhow!("{error:#}"))
        .context("the browser half could not be split")
}

fn bind(first: &Path, folder: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(first)
        .out_name(JS.trim_end_matches(".js"))
        .web(true)?
        .typescript(false)
        // The other parts reach into this one by the names that the linker gave.
        .keep_lld_exports(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        // The page says where the module is, since only it knows the name of the folder.
        .omit_default_module_path(true);
    bindgen.generate(folder).context(
        "the browser half could not be bound to JavaScript; \
         are wasm-bindgen and wasm-bindgen-cli-support of one version in Cargo.lock?",
    )
}
