//! `cargo xtask soak`: the long versions of the fault and race tests, and the table of what they showed.
//!
//! A test says what it showed in a line of its own, such as `R16 pass 50/50 seed=-`. The table in
//! `docs/requirements.md` is made of these lines, so it promises nothing that was not seen.

mod promises;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::workspace::Workspace;
use promises::{PROMISES, Promise};

/// What the tests said, by the number of the requirement.
type Said = BTreeMap<u32, Vec<String>>;

/// Runs the tests at length and writes the table.
pub(crate) fn soak(workspace: &Workspace) -> Result<()> {
    let mut tests = command::cargo(workspace);
    tests
        .args(["test", "--package", "server", "--test", "stories"])
        .args(["--package", "embedded", "--test", "conformance"])
        // The parsers' own tests are beside them.
        .arg("--lib")
        .args(["--", "--nocapture"])
        .env("AGENT_KEYS_SOAK", "1")
        .stdout(Stdio::piped());
    let mut child = tests.spawn().context("cargo cannot be started")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut said = Said::new();
    for line in BufReader::new(output).lines() {
        let line = line.context("the tests' output cannot be read")?;
        println!("{line}");
        if let Some((number, words)) = read(&line) {
            said.entry(number).or_default().push(words);
        }
    }
    if !child.wait()?.success() {
        bail!("a test failed; the table stays as it was");
    }
    let file = workspace.path("docs/requirements.md");
    fs::create_dir_all(workspace.path("docs")).context("the folder docs cannot be made")?;
    fs::write(&file, table(&said))
        .with_context(|| format!("{} cannot be written", file.display()))?;
    println!("written to {}", file.display());
    Ok(())
}

/// The requirement and what was said of it, if a line says something of one.
fn read(line: &str) -> Option<(u32, String)> {
    // With one thread, the name of the test stands before its first line.
    let line = line.rsplit_once(" ... ").map_or(line, |(_, said)| said);
    let (id, words) = line.split_once(' ')?;
    let number = id.strip_prefix('R')?.parse().ok()?;
    let said = words.starts_with("pass ") || words.starts_with("fail ");
    said.then(|| (number, words.to_owned()))
}

fn table(said: &Said) -> String {
    let mut table = String::from(
        "# What is promised, and what was seen\n\n\
         Made by `cargo xtask soak` from the lines that the tests print. A requirement without a line is not \
         promised yet, whatever the code already does.\n\n\
         | | what | last seen |\n| --- | --- | --- |\n",
    );
    for Promise { number, what } in PROMISES {
        let seen = match said.get(number) {
            Some(lines) => lines.join("; "),
            None => "not shown".to_owned(),
        };
        // Writing into a text cannot fail.
        let _ = writeln!(table, "| R{number} | {what} | {seen} |");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tests_line_is_read_and_others_are_not() {
        let read = |line| read(line).map(|(number, _)| number);
        assert_eq!(read("R16 pass 50/50 seed=-"), Some(16));
        assert_eq!(
            read("test ledger::killed ... R1 pass 12/12 seed=7"),
            Some(1)
        );
        assert_eq!(read("test list::R1 ... ok"), None);
        assert_eq!(read("Running tests"), None);
    }

    #[test]
    fn a_requirement_without_a_line_is_not_promised() {
        let said = Said::from([(1, vec!["pass 200/200 seed=7".to_owned()])]);
        let table = table(&said);
        assert!(table.contains("| pass 200/200 seed=7 |"));
        assert_eq!(table.matches("| not shown |").count(), PROMISES.len() - 1);
    }
}
