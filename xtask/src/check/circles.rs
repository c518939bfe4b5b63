//! Import circles: files that import each other in a loop.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, bail};

use super::imports::{self, Imports};
use crate::workspace::Workspace;

/// The sources of every Rust crate.
const CRATES: [&str; 6] = [
    "app",
    "server",
    "embedded",
    "platform",
    "xtask",
    "xtask/bench",
];

/// Fails on a circle between the files of a Rust crate or of `end2end`.
pub(super) fn prove_none(workspace: &Workspace) -> Result<()> {
    let mut circles = Vec::new();
    for name in CRATES {
        let src = PathBuf::from(name).join("src");
        if workspace.path(name).is_dir() {
            let sources = imports::read_sources(workspace.root(), &format!("{name}/src"), "rs")?;
            circles.extend(describe(&imports::of_crate(&src, &sources)));
        }
    }
    let stories = imports::read_sources(workspace.root(), "end2end", "ts")?;
    circles.extend(describe(&imports::of_typescript(&stories)));
    if !circles.is_empty() {
        bail!(
            "files import each other in a circle:\n{}",
            circles.join("\n")
        );
    }
    println!("no import circle");
    Ok(())
}

/// One text for each circle: its files, and the imports between them.
fn describe(imports: &Imports) -> Vec<String> {
    find(imports)
        .iter()
        .map(|circle| {
            let mut text = format!("  {} files:", circle.len());
            for file in circle {
                for imported in imports[*file].iter().filter(|to| circle.contains(to)) {
                    text += &format!("\n    {} -> {}", file.display(), imported.display());
                }
            }
            text
        })
        .collect()
}

/// The circles: sets of two or more files, each of which is reachable from each other.
fn find(imports: &Imports) -> Vec<BTreeSet<&PathBuf>> {
    let reachable = |from: &PathBuf| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&PathBuf> = imports.get(from).into_iter().flatten().collect();
        while let Some(file) = open.pop() {
            if seen.insert(file) {
                open.extend(imports.get(file).into_iter().flatten());
            }
        }
        seen
    };
    let mut circles: Vec<BTreeSet<&PathBuf>> = Vec::new();
    for file in imports.keys() {
        if circles.iter().any(|circle| circle.contains(file)) {
            continue;
        }
        let from = reachable(file);
        if !from.contains(file) {
            continue;
        }
        let circle: BTreeSet<_> = from
            .into_iter()
            .filter(|other| reachable(other).contains(file))
            .collect();
        circles.push(circle);
    }
    circles
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn imports(arrows: &[(&str, &[&str])]) -> Imports {
        arrows
            .iter()
            .map(|(from, to)| (PathBuf::from(from), to.iter().map(PathBuf::from).collect()))
            .collect::<BTreeMap<_, _>>()
    }

    #[test]
    fn circle_of_three_is_found_once_with_its_imports() {
        let imports = imports(&[
            ("a", &["b"]),
            ("b", &["c", "d"]),
            ("c", &["a"]),
            ("d", &["e"]),
            ("e", &[]),
        ]);
        assert_eq!(
            describe(&imports),
            ["  3 files:\n    a -> b\n    b -> c\n    c -> a"]
        );
    }

    #[test]
    fn two_separate_circles_are_two() {
        let imports = imports(&[
            ("a", &["b"]),
            ("b", &["a", "c"]),
            ("c", &["d"]),
            ("d", &["c"]),
        ]);
        assert_eq!(find(&imports).len(), 2);
    }

    #[test]
    fn imports_in_one_direction_are_no_circle() {
        let imports = imports(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]);
        assert!(find(&imports).is_empty());
    }
}
