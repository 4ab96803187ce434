//! Every test, on everything it is meant for.

use std::{
    io::{BufRead as _, BufReader},
    process::{ExitCode, Stdio},
};

use anyhow::Context as _;

use crate::{services::Services, terminal, workspace};

/// Unit tests, everything on SQLite, documentation examples.
const EMBEDDED: &[&str] = &["test", "--workspace"];

/// Everything on PostgreSQL.
const ON_POSTGRES: &[&str] = &[
    "test",
    "--workspace",
    "--features",
    "groovebase-migration/postgres-tests,groovebase-tests/postgres",
    "--test",
    "postgres",
];

/// Run every test, on PostgreSQL and on SQLite. A service that cannot be had is a failure.
#[derive(clap::Args)]
pub(crate) struct Task {
    /// Only what needs no service: unit tests, everything on SQLite, documentation examples.
    #[arg(long)]
    embedded: bool,
}

impl Task {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        // First, because a service that cannot be had should be known at once.
        let services = if self.embedded { None } else { Some(Services::scoped()?) };
        let mut ran =
            vec![suite("SQLite, and what needs no database", EMBEDDED, services.as_ref())?];
        if let Some(services) = &services {
            ran.push(suite(&services.addresses().postgres_origin, ON_POSTGRES, Some(services))?);
        }

        terminal::say("What ran on what:");
        for Ran { on, passed } in ran {
            terminal::say(&format!("{passed:6} tests passed on {on}"));
        }
        if let Some(services) = &services {
            terminal::say(&format!(
                "       no test needs {} yet",
                services.addresses().redis_origin
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What ran on what.
struct Ran {
    on: String,
    passed: u64,
}

/// Runs tests, showing what they print, and counts those that passed. One that failed is an error.
fn suite(on: &str, arguments: &[&str], services: Option<&Services>) -> anyhow::Result<Ran> {
    let mut cargo =
        services.map_or_else(|| workspace::cargo([]), |it| it.command(workspace::CARGO));
    cargo.current_dir(workspace::root()).args(arguments);
    let line = format!("cargo {}", arguments.join(" "));
    terminal::note(&format!("$ {line}"));

    let mut child =
        cargo.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {line}"))?;
    let output = child.stdout.take().context("the output is piped")?;
    let mut passed = 0;
    for line in BufReader::new(output).lines() {
        let line = line?;
        passed += count(&line).unwrap_or(0);
        terminal::say(&line);
    }
    workspace::succeeded(&line, child.wait()?)?;
    Ok(Ran { on: on.to_owned(), passed })
}

/// How many tests a closing line of the test runner counts as passed.
fn count(line: &str) -> Option<u64> {
    line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_passed() {
        let closing = "test result: ok. 39 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";

        assert_eq!(count(closing), Some(39));
        assert_eq!(count("test artists::pages_by_key ... ok"), None);
    }
}
