//! How far the service is from what the machine can do.
//!
//! Everything is measured in turns with a limit: a program that does as little as possible for the same answer, or what a
//! server beneath the service does by itself. One figure says little about another machine; a ratio says more.

mod artists;
mod caller;
mod extent;
mod figures;
mod limits;
mod load;
mod machine;
mod pairs;
mod programs;
mod report;
mod row;
mod scenarios;
mod servers;
mod service;
mod site;

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::ensure;
use domain::{Clock as _, SystemClock};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{terminal, workspace};

use self::{
    extent::Extent,
    load::Refused,
    machine::Machine,
    report::{Failure, Report},
    scenarios::Scenario,
    site::Site,
};

/// Measure the service beside what the machine can do, in turns, and say which promises are kept.
///
/// The service is built and started as it is released. Ends with a failure when a promise is not kept or something could
/// not be measured.
#[derive(clap::Args)]
pub(crate) struct Task {
    /// About a minute, with rough figures.
    #[arg(long)]
    quick: bool,
    /// Only this row; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = scenarios::names())]
    only: Vec<String>,
    /// Where to write the report in Markdown, with JSON beside it; `target/bench/report.md` if not given.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// How many artists there are; 10000, or 1000 in a quick run.
    #[arg(long, value_name = "COUNT")]
    artists: Option<usize>,
    /// How many there are where size matters; 100000, or 3000 in a quick run.
    #[arg(long, value_name = "COUNT")]
    many: Option<usize>,
    /// A file of artists as `groovebase import` reads it; `../shared/data/artists-10k.jsonl` if there is one, else artists
    /// are made up.
    #[arg(long, value_name = "FILE")]
    artists_from: Option<PathBuf>,
    /// Everything is built already, and beside this program.
    #[arg(long, hide = true)]
    built: bool,
}

impl Task {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        if !self.built {
            return programs::released();
        }
        let only = self.only;
        let from = self.artists_from.or_else(|| {
            let file = workspace::root().join("../shared/data/artists-10k.jsonl");
            file.is_file().then_some(file)
        });
        let mut extent = if self.quick { Extent::quick(from) } else { Extent::full(from) };
        extent.artists = self.artists.unwrap_or(extent.artists);
        extent.many = self.many.unwrap_or(extent.many);
        ensure!(extent.artists != 0 && extent.many != 0, "there has to be an artist");
        let mut site = Site::new(extent)?;

        let (mut rows, mut failures) = (Vec::new(), Vec::new());
        for Scenario { name, run } in scenarios::ALL {
            if !only.is_empty() && !only.iter().any(|it| it == name) {
                continue;
            }
            terminal::note(&format!("Measuring {name} …"));
            match run(&mut site) {
                Ok(row) => rows.push(row),
                Err(error) => failures.push(Failure {
                    name,
                    is_of_the_service: error.is::<Refused>(),
                    reason: format!("{error:#}"),
                }),
            }
        }

        let report = Report {
            at: now()?,
            revision: revision(),
            is_quick: self.quick,
            machine: Machine::this()?,
            remarks: site.remarks(),
            rows,
            failures,
        };
        for line in report.lines() {
            terminal::say(&line);
        }
        let file = self.report.unwrap_or_else(|| workspace::root().join("target/bench/report.md"));
        let json = report.write(&file)?;
        terminal::note(&format!("Written to {} and {}", file.display(), json.display()));
        Ok(if report.is_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn now() -> anyhow::Result<String> {
    let now = OffsetDateTime::from(SystemClock.now()).replace_nanosecond(0)?;
    Ok(now.format(&Rfc3339)?)
}

/// The revision of the sources, as far as git knows.
fn revision() -> String {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"]).current_dir(workspace::root());
    programs::output(&mut git).map_or_else(|_| "unknown".to_owned(), |it| it.trim().to_owned())
}
