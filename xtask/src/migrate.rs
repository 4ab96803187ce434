//! The schema of a database, as `groovebase migrate` changes it, and new changes to it.

mod new;

use std::{ffi::OsString, io, process::ExitCode};

use anyhow::Context as _;
use api::{
    command::migrate::Migrate,
    config::{CommandLine, Surroundings},
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
                let CommandLine { settings, .. } =
                    surroundings(self.database_url).command_line()?;
                tokio::runtime::Runtime::new()
                    .context("cannot start a runtime")?
                    .block_on(change.run(&settings.database, &mut io::stdout()))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn surroundings(database_url: Option<OsString>) -> Surroundings {
    let mut arguments = vec![OsString::from("cargo xtask migrate")];
    if let Some(url) = database_url {
        arguments.extend([OsString::from("--database-url"), url]);
    }
    Surroundings { arguments, ..Surroundings::of_process() }
}
