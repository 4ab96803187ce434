//! Every test, on everything it is meant for.

use std::{
    io::{BufRead as _, BufReader},
    process::{ExitCode, Stdio},
};

use anyhow::Context as _;

use crate::{
    services::{Addresses, Services},
    terminal, workspace,
};

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

/// What the cache makes of a Redis and of a cluster.
const ON_REDIS: &[&str] = &[
    "test",
    "--workspace",
    "--features",
    "groovebase-cache/redis-tests",
    "--lib",
    "--test",
    "redis_*",
];

/// Several instances on one PostgreSQL and one Redis, while both are killed, cut off and restarted.
const ON_BOTH: &[&str] = &[
    "test",
    "--workspace",
    "--features",
    "groovebase-tests/postgres,groovebase-tests/redis",
    "--test",
    "servers",
    "--test",
    "redis",
    "--test",
    "coherence",
    "--test",
    "accounts",
];

/// Run every test, on SQLite, PostgreSQL and Redis. A service that cannot be had is a failure.
#[derive(clap::Args)]
pub(crate) struct Task {
    /// Only what needs no service: unit tests, everything on SQLite, documentation examples.
    #[arg(long)]
    embedded: bool,
}

impl Task {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        if self.embedded {
            report(&[suite("SQLite, and what needs no database", EMBEDDED, None)?]);
            return Ok(ExitCode::SUCCESS);
        }
        // First, because a service that cannot be had should be known at once.
        let services = Services::scoped_with_cluster()?;
        let Addresses { postgres_origin: postgres, redis_origin: redis, cluster, .. } =
            services.addresses();
        let cluster = cluster.as_ref().map_or("no cluster", |cluster| &cluster.origin);
        let run = |on: &str, arguments| suite(on, arguments, Some(&services));
        report(&[
            run("SQLite, and what needs no database", EMBEDDED)?,
            run(postgres, ON_POSTGRES)?,
            run(&format!("{redis}, and {cluster}"), ON_REDIS)?,
            run(&format!("{postgres}, and {redis}, with faults"), ON_BOTH)?,
        ]);
        Ok(ExitCode::SUCCESS)
    }
}

fn report(ran: &[Ran]) {
    terminal::say("What ran on what:");
    for Ran { on, passed } in ran {
        terminal::say(&format!("{passed:6} tests passed on {on}"));
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
