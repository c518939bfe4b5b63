//! Measures the release binary against two floors in the same run.
//!
//! `bench BINARY BROWSER REPORT` starts the floors and the binary, each as a process of its own,
//! drives them over loopback, adds the rows that were measured in a browser, prints a table and
//! writes it to `REPORT`. Every measurement is bounded in
//! count or in time. Nothing is asserted: machines differ, and the ratios are for people to read.

mod benchmarks;
mod browser_client;
mod client;
mod floor;
mod load;
mod process;
mod report;
mod stock;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["floor-a"] => runtime()?.block_on(floor::constant()),
        ["floor-b", file] => runtime()?.block_on(floor::indexed_read(Path::new(file))),
        [binary, browser, report] => {
            // One thread, so that the load takes one core at most and leaves the other to the server.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let [binary, browser, report] = [binary, browser, report].map(Path::new);
            runtime.block_on(benchmarks::measure(binary, browser, report))
        }
        _ => bail!("run `cargo xtask bench`"),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new().context("the runtime could not be started")
}
