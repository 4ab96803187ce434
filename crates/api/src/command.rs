//! What the program can be told to do.

pub mod demo;
pub mod export;
pub mod health;
pub mod import;
pub mod index;
mod interrupt;
pub mod keys;
mod kind;
pub mod migrate;
pub mod roles;
pub mod serve;
pub mod stats;
mod terminal;

use std::io;

use crate::{
    config::{LogSettings, Settings, TraceSettings},
    telemetry::TelemetrySettings,
};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Answer requests until told to stop; what happens if no command is given.
    Serve,
    /// Bring the schema of the database up to date, or show or revert what was done.
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// Make the PostgreSQL roles with the least rights: for the owner of the tables, the application, and whoever only
    /// reads.
    ///
    /// Connects with the database URL of the settings, which must be an administrator's, and can be run again: after an
    /// update, or to change a password. What there is in the schema already becomes the owner's. Passwords reach the server
    /// in the form in which it keeps them, from which nobody learns them.
    Roles(roles::RolesArguments),
    /// Load artists with their profiles and sources, or generations, from JSON lines.
    ///
    /// With `--kind profiles` each line is an object with `artist`, the members of a profile as the HTTP interface takes them, and `sources`; a
    /// line without any member of a profile is an artist without one. Lines may have up to 16 MiB. Other members are left out,
    /// with a notice. A profile that is stored already as the file has it is left alone, so the same file can be loaded
    /// again; a different one is replaced, and of lines for one artist the last stands.
    ///
    /// With `--kind generations` each line is a generation as `POST /api/v1/generations` takes it, and as `export` writes it.
    /// It must have an `id`: a generation that is recorded already is left as it stands, so that the same file can be loaded
    /// again and counts nothing twice. A line without `created_at` was made now. A line is bad also when it has other
    /// members, when its artist is not known, or when its `id` is that of another generation.
    ///
    /// Bad lines are reported with their number and the place in them. The exit code is 0 when the whole file was dealt
    /// with, skipped lines included, 1 when it was not, and 130 after Ctrl-C, which lets the current batch be written.
    Import(import::ImportArguments),
    /// Write artists with their profiles and sources, or generations, as JSON lines, for `import`.
    ///
    /// With `--kind profiles` one line for each artist, in the order of keys. Identities, versions, times, research statuses
    /// and generations are not part of it. With `--kind generations` one line for each generation, oldest first, with its
    /// identity and its time; without an artist when that was removed since. The same content gives the same bytes on both databases. A file is replaced only when all of it is
    /// written; devices and pipes are written to as they are.
    Export(export::ExportArguments),
    /// Show, build or remove the index in which PostgreSQL looks up similar artists, or measure what searches find.
    ///
    /// The service works with any index and without one: this is about how fast searches are, how many of the closest
    /// artists they find, and what writing costs. An index is built beside the one in use, without keeping anybody waiting,
    /// with parameters for the number of rows there are. On SQLite only `recall` works. The exit code is 0 when it is done,
    /// 1 when it is not, and 130 after Ctrl-C.
    #[command(subcommand)]
    Index(index::Index),
    /// Compare the sums that statistics are made of with the generations, or make them anew.
    ///
    /// Sums are written together with the generations they are of, so there should never be a difference; this proves it, and
    /// repairs what was changed by hand.
    #[command(subcommand)]
    Stats(stats::Stats),
    /// Make, list, rotate and revoke the API keys that open the service.
    ///
    /// It works beside a running service, whose instances know of it within a second. Whoever may open the database needs
    /// no key for it. The exit code is 1 when nothing was done.
    Keys(keys::Keys),
    /// Show what the service can do, on an example set in a throw-away SQLite file, and go on serving it.
    ///
    /// Starts the real service, makes a request of each kind and prints the `curl` command for it and the answer. The
    /// configured database is not touched. Listens on port 8080 of this machine, or on a free one if that is taken;
    /// `--listen` names another. The exit code is 1 when an answer is not what it should be.
    Demo(demo::DemoArguments),
    /// Ask the service that the settings describe whether it is ready; the exit code is 0 if it is.
    Health,
}

