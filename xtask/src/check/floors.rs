//! The floors of `server`: a module imports only from floors below its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::imports::{self, Imports};
use crate::workspace::Workspace;

const SRC: &str = "server/src";

/// The modules of `server` from top to bottom, a floor a line. Modules on one floor do not import each other.
const FLOORS: &[&[&str]] = &[
    &["main", "lib"],
    &["application"],
    &["backup", "housekeeping", "http"],
    &["backend"],
    &["apm", "users", "viewer"],
    &["agent_keys", "role"],
    &["sessions"],
    &["ledger"],
    &["context"],
    &["error"],
    &["audit"],
    &["store"],
    &["access"],
    &["elasticsearch"],
    &["config"],
    &["credential", "metrics", "random", "request_id"],
    &["clock"],
];

/// Fails on an import of a higher floor, and on a module that has no floor.
pub(super) fn prove_no_arrow_up(workspace: &Workspace) -> Result<()> {
    let sources = imports::read_sources(workspace.root(), SRC, "rs")?;
    let faults = arrows_up(FLOORS, &imports::of_crate(Path::new(SRC), &sources));
    if !faults.is_empty() {
        bail!(
            "`server` has floors, listed in xtask/src/check/floors.rs, and imports go down alone:\n{}",
            faults.join("\n")
        );
    }
    println!("no import of `server` goes up a floor");
    Ok(())
}

fn arrows_up(floors: &[&[&str]], imports: &Imports) -> Vec<String> {
    let floor_of: BTreeMap<&str, usize> = floors
        .iter()
        .enumerate()
        .flat_map(|(floor, modules)| modules.iter().map(move |module| (*module, floor)))
        .collect();
    let mut faults = Vec::new();
    for (file, imported) in imports {
        let module = top_module(file);
        let Some(floor) = floor_of.get(module.as_str()) else {
            faults.push(format!("  {} has no floor", file.display()));
            continue;
        };
        for other in imported {
            let above = top_module(other);
            let is_up = floor_of
                .get(above.as_str())
                .is_some_and(|other| other <= floor);
            if is_up && above != module {
                faults.push(format!("  {} -> {}", file.display(), other.display()));
            }
        }
    }
    faults
}

/// The module directly below the crate to which a file belongs: `store` for `server/src/store/sessions.rs`.
fn top_module(file: &Path) -> String {
    let relative: PathBuf = file.strip_prefix(SRC).unwrap_or(file).with_extension("");
    let first = relative.components().next();
    first.map_or_else(String::new, |part| {
        part.as_os_str().to_string_lossy().into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: &[&[&str]] = &[&["main", "lib"], &["http"], &["keys", "users"], &["store"]];

    fn faults(from: &str, to: &str) -> Vec<String> {
        let file = |name: &str| Path::new(SRC).join(name);
        arrows_up(HOUSE, &Imports::from([(file(from), [file(to)].into())]))
    }

    #[test]
    fn import_goes_down_or_stays_in_its_module() {
        assert!(faults("http.rs", "store/open.rs").is_empty());
        assert!(faults("keys/create.rs", "keys.rs").is_empty());
    }

    #[test]
    fn import_that_goes_up_or_sideways_is_named() {
        let up = "  server/src/store/open.rs -> server/src/http.rs";
        assert_eq!(faults("store/open.rs", "http.rs"), [up]);
        let sideways = "  server/src/users.rs -> server/src/keys.rs";
        assert_eq!(faults("users.rs", "keys.rs"), [sideways]);
    }

    #[test]
    fn module_without_a_floor_is_named() {
        assert_eq!(
            faults("cellar.rs", "store.rs"),
            ["  server/src/cellar.rs has no floor"]
        );
    }
}
