//! The report: a table for people, on a terminal and in Markdown, and everything in JSON.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Serialize;

use super::{
    machine::Machine,
    row::{Promise, Row},
};

/// What the columns are.
const COLUMNS: [&str; 10] =
    ["what", "p50", "p95", "p99", "rate", "limit", "its rate", "measured", "promise", "met"];

/// How a run went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    /// When it ended, in UTC.
    pub(crate) at: String,
    /// What was measured: a revision of the sources.
    pub(crate) revision: String,
    /// Whether only little was measured, which says less.
    pub(crate) is_quick: bool,
    /// What it was measured on.
    pub(crate) machine: Machine,
    /// What else the figures depend on, such as the versions of servers.
    pub(crate) remarks: Vec<String>,
    /// What was measured.
    pub(crate) rows: Vec<Row>,
    /// What could not be.
    pub(crate) failures: Vec<Failure>,
}

/// A question without figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// What `--only` knows it by.
    pub(crate) name: &'static str,
    /// Whether the service did not answer as it must; otherwise it could not be measured here.
    pub(crate) is_of_the_service: bool,
    /// Why.
    pub(crate) reason: String,
}

impl Report {
    /// Whether everything was measured, and every promise kept.
    pub(crate) fn is_met(&self) -> bool {
        self.failures.is_empty() && self.rows.iter().all(Row::is_met)
    }

    /// Lines for a terminal.
    pub(crate) fn lines(&self) -> Vec<String> {
        let rows = self.cells();
        let width = |column: usize| {
            let of = |cells: &[String; COLUMNS.len()]| {
                cells.get(column).map_or(0, |it| it.chars().count())
            };
            rows.iter().map(of).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
        let line = |cells: &[String; COLUMNS.len()]| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        rows.iter().map(line).chain(self.failed()).collect()
    }

    /// A whole document.
    pub(crate) fn markdown(&self) -> String {
        let Self { at, revision, is_quick, machine, remarks, rows: _, failures: _ } = self;
        let Machine { processor, cores, memory_megabytes, system } = machine;
        let extent = if *is_quick {
            "This was a quick run (`--quick`), which is there to see that everything works: its figures are rough.\n"
        } else {
            ""
        };
        let remarks = remarks.iter().map(|it| format!("- {it}\n")).collect::<Vec<_>>().concat();
        let mut table = Vec::new();
        for (number, cells) in self.cells().iter().enumerate() {
            table.push(format!("| {} |\n", cells.join(" | ")));
            if number == 0 {
                table.push(format!("|{}\n", " --- |".repeat(COLUMNS.len())));
            }
        }
        let table = table.concat();
        let failed = self.failed().map(|line| format!("\n{line}\n")).collect::<Vec<_>>().concat();
        format!(
            "# Benchmarks\n\n<!-- Written by `cargo xtask bench`. -->\n\n{INTRODUCTION}\n## The last run\n\n\
             {extent}\n- {at}, revision {revision}\n- {processor}, {cores} cores, {memory_megabytes} MB of memory, {system}\n\
             {remarks}\n{table}{failed}\n{READING}"
        )
    }

    /// Writes Markdown to a file and JSON beside it, and returns where that is.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<PathBuf> {
        let json = file.with_extension("json");
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).context("cannot make the folder of the report")?;
        }
        fs::write(file, self.markdown()).with_context(|| file.display().to_string())?;
        let everything = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&json, everything).with_context(|| json.display().to_string())?;
        Ok(json)
    }

    fn cells(&self) -> Vec<[String; COLUMNS.len()]> {
        let header = COLUMNS.map(str::to_owned);
        std::iter::once(header).chain(self.rows.iter().map(cells)).collect()
    }

    fn failed(&self) -> impl Iterator<Item = String> {
        self.failures.iter().map(|Failure { name, is_of_the_service, reason }| {
            let verdict = if *is_of_the_service { "FAILED" } else { "Not measured" };
            format!("{verdict}: `{name}`: {reason}")
        })
    }
}

fn cells(row: &Row) -> [String; COLUMNS.len()] {
    let Row { name: _, what, subject, against, limit, promises } = row;
    let each =
        |of: &dyn Fn(&Promise) -> String| promises.iter().map(of).collect::<Vec<_>>().join("; ");
    let met = |promise: &Promise| if promise.is_met() { "yes" } else { "NO" }.to_owned();
    [
        what.clone(),
        time(subject.p50_ms),
        time(subject.p95_ms),
        time(subject.p99_ms),
        rate(subject.rate),
        against.clone(),
        rate(limit.rate),
        each(&|it| it.unit.written(it.measured)),
        each(&Promise::to_string),
        each(&met),
    ]
}

fn time(milliseconds: Option<f64>) -> String {
    milliseconds.map_or_else(|| "–".to_owned(), |it| format!("{it:.2} ms"))
}

fn rate(per_second: Option<f64>) -> String {
    per_second.map_or_else(|| "–".to_owned(), |it| format!("{it:.0}/s"))
}

/// What stands above the figures.
const INTRODUCTION: &str = "\
How far the service is from what this machine can do, measured in one run.

```sh
cargo xtask bench --report docs/benchmarks.md    # everything, and this page again
cargo xtask bench --quick                        # a few minutes at most, rough figures
cargo xtask bench --only profile-hit             # one row; `--help` lists them
```

The service is the program as it is released, with the settings that it has when nobody sets any, except where a row says otherwise.
It, what it is held against and whoever asks share all cores; nothing else should run.
A file of artists, one JSON object a line as `groovebase import` reads it, is given with `--artists-from FILE`; without one artists are made up.
";

/// What stands below the figures.
const READING: &str = "\
## How to read it

Subject and limit take turns (A B A B …), because machines become faster and slower while they are measured.
A ratio is the median of the ratios of the pairs, so it may differ from that of the two rates in its row, which are medians by themselves.

A rate is what a closed loop reaches with every connection busy.
Latencies are those of an open loop at half of the lower of the two rates, for both sides alike, and count from when a request was due; so whoever stalls is charged for every question that it kept from being asked.

[performance.md](performance.md) says where the time goes and what was tried, above all where a promise is not met.

What is not in the table was not measured.
An answer with another status than the right one, such as 503, makes its row a failed one.
The JSON file beside this page has every figure.
";

#[cfg(test)]
mod tests;