impl Command {
    /// What is told while it is done. The log file and traces are the service's: commands run beside it with the same
    /// settings, and talk to whoever typed them.
    #[must_use]
    pub fn telemetry(&self, configured: &Settings) -> TelemetrySettings {
        let log = configured.log.clone();
        let traces = configured.traces.clone();
        match self {
            Self::Serve => {
                TelemetrySettings { log, traces, server_timing: configured.http.server_timing }
            }
            // Its output is the answers; a line for each request would drown them. A key stands beside what is said of it.
            Self::Demo(_) | Self::Keys(_) => without_service(log.quiet(), &traces),
            Self::Migrate(_)
            | Self::Roles(_)
            | Self::Import(_)
            | Self::Export(_)
            | Self::Index(_)
            | Self::Stats(_)
            | Self::Health => without_service(log, &traces),
        }
    }

    /// Does it, and returns when it is done.
    pub async fn run(self, settings: &Settings) -> Result<(), CommandError> {
        match self {
            Self::Serve => Ok(serve::serve(settings).await?),
            Self::Migrate(migrate) => {
                Ok(migrate.run(&settings.database, &mut io::stdout()).await?)
            }
            Self::Roles(arguments) => {
                Ok(arguments.run(&settings.database, &mut io::stdout()).await?)
            }
            Self::Import(arguments) => {
                let store = serve::open_store(&settings.database).await?;
                let imported = arguments.execute(&store).await;
                store.close().await;
                Ok(imported?)
            }
            Self::Export(arguments) => {
                let store = serve::open_store(&settings.database).await?;
                let exported = arguments.execute(&store).await;
                store.close().await;
                Ok(exported?)
            }
            Self::Index(index) => Ok(index.run(settings, &mut io::stdout()).await?),
            Self::Keys(keys) => {
                Ok(keys.run(settings, &mut io::stdout(), &mut io::stderr()).await?)
            }
            Self::Stats(stats) => Ok(stats.run(settings, &mut io::stdout()).await?),
            Self::Demo(arguments) => Ok(arguments.execute(settings, &mut io::stdout()).await?),
            Self::Health => Ok(health::ask(settings.http.listen, &mut io::stdout())?),
        }
    }
}

fn without_service(log: LogSettings, traces: &TraceSettings) -> TelemetrySettings {
    let TraceSettings { otlp_endpoint: _, trace_sample_ratio } = *traces;
    TelemetrySettings {
        log: LogSettings { log_file: None, ..log },
        traces: TraceSettings { otlp_endpoint: None, trace_sample_ratio },
        server_timing: false,
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The service could not start or go on.
    #[error(transparent)]
    Serve(#[from] serve::ServeError),
    /// The schema could not be read or changed.
    #[error(transparent)]
    Migrate(#[from] migrate::MigrateError),
    /// The roles were not made.
    #[error(transparent)]
    Roles(#[from] roles::RolesError),
    /// A file was not, or not all, imported.
    #[error(transparent)]
    Import(#[from] import::ImportError),
    /// No file was written.
    #[error(transparent)]
    Export(#[from] export::ExportError),
    /// The vector index could not be read, changed or measured.
    #[error(transparent)]
    Index(#[from] index::IndexError),
    /// Sums could not be compared or made anew, or are wrong.
    #[error(transparent)]
    Stats(#[from] stats::StatsError),
    /// Nothing was done with a key.
    #[error(transparent)]
    Keys(#[from] keys::KeysError),
    /// The demo ended early.
    #[error(transparent)]
    Demo(#[from] demo::DemoError),
    /// The service is not ready.
    #[error(transparent)]
    Health(#[from] health::HealthError),
}

impl CommandError {
    /// What the process ends with: 130, as shells count Ctrl-C, when somebody ended the command, otherwise 1.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Import(import::ImportError::Incomplete(import::Incomplete::Interrupted))
            | Self::Export(export::ExportError::Interrupted)
            | Self::Index(index::IndexError::Interrupted)
            | Self::Stats(stats::StatsError::Interrupted)
            | Self::Demo(demo::DemoError::Interrupted) => 130,
            Self::Serve(_)
            | Self::Migrate(_)
            | Self::Roles(_)
            | Self::Import(_)
            | Self::Export(_)
            | Self::Index(_)
            | Self::Stats(_)
            | Self::Keys(_)
            | Self::Demo(_)
            | Self::Health(_) => 1,
        }
    }
}
