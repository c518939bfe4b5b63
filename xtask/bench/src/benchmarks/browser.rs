//! What a person waits for, measured in a real browser by `end2end/measure`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::report::Report;

/// Adds the rows of the file: an array of objects with `what`, `milliseconds` and `goal`.
pub(super) fn add(file: &Path, report: &mut Report) -> Result<()> {
    let garbled = || format!("{} is missing or garbled", file.display());
    let text = fs::read_to_string(file).with_context(garbled)?;
    let rows: Vec<Value> = serde_json::from_str(&text).with_context(garbled)?;
    for row in rows {
        let what = row["what"].as_str().with_context(garbled)?;
        let milliseconds = row["milliseconds"].as_f64().with_context(garbled)?;
        let goal = row["goal"].as_str().with_context(garbled)?;
        report.add(what, format!("{milliseconds:.1} ms"), goal);
    }
    Ok(())
}
