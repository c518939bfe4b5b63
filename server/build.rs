//! Puts the built site into the server.
//!
//! `cargo xtask build` names the site's folder in `AGENT_KEYS_SITE_DIR`. Without it the table of
//! assets is empty, so that the server compiles and its tests run where no site was built.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const SITE: &str = "AGENT_KEYS_SITE_DIR";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={SITE}");

    let mut table = String::from("&[\n");
    if let Some(site) = env::var_os(SITE) {
        let package = Path::new(&site).join("pkg");
        if !package.is_dir() {
            return Err(format!(
                "{SITE} names {}, where there is no folder `pkg`; `cargo xtask build` makes one",
                site.display()
            )
            .into());
        }
        println!("cargo::rerun-if-changed={}", Path::new(&site).display());
        for path in files_below(&package)? {
            // The compressed siblings belong to the entry of the file they were made of.
            if !is_sibling(&path) {
                add_entry(&mut table, &package, &path)?;
            }
        }
    }
    table.push_str("]\n");
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR for build scripts")?;
    fs::write(Path::new(&out).join("site_assets.rs"), table)?;
    Ok(())
}

fn add_entry(table: &mut String, package: &Path, path: &Path) -> Result<(), Box<dyn Error>> {
    let name = path
        .strip_prefix(package)?
        .to_str()
        .ok_or("a file of the site is not named in UTF-8")?;
    writeln!(
        table,
        "    Asset {{ path: {name:?}, content_type: {:?}, identity: include_bytes!({path:?}), brotli: {}, gzip: {} }},",
        content_type(name),
        sibling(path, "br"),
        sibling(path, "gz"),
    )?;
    Ok(())
}

/// The Rust expression for the compressed sibling of a file, which not every file has.
fn sibling(path: &Path, suffix: &str) -> String {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    let sibling = PathBuf::from(name);
    if sibling.is_file() {
        format!("Some(include_bytes!({sibling:?}))")
    } else {
        "None".to_owned()
    }
}

fn is_sibling(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "br" || extension == "gz")
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "css" => "text/css; charset=utf-8",
        "ico" => "image/x-icon",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_below(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
