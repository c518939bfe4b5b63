//! The table: what was measured, beside what was wished for.

use std::fmt::Write as _;
use std::time::Duration;

/// A row of the table.
struct Row {
    what: String,
    measured: String,
    goal: String,
}

/// Rows in the order they were measured.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds a row, and says it at once: the whole takes minutes.
    pub(crate) fn add(&mut self, what: impl Into<String>, measured: impl Into<String>, goal: &str) {
        let row = Row {
            what: what.into(),
            measured: measured.into(),
            goal: goal.to_owned(),
        };
        eprintln!("{}: {}", row.what, row.measured);
        self.rows.push(row);
    }

    /// The table in Markdown, readable as it stands.
    pub(crate) fn markdown(&self) -> String {
        let width = |cell: fn(&Row) -> &str, title: &str| {
            self.rows
                .iter()
                .map(|row| cell(row).chars().count())
                .chain([title.len()])
                .max()
                .unwrap_or(0)
        };
        let what = width(|row| &row.what, "what");
        let measured = width(|row| &row.measured, "measured");
        let goal = width(|row| &row.goal, "goal");
        let mut table = String::new();
        let mut line = |a: &str, b: &str, c: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(table, "| {a:what$} | {b:>measured$} | {c:>goal$} |");
        };
        line("what", "measured", "goal");
        line(&"-".repeat(what), &"-".repeat(measured), &"-".repeat(goal));
        for row in &self.rows {
            line(&row.what, &row.measured, &row.goal);
        }
        table
    }
}

/// A time, in the unit people compare it in.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_line_up() {
        let mut report = Report::default();
        report.add(
            "start to ready",
            milliseconds(Duration::from_micros(12_340)),
            "≤ 150 ms",
        );
        assert_eq!(
            report.markdown(),
            "| what           | measured |     goal |\n\
             | -------------- | -------- | -------- |\n\
             | start to ready |  12.3 ms | ≤ 150 ms |\n"
        );
    }
}
