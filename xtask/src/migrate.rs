//! The schema of a database, as `groovebase migrate` changes it, and new changes to it.

mod new;

use std::{ffi::OsString, io, process::ExitCode};

use anyhow::Context as _;
use api::{
    command::{index::Index, migrate::Migrate},
    config::{CommandLine, Settings, Surroundings},
};

/// What to do with the schema. Settings are those of the service: `GROOVEBASE_DATABASE_URL`, `.env`.
#[derive(clap::Args)]
pub(crate) struct Task {
    /// The database, instead of the one that the settings name.
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<OsString>,
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    #[command(flatten)]
    Change(Migrate),
    /// Show, build or remove the index in which PostgreSQL looks up similar artists, as `groovebase index` does.
    #[command(subcommand)]
    Index(Index),
    /// Begin a new change: makes its file and registers it.
    New {
        /// What the change does, such as `add_tempo_index`.
        name: String,
    },
}

impl Task {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::New { name } => new::migration(&name)?,
            Action::Change(change) => {
                let settings = settings(self.database_url)?;
                runtime()?.block_on(change.run(&settings.database, &mut io::stdout()))?;
            }
            Action::Index(index) => {
                let settings = settings(self.database_url)?;
                runtime()?.block_on(index.run(&settings, &mut io::stdout()))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn settings(database_url: Option<OsString>) -> anyhow::Result<Settings> {
    let mut arguments = vec![OsString::from("cargo xtask migrate")];
    if let Some(url) = database_url {
        arguments.extend([OsString::from("--database-url"), url]);
    }
    let surroundings = Surroundings { arguments, ..Surroundings::of_process() };
    let CommandLine { settings, command: _ } = surroundings.command_line()?;
    Ok(settings)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new().context("cannot start a runtime")
}
