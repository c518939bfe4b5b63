//! `cargo xtask test`: sets up what is missing, then runs every check and test.
//!
//! Every stage runs even when one before it failed, so that one run shows all failures.
//!
//! The server is compiled once, without optimization: its tests and the stories share one binary, with the site inside.
//! What the stories need besides is installed in the background from the start, at the lowest priority, so that it takes
//! only the processor time that the other stages leave.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::up_to_date::{self, Inputs};
use crate::workspace::Workspace;
use crate::{build, check, command, debian, go, java, playwright};

/// A part of the tests that can run alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Check,
    Rust,
    EndToEnd,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Check, Self::Rust, Self::EndToEnd];

    fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Rust => "rust",
            Self::EndToEnd => "end2end",
        }
    }

    fn promise(self) -> &'static str {
        match self {
            Self::Check => "requirements, format, lints",
            Self::Rust => "unit and integration tests of every crate",
            Self::EndToEnd => {
                "the first load, then stories in three browsers, with real agents and clients"
            }
        }
    }

    fn run(self, workspace: &Workspace) -> Result<()> {
        match self {
            Self::Check => check::check_sources(workspace),
            Self::Rust => rust(workspace),
            Self::EndToEnd => end_to_end(workspace),
        }
    }
}

/// Runs the stages named, or all.
pub(crate) fn test(workspace: &Workspace, names: &[String]) -> Result<()> {
    let stages = parse(names)?;
    println!("These tests will run:");
    for stage in &stages {
        println!("  {:8} {}", stage.name(), stage.promise());
    }

    let mut background = if stages.len() > 1 && stages.contains(&Stage::EndToEnd) {
        Some(Background::start(workspace)?)
    } else {
        None
    };
    let mut outcomes = Vec::new();
    for stage in stages {
        println!("\n== {} ==", stage.name());
        let start = Instant::now();
        if let Some(background) = background.take_if(|_| stage == Stage::EndToEnd) {
            background.finish()?;
        }
        let result = stage.run(workspace);
        if let Err(error) = &result {
            eprintln!("error: {error:#}");
        }
        outcomes.push((stage, result.is_ok(), start.elapsed()));
    }

    println!();
    for (stage, passed, took) in &outcomes {
        println!("{}", outcome(*stage, *passed, *took));
    }
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|(_, passed, _)| !passed)
        .map(|(stage, ..)| stage.name())
        .collect();
    if !failed.is_empty() {
        bail!("failed: {}; the reasons are above", failed.join(", "));
    }
    Ok(())
}

fn outcome(stage: Stage, passed: bool, took: Duration) -> String {
    let seconds = took.as_secs();
    let verdict = if passed { "passed" } else { "failed" };
    format!(
        "{:8} {verdict} after {} min {} s",
        stage.name(),
        seconds / 60,
        seconds % 60
    )
}

fn parse(names: &[String]) -> Result<Vec<Stage>> {
    if names.is_empty() {
        return Ok(Stage::ALL.to_vec());
    }
    names
        .iter()
        .map(|name| {
            Stage::ALL
                .into_iter()
                .find(|stage| stage.name() == name)
                .with_context(|| {
                    format!(
                        "there is no stage `{name}`; the stages are {}",
                        Stage::ALL.map(Stage::name).join(", ")
                    )
                })
        })
        .collect()
}

fn rust(workspace: &Workspace) -> Result<()> {
    install_tools()?;
    // Alone, xtask's tests share what was compiled to run xtask; among the others, cargo would
    // join everybody's features and compile its large dependencies again.
    let own = command::run(command::cargo(workspace).args(["test", "--package", "xtask"]));
    let others = command::run(cargo_test(workspace)?.arg("--no-fail-fast"));
    own.and(others)
}

/// `cargo test` for everything but xtask, which also compiles the binary, with the site inside.
fn cargo_test(workspace: &Workspace) -> Result<Command> {
    let site = build::site(workspace)?;
    let mut cargo = command::cargo(workspace);
    cargo
        .args(["test", "--workspace", "--exclude", "xtask"])
        .env(build::SITE_VARIABLE, site);
    if env::var_os("RUST_TEST_THREADS").is_none() {
        // The tests wait more than they compute.
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        cargo.env("RUST_TEST_THREADS", (2 * processors).to_string());
    }
    Ok(cargo)
}

