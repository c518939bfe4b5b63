//! The browser half: compiled to WebAssembly, bound to JavaScript, made small.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use super::toolchain::Toolchain;
use crate::command;
use crate::stamp::{self, Stamp};
use crate::workspace::Workspace;

/// The name that the files of the browser half begin with.
const NAME: &str = "agent-keys";

/// The browser half, ready to be served.
pub(super) struct Files {
    /// The JavaScript that loads the module and lends it the browser.
    pub(super) js: PathBuf,
    /// The module.
    pub(super) wasm: PathBuf,
    /// JavaScript that crates bring along and `js` imports; mostly there is none.
    pub(super) snippets: PathBuf,
}

/// Compiles and binds what changed.
pub(super) fn build(workspace: &Workspace) -> Result<Files> {
    let compiled = compile(workspace)?;
    let folder = workspace.target("browser");
    let files = Files {
        js: folder.join(format!("{NAME}.js")),
        wasm: folder.join(format!("{NAME}_bg.wasm")),
        snippets: folder.join("snippets"),
    };

    let optimiser = command::find("wasm-opt").filter(|optimiser| is_recent(optimiser));
    let mut stamp = Stamp::new(workspace)?;
    stamp
        .bytes(&fs::read(&compiled).with_context(|| format!("{} is missing", compiled.display()))?);
    if let Some(optimiser) = &optimiser {
        stamp.look(optimiser)?;
    }
    let word = stamp.word();
    let stamp_file = folder.join("stamp");
    if stamp::holds(&stamp_file, &word) && files.js.is_file() && files.wasm.is_file() {
        return Ok(files);
    }

    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    bind(&compiled, &folder)?;
    match optimiser {
        Some(optimiser) => optimise(&optimiser, &files.wasm)?,
        None => eprintln!(
            "no wasm-opt of version {OPTIMISER_VERSION_MIN} or later is on the PATH; \
             the module stays as the compiler made it"
        ),
    }
    stamp::set(&stamp_file, &word)?;
    Ok(files)
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

fn bind(compiled: &Path, folder: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(compiled)
        .out_name(NAME)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        // The page says where the module is, since only it knows the hashed name.
        .omit_default_module_path(true);
    bindgen.generate(folder).context(
        "the browser half could not be bound to JavaScript; \
         are wasm-bindgen and wasm-bindgen-cli-support of one version in Cargo.lock?",
    )
}

/// The oldest wasm-opt that is trusted. Version 108, which Debian has, runs without a word and mixes up
/// the module's two tables: the page then never answers.
const OPTIMISER_VERSION_MIN: u32 = 119;

fn is_recent(optimiser: &Path) -> bool {
    let output = Command::new(optimiser).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.ok()
        .and_then(|text| version(&text))
        .is_some_and(|version| version >= OPTIMISER_VERSION_MIN)
}

/// The number in `wasm-opt version 119 (version_119)`.
fn version(text: &str) -> Option<u32> {
    text.split_whitespace().nth(2)?.parse().ok()
}

/// Makes the module smaller, or leaves it as it is: an old wasm-opt may not know what a new
/// compiler uses, and a larger page is better than none.
fn optimise(optimiser: &Path, wasm: &Path) -> Result<()> {
    let optimised = wasm.with_extension("optimised");
    let result = command::run(
        Command::new(optimiser)
            .arg("-Oz")
            .args([
                "--enable-bulk-memory",
                "--enable-multivalue",
                "--enable-mutable-globals",
                "--enable-nontrapping-float-to-int",
                "--enable-reference-types",
                "--enable-sign-ext",
            ])
            .arg(wasm)
            .arg("-o")
            .arg(&optimised),
    );
    match result {
        Ok(()) => fs::rename(&optimised, wasm).context("the optimised module could not be moved"),
        Err(error) => {
            eprintln!("{error:#}; the module stays as the compiler made it");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn the_optimisers_version_is_read_from_its_own_words() {
        assert_eq!(version("wasm-opt version 108"), Some(108));
        assert_eq!(
            version("wasm-opt version 119 (version_119-12-g1a2b3c)\n"),
            Some(119)
        );
        assert_eq!(version("something else"), None);
    }
}
