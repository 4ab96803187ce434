//! `groovebase migrate`: the schema of the database, one change a line.

use std::io::{self, Write};

use migration::{Consent, MigrationError, Schema, Steps};
use secrecy::ExposeSecret;

use crate::config::DatabaseSettings;

/// What to do with the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Subcommand)]
pub enum Migrate {
    /// Apply what is pending, oldest first.
    Up {
        /// How many changes to apply; all if not given.
        #[arg(value_name = "N")]
        steps: Option<u32>,
    },
    /// Revert what was applied last. Data that only newer tables can hold is lost.
    Down {
        /// How many changes to revert.
        #[arg(value_name = "N", default_value_t = 1)]
        steps: u32,
    },
    /// Show every change and whether it is applied.
    Status,
    /// Apply everything to an empty database.
    Fresh {
        /// Empty the database first: everything in it is lost.
        #[arg(long)]
        yes: bool,
    },
}

impl Migrate {
    /// Does it, and writes one line for each change.
    pub async fn run(
        self,
        settings: &DatabaseSettings,
        output: &mut impl Write,
    ) -> Result<(), MigrateError> {
        let schema = Schema::connect(settings.url().expose_secret()).await?;
        let done = self.change(&schema, output).await;
        schema.close().await?;
        done
    }

    async fn change(self, schema: &Schema, output: &mut impl Write) -> Result<(), MigrateError> {
        match self {
            Self::Up { steps } => list("applied", &schema.up(steps).await?, output),
            Self::Down { steps } => list("reverted", &schema.down(Steps::N(steps)).await?, output),
            Self::Fresh { yes } => {
                let consent = if yes { Consent::DropEverything } else { Consent::EmptyOnly };
                match schema.fresh(consent).await {
                    Ok(applied) => list("applied", &applied, output),
                    Err(source @ MigrationError::NotEmpty { .. }) => {
                        Err(MigrateError::NotEmpty(source))
                    }
                    Err(error) => Err(error.into()),
                }
            }
            Self::Status => {
                for change in schema.status().await? {
                    let state = if change.applied { "applied" } else { "pending" };
                    writeln!(output, "{state} {}", change.name)?;
                }
                Ok(())
            }
        }
    }
}

fn list(done: &str, changes: &[String], output: &mut impl Write) -> Result<(), MigrateError> {
    if changes.is_empty() {
        writeln!(output, "nothing to do")?;
    }
    for change in changes {
        writeln!(output, "{done} {change}")?;
    }
    Ok(())
}

/// Why the schema could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The database said no.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// There is something in the database, and nobody said that it may go.
    #[error("groovebase migrate fresh empties a database only with --yes")]
    NotEmpty(#[source] MigrationError),
    /// The result could not be written.
    #[error("cannot write the result")]
    Output(#[from] io::Error),
}
