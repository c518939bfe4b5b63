//! The project's own commands, run as `cargo xtask COMMAND`.
//!
//! One command is one file, and each is useful on a machine that has nothing but Rust:
//! what else a command needs, it sets up itself or names in its error.

mod bench;
mod build;
mod check;
mod conformance;
mod run;
mod sbom;
mod soak;
mod test;

mod command;
mod debian;
mod go;
mod java;
mod playwright;
mod up_to_date;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::workspace::Workspace;

const HELP: &str = "\
The project's own commands.

cargo xtask build           makes target/release/agent-keys, with the site inside
cargo xtask sbom            lists its crates in target/release/agent-keys.cdx.json
cargo xtask run [ARGS…]     builds, then starts it: agent-keys serve ARGS…
cargo xtask test [STAGES…]  sets up what is missing, then runs every test;
                            stages: check, rust, end2end
cargo xtask setup           installs what the stories need
cargo xtask check           requirements, format, lints, what the browser loads
cargo xtask conformance --elasticsearch URL --username NAME --password-file FILE [--ca-file FILE] [--cleanup]
                            checks any Elasticsearch against the contract; see docs/conformance.md
cargo xtask soak [FAULTS [SEED]]
                            faults under load against the release binary (100), then its promises
cargo xtask bench           measures the release binary, into target/bench.md
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some((command, rest)) = arguments.split_first() else {
        bail!("a command is missing\n\n{HELP}");
    };
    if !matches!(command.as_str(), "run" | "test" | "conformance" | "soak") && !rest.is_empty() {
        bail!("`cargo xtask {command}` takes no arguments.\n\n{HELP}");
    }
    let workspace = Workspace::find()?;
    match command.as_str() {
        "build" => build::build(&workspace).map(|binary| println!("{}", binary.display())),
        "sbom" => sbom::write(&workspace).map(|file| println!("{}", file.display())),
        "run" => run::run(&workspace, rest),
        "test" => test::test(&workspace, rest),
        "setup" => test::set_up(&workspace),
        "check" => check::check(&workspace),
        "conformance" => conformance::conformance(&workspace, rest),
        "soak" => soak::soak(&workspace, rest),
        "bench" => bench::bench(&workspace),
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(())
        }
        _ => bail!("there is no command `{command}`.\n\n{HELP}"),
    }
}
