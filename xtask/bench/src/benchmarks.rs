//! The benchmarks, a row of the table each.

mod bench;
mod browser;
mod creations;
mod engine;
mod floors;
mod keys;
mod pages;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::report::Report;
use bench::Bench;

/// Measures everything, prints the table and writes it to a file.
pub(crate) async fn measure(binary: &Path, in_the_browser: &Path, file: &Path) -> Result<()> {
    let mut report = Report::default();
    let floor_a = floors::measure(&mut report).await?;
    {
        let bench = Bench::new(binary, "pages")?;
        pages::measure(&bench, &mut report).await?;
        browser::add(in_the_browser, &mut report)?;
        keys::measure(&bench, &mut report, floor_a).await?;
    }
    creations::measure(&Bench::new(binary, "creations")?, &mut report).await?;

    let table = report.markdown();
    println!("\n{table}");
    fs::write(file, &table).with_context(|| format!("{} cannot be written", file.display()))
}
