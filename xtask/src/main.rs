//! Developer tasks of Groovebase, run as `cargo xtask <task>`.

mod bench;
mod check;
mod codegen;
mod conformance;
mod generate_history;
mod migrate;
mod services;
mod terminal;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

/// Developer tasks of Groovebase.
#[derive(clap::Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Provide PostgreSQL with pgvector, and Redis, for development and tests.
    #[command(subcommand)]
    Services(services::Task),
    Test(test::Task),
    /// Bring the schema of a database up to date, show or revert what was done, begin a new change.
    Migrate(migrate::Task),
    Check(check::Task),
    Codegen(codegen::Task),
    Conformance(conformance::Task),
    Bench(bench::Task),
    GenerateHistory(generate_history::Task),
}

impl Task {
    fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Services(task) => task.run(),
            Self::Test(task) => task.run(),
            Self::Migrate(task) => task.run(),
            Self::Check(task) => task.run(),
            Self::Codegen(task) => task.run(),
            Self::Conformance(task) => task.run(),
            Self::Bench(task) => task.run(),
            Self::GenerateHistory(task) => task.run(),
        }
    }
}

fn main() -> ExitCode {
    Task::parse().run().unwrap_or_else(|error| {
        terminal::note(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}
