//! `docs/requirements.md` and `docs/limits.md` against the tests that they name.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// A table of rules, each with its tests.
struct Table {
    file: &'static str,
    /// Beginning of its rows.
    row: &'static str,
    /// Number of the cell with the tests.
    tests: usize,
}

const REQUIREMENTS: Table = Table {
    file: "docs/requirements.md",
    row: "| R",
    tests: 3,
};
const LIMITS: Table = Table {
    file: "docs/limits.md",
    row: "| L",
    tests: 5,
};

/// Fails on a row that names no test, and on a named test that does not exist.
pub(super) fn prove_each_has_its_tests(workspace: &Workspace) -> Result<()> {
    let read = |file: &str| fs::read_to_string(workspace.path(file)).ok();
    for table in [&REQUIREMENTS, &LIMITS] {
        let Table { file, row, .. } = table;
        let text = read(file).with_context(|| format!("{file} cannot be read"))?;
        let (count, faults) = check(table, &text, read);
        if count == 0 {
            bail!("{file} has no row that begins with `{row}`");
        }
        if !faults.is_empty() {
            bail!("{file}:\n{}", faults.join("\n"));
        }
        println!("each of the {count} rows of {file} has its tests");
    }
    Ok(())
}

/// The number of rows, and what is wrong with them.
fn check(table: &Table, text: &str, read: impl Fn(&str) -> Option<String>) -> (usize, Vec<String>) {
    let mut faults = Vec::new();
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with(table.row))
        .collect();
    for row in &rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let number = cells.get(1).copied().unwrap_or_default();
        let mut file = None;
        let mut tests = 0;
        for name in cells
            .get(table.tests)
            .copied()
            .unwrap_or_default()
            .split('`')
            .skip(1)
            .step_by(2)
        {
            if name.ends_with(".rs") || name.ends_with(".ts") {
                file = read(name);
                if file.is_none() {
                    faults.push(format!("  {number}: there is no {name}"));
                }
                continue;
            }
            tests += 1;
            if file
                .as_deref()
                .is_some_and(|source| !has_test(source, name))
            {
                faults.push(format!("  {number}: there is no test `{name}` in its file"));
            }
        }
        if tests == 0 {
            faults.push(format!("  {number} names no test"));
        }
    }
    (rows.len(), faults)
}

/// Returns true if a Rust source declares the test, or a story has the title.
fn has_test(source: &str, name: &str) -> bool {
    let quoted = ['\'', '`'].map(|quote| format!("test({quote}{name}{quote}"));
    let declared = format!("fn {name}(");
    source.contains(&declared) || quoted.iter().any(|title| source.contains(title))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(row: &str) -> Vec<String> {
        let read = |file: &str| match file {
            "a.rs" => Some("#[test]\nfn one_holds() {}\nfn one() {}".to_owned()),
            "b.spec.ts" => Some("test('a story', async () => {".to_owned()),
            _ => None,
        };
        check(&REQUIREMENTS, row, read).1
    }

    #[test]
    fn requirement_with_its_tests_passes() {
        let row = "| R1 | Holds | `a.rs`: `one_holds`; `b.spec.ts`: `a story` | 3 of 3 |";
        assert!(faults(row).is_empty());
        assert!(faults("| | what | tests |\n| --- | --- | --- |").is_empty());
    }

    #[test]
    fn requirement_without_tests_is_named() {
        assert_eq!(faults("| R2 | Holds | | |"), ["  R2 names no test"]);
    }

    #[test]
    fn test_that_does_not_exist_is_named() {
        assert_eq!(
            faults("| R3 | Holds | `a.rs`: `two_holds` | |"),
            ["  R3: there is no test `two_holds` in its file"]
        );
        assert_eq!(
            faults("| R4 | Holds | `c.rs`: `one_holds` | |"),
            ["  R4: there is no c.rs"]
        );
    }
}