/// Installs what the stories need.
pub(crate) fn set_up(workspace: &Workspace) -> Result<()> {
    let folder = workspace.path("end2end");
    playwright::install(workspace)?;
    install_python_packages(&folder)?;
    java::prepare(&folder)?;
    install_tools()?;
    playwright::chromium()?;
    playwright::firefox()?;
    playwright::install_webkit()?;
    // The slowest to compile.
    go::prepare(&folder)
}

fn end_to_end(workspace: &Workspace) -> Result<()> {
    set_up(workspace)?;
    let chromium = playwright::chromium()?;
    let firefox = playwright::firefox()?;
    command::run(cargo_test(workspace)?.arg("--no-run"))?;
    let binary = workspace.binary("debug");
    let first_load = check::check_first_load(workspace);
    let mut stories = playwright::test(workspace, &binary, &chromium);
    if let Some(firefox) = firefox {
        stories.env("FIREFOX", firefox);
    }
    let words = PARTS
        .iter()
        .map(|part| part.word(workspace))
        .collect::<Result<Vec<_>>>()?;
    let mut unchanged = Vec::new();
    for (part, word) in PARTS.iter().zip(&words) {
        let stamp_file = part.stamp_file(workspace);
        if up_to_date::is(&stamp_file, word) {
            println!(
                "{} passed with what they depend on now; to run them again, remove {}",
                part.tests,
                stamp_file.display()
            );
            unchanged.push(part.name);
        }
    }
    stories.env("AGENT_KEYS_UNCHANGED", unchanged.join(","));
    let stories = command::run(&mut stories);
    if stories.is_ok() {
        for (part, word) in PARTS.iter().zip(&words) {
            up_to_date::mark(&part.stamp_file(workspace), word)?;
        }
    }
    first_load.and(stories)
}

/// A part of the stories that is not run again while what it depends on is unchanged. Stories in Chromium and the tests of
/// the server show what a change of the server does.
struct Part {
    name: &'static str,
    tests: &'static str,
    /// Besides what every stamp begins with.
    inputs: &'static [&'static str],
}

const PARTS: [Part; 2] = [
    Part {
        name: "agents",
        tests: "agents and clients",
        inputs: &[
            "app",
            "embedded",
            "platform",
            "end2end/.go",
            "end2end/.java",
            "end2end/agents",
            "end2end/clients",
            "end2end/fake-apm-server",
            "end2end/fixtures",
            "end2end/package-lock.json",
            "end2end/pages",
            "end2end/playwright.config.ts",
            "end2end/stories/real-agents.spec.ts",
        ],
    },
    Part {
        name: "pages",
        tests: "the looks of pages, and stories in Firefox and WebKitGTK,",
        inputs: &[
            "app",
            "style",
            "end2end/fixtures",
            "end2end/package-lock.json",
            "end2end/pages",
            "end2end/playwright.config.ts",
            "end2end/stories",
            "end2end/webkit",
        ],
    },
];

impl Part {
    fn word(&self, workspace: &Workspace) -> Result<String> {
        let mut inputs = Inputs::new(workspace)?;
        for input in self.inputs {
            inputs.look(&workspace.path(input))?;
        }
        Ok(inputs.word())
    }

    fn stamp_file(&self, workspace: &Workspace) -> PathBuf {
        workspace.target(&format!("{}.stamp", self.name))
    }
}

/// `cargo xtask setup` in a process of its own, with the lowest priority.
struct Background {
    child: Child,
    log: PathBuf,
}

impl Background {
    fn start(workspace: &Workspace) -> Result<Self> {
        fs::create_dir_all(workspace.target_folder())
            .context("the target folder cannot be made")?;
        let log = workspace.target("setup.log");
        let output = File::create(&log).context("the log of the set-up cannot be written")?;
        let own = env::current_exe().context("xtask's own program cannot be found")?;
        let mut command = if command::find("nice").is_some() {
            let mut nice = Command::new("nice");
            nice.args(["-n", "19"]).arg(own);
            nice
        } else {
            Command::new(own)
        };
        let child = command
            .arg("setup")
            .stdout(output.try_clone().context("the log cannot be shared")?)
            .stderr(output)
            .spawn()
            .context("the set-up cannot be started")?;
        println!(
            "in the background: cargo xtask setup, into {}",
            log.display()
        );
        Ok(Self { child, log })
    }

