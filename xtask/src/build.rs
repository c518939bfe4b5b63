//! `cargo xtask build`: one file, `target/release/agent-keys`, with the site inside.
//!
//! The browser half is compiled to WebAssembly, split where pages begin, and bound to JavaScript, the style sheets
//! become one, everything gets a name that changes with its content and is compressed once,
//! and the server is compiled with all of it inside. Beside it is the list of its crates, `agent-keys.cdx.json`.

mod site;
pub(crate) mod toolchain;

use crate::{
    build::toolchain::Toolchain,
    command, sbom,
    up_to_date::{self, Inputs},
    workspace::Workspace,
};
use anyhow::{Context, Result, anyhow};
pub(crate) use site::Manifest;
use std::{
    fs,
    path::{Path, PathBuf},
};
use wasm_bindgen_cli_support::Bindgen;
use wasm_split_cli_support as split;

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
    // Reading the metadata may download crates of other targets: without a network the binary is still good.
    if let Err(error) = sbom::write(workspace) {
        eprintln!("the list of crates was not written: {error:#}");
    }

    up_to_date::mark(&stamp_file, &word(workspace, &inputs)?)?;
    Ok(binary)
}

/// Builds what a browser may load, and returns its folder.
pub(crate) fn site(workspace: &Workspace) -> Result<PathBuf> {
    let browser = browser_half(workspace)?;
    let stylesheet = site::bundle(&workspace.path("style/main.css"))?;
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

/// The JavaScript that loads the module and lends it the browser.
pub(super) const JS: &str = "agent-keys.js";
/// The module that every page loads.
pub(super) const WASM: &str = "agent-keys_bg.wasm";
/// The JavaScript that loads the other parts when they are needed.
pub(super) const PARTS_JS: &str = "agent-keys-parts.js";

/// Compiles, splits and binds what changed, and returns the folder with everything that a browser may load of it.
fn browser_half(workspace: &Workspace) -> Result<PathBuf> {
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
