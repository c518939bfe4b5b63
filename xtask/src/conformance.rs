//! `cargo xtask conformance`: checks any Elasticsearch against the contract, and the application against it.
//!
//! The tests themselves do it: those of the engine in a namespace of their own, and the application's story.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command;
use crate::workspace::Workspace;

/// The cluster to check. The password stays in its file.
#[derive(Debug, PartialEq)]
struct Arguments {
    elasticsearch: String,
    username: String,
    password_file: PathBuf,
    ca_file: Option<PathBuf>,
    cleanup: bool,
}

/// Runs the portable conformance tests, then the application's story.
pub(crate) fn conformance(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let arguments = parse(arguments)?;
    let conformance = |test| run(workspace, &arguments, ["embedded", "conformance", test]);
    conformance("run::shared_cluster_is_checked_before_any_change")?;
    let contract = conformance("run::contract_holds_in_a_shared_cluster");
    if arguments.cleanup {
        return contract;
    }
    let story = "conformance::application_works_with_a_shared_cluster";
    contract.and(run(workspace, &arguments, ["server", "stories", story]))
}

fn run(
    workspace: &Workspace,
    arguments: &Arguments,
    [package, binary, test]: [&str; 3],
) -> Result<()> {
    let mut command = command::cargo(workspace);
    command
        .args(["test", "--quiet", "--package", package, "--test", binary])
        .args(["--", "--exact", test, "--nocapture"])
        .env("AGENT_KEYS_CONFORMANCE_URL", &arguments.elasticsearch)
        .env("AGENT_KEYS_CONFORMANCE_USERNAME", &arguments.username)
        .env(
            "AGENT_KEYS_CONFORMANCE_PASSWORD_FILE",
            absolute(&arguments.password_file)?,
        )
        .env_remove("RUST_BACKTRACE");
    if let Some(file) = &arguments.ca_file {
        command.env("AGENT_KEYS_CONFORMANCE_CA_FILE", absolute(file)?);
    }
    if arguments.cleanup {
        command.env("AGENT_KEYS_CONFORMANCE_CLEANUP", "true");
    }
    command::run(&mut command)
}

/// Cargo starts tests in the folder of their package.
fn absolute(file: &Path) -> Result<PathBuf> {
    file.canonicalize()
        .with_context(|| format!("{} cannot be read", file.display()))
}

fn parse(arguments: &[String]) -> Result<Arguments> {
    let (mut elasticsearch, mut username, mut password_file) = (None, None, None);
    let (mut ca_file, mut cleanup) = (None, false);
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let slot = match name.as_str() {
            "--elasticsearch" => &mut elasticsearch,
            "--username" => &mut username,
            "--password-file" => &mut password_file,
            "--ca-file" => &mut ca_file,
            "--cleanup" => {
                cleanup = true;
                continue;
            }
            "--password" => {
                bail!("a password on the command line can be seen by others; use --password-file")
            }
            _ => bail!("`cargo xtask conformance` does not know `{name}`"),
        };
        let value = arguments.next();
        *slot = Some(value.with_context(|| format!("{name} needs a value"))?);
    }
    Ok(Arguments {
        elasticsearch: elasticsearch
            .context("--elasticsearch URL is missing")?
            .clone(),
        username: username.context("--username NAME is missing")?.clone(),
        password_file: password_file
            .context("--password-file FILE is missing")?
            .into(),
        ca_file: ca_file.map(PathBuf::from),
        cleanup,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_cluster_is_named_with_its_user_and_a_password_file() {
        let line = "--elasticsearch https://es:9200 --username elastic --password-file p --ca-file c --cleanup";
        let expected = Arguments {
            elasticsearch: "https://es:9200".to_owned(),
            username: "elastic".to_owned(),
            password_file: "p".into(),
            ca_file: Some("c".into()),
            cleanup: true,
        };
        assert_eq!(parse(&words(line)).unwrap(), expected);
    }

    #[test]
    fn a_missing_or_unknown_argument_is_named() {
        for (line, said) in [
            ("", "--elasticsearch URL is missing"),
            ("--elasticsearch u", "--username NAME is missing"),
            ("--elasticsearch", "--elasticsearch needs a value"),
            ("--nonsense", "`--nonsense`"),
            ("--password secret", "--password-file"),
        ] {
            let error = parse(&words(line)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            assert!(!error.contains("secret"));
        }
    }
}