    /// Waits for the end. A failure is shown with its log; the stage then repeats the step that failed.
    fn finish(mut self) -> Result<()> {
        let status = self.child.wait().context("the set-up has no status")?;
        if !status.success() {
            eprintln!("the set-up failed ({status}):");
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
        Ok(())
    }
}

/// The majors of the Python client. Both are one package, so each has a folder of its own.
const PYTHON_CLIENTS: [&str; 2] = ["8", "9"];

/// Installs the Python agent and the Python clients, unless they are there already.
fn install_python_packages(folder: &Path) -> Result<()> {
    let environment = folder.join(".venv");
    install_requirements(
        folder,
        "agents/python/requirements.txt",
        &environment,
        || {
            make_python_environment(&environment)?;
            Ok(Vec::new())
        },
    )?;
    for major in PYTHON_CLIENTS {
        let requirements = format!("clients/python/elasticsearch-{major}.txt");
        let target = folder.join("clients/python/.targets").join(major);
        install_requirements(folder, &requirements, &target, || {
            Ok(vec![
                "--upgrade".into(),
                "--target".into(),
                target.clone().into(),
            ])
        })?;
    }
    Ok(())
}

/// Installs a list of Python packages with the options that `prepare` returns.
fn install_requirements(
    folder: &Path,
    requirements: &str,
    target: &Path,
    prepare: impl FnOnce() -> Result<Vec<OsString>>,
) -> Result<()> {
    let word = up_to_date::of_file(&folder.join(requirements))?;
    let stamp_file = target.join(".requirements-digest");
    if up_to_date::is(&stamp_file, &word) {
        return Ok(());
    }
    let options = prepare()?;
    command::run(
        Command::new(folder.join(".venv/bin/pip"))
            .args(["install", "--quiet", "--requirement"])
            .arg(folder.join(requirements))
            .args(options),
    )
    .with_context(|| format!("the packages of end2end/{requirements} could not be installed"))?;
    up_to_date::mark(&stamp_file, &word)
}

/// Debian's packages that the tests start: reverse proxies, what makes their certificate, and what watches the disk.
/// Each has the name of its program.
const TOOLS: [&str; 5] = ["nginx", "haproxy", "caddy", "openssl", "strace"];

/// Where Debian's PostgreSQL has its programs, a folder for each version.
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// Installs what the tests start, where this process may. Without one of them, its tests in Rust fail, and its stories
/// are skipped.
fn install_tools() -> Result<()> {
    // On Debian some of them are in `/usr/sbin`, which is not in every user's path.
    let is_missing = |program: &&str| {
        command::find(program).is_none() && !Path::new("/usr/sbin").join(program).exists()
    };
    let mut missing: Vec<&str> = TOOLS.into_iter().filter(is_missing).collect();
    if env::var_os("AGENT_KEYS_TEST_POSTGRES_URL").is_none() && !Path::new(POSTGRESQL).exists() {
        missing.push("postgresql");
    }
    if missing.is_empty() {
        return Ok(());
    }
    if !debian::can_install() {
        eprintln!("some tests need {}", missing.join(", "));
        return Ok(());
    }
    debian::install(&missing)
}

/// Debian keeps the module that makes environments in a package of its own.
fn make_python_environment(environment: &Path) -> Result<()> {
    let make = || {
        command::run(
            Command::new("python3")
                .args(["-m", "venv"])
                .arg(environment),
        )
    };
    if make().is_ok() {
        return Ok(());
    }
    if !debian::can_install() {
        bail!("the stories need Python 3 with its venv module; install both, then try again");
    }
    debian::install(&["python3", "python3-venv"])?;
    make()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_argument_runs_every_stage() {
        assert_eq!(parse(&[]).unwrap(), Stage::ALL);
    }

    #[test]
    fn argument_names_a_stage() {
        assert_eq!(parse(&["end2end".to_owned()]).unwrap(), [Stage::EndToEnd]);
    }

    #[test]
    fn unknown_stage_is_refused_with_the_known_ones() {
        let error = parse(&["e2e".to_owned()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no stage `e2e`; the stages are check, rust, end2end"
        );
    }

    /// A path that does not exist would count as unchanged.
    #[test]
    fn inputs_of_parts_exist() {
        let workspace = Workspace::find().unwrap();
        for input in PARTS.iter().flat_map(|part| part.inputs) {
            let is_installed = input.starts_with("end2end/.");
            assert!(is_installed || workspace.path(input).exists(), "{input}");
        }
    }

    #[test]
    fn outcome_has_the_time_it_took() {
        assert_eq!(
            outcome(Stage::Rust, true, Duration::from_secs(125)),
            "rust     passed after 2 min 5 s"
        );
    }
}
