//! The floors of `server`: a module imports only from floors below its own.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};

use super::imports::{self, Imports};
use crate::workspace::Workspace;

const SRC: &str = "server/src";

/// The modules of `server` from top to bottom, a floor a line. A file with an entry of its own, such as `audit/query`,
/// stands on that floor, and the rest of its folder on the floor of the folder. Modules on one floor do not import each
/// other.
const FLOORS: &[&[&str]] = &[
    &["main", "lib"],
    &["application", "doctor"],
    &["backup", "maintenance", "http"],
    &["database"],
    &["backend"],
    &["apm_settings", "users", "viewer"],
    &["keys"],
    &["role"],
    &[
        "audit/anchors",
        "audit/export",
        "audit/forward",
        "audit/query",
        "audit/verify",
        "sessions/lookup",
        "sessions/manage",
        "sessions/sign_in",
    ],
    &["ledger"],
    &["context"],
    &["error"],
    &[
        "data_lock",
        "health",
        "log",
        "made_elsewhere",
        "sessions/rate_limit",
    ],
    &["store"],
    &["sessions"],
    &["audit"],
    &["access"],
    &["elasticsearch"],
    &["certificate"],
    &["config"],
    &["credential", "identifier", "metrics", "request_id"],
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
    let floor_of = |file: &Path| {
        let module = module(file);
        let whole = floor_of.get(module.as_str());
        whole.or_else(|| floor_of.get(folder(&module))).copied()
    };
    let mut faults = Vec::new();
    for (file, imported) in imports {
        let Some(floor) = floor_of(file) else {
            faults.push(format!("  {} has no floor", file.display()));
            continue;
        };
        for other in imported {
            let is_up = floor_of(other).is_some_and(|other_floor| {
                let is_sideways =
                    other_floor == floor && folder(&module(other)) != folder(&module(file));
                other_floor < floor || is_sideways
            });
            if is_up {
                faults.push(format!("  {} -> {}", file.display(), other.display()));
            }
        }
    }
    faults
}

/// The path of a module below the crate: `store/sessions` for `server/src/store/sessions.rs`.
fn module(file: &Path) -> String {
    let relative = file.strip_prefix(SRC).unwrap_or(file).with_extension("");
    relative.to_string_lossy().into_owned()
}

/// The folder of a module, which is itself for a module directly below the crate.
fn folder(module: &str) -> &str {
    module.split('/').next().unwrap_or(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: &[&[&str]] = &[
        &["main", "lib"],
        &["http"],
        &["keys", "users", "audit/query"],
        &["store"],
        &["audit"],
    ];

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
    fn file_with_a_floor_of_its_own_is_not_on_that_of_its_folder() {
        assert!(faults("audit/query.rs", "store.rs").is_empty());
        assert!(faults("store.rs", "audit/event.rs").is_empty());
        let up = "  server/src/audit/event.rs -> server/src/audit/query.rs";
        assert_eq!(faults("audit/event.rs", "audit/query.rs"), [up]);
    }

    #[test]
    fn module_without_a_floor_is_named() {
        assert_eq!(
            faults("cellar.rs", "store.rs"),
            ["  server/src/cellar.rs has no floor"]
        );
    }
}
