//! Every setting, once: its name, its default, and what it does.
//!
//! A setting comes from a flag, else the environment, else `.env`, else a file, else its default. An unknown name or an
//! impossible value stops the start, whichever of these it came from.

mod error;
mod reference;
mod sources;

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, Parser, ValueEnum};
use secrecy::SecretString;
use storage::PoolLimits;

use crate::command::Command;

pub use error::{ConfigurationError, Origin};
pub use reference::configuration_reference;
pub use sources::Surroundings;

/// What both databases can count: 24 days.
const LONGEST_MS: u64 = 2_147_483_647;

/// Far more connections than a database server takes, and few enough to count.
const MOST_CONNECTIONS: i64 = 10_000;

/// The data layer for AI music generation: style profiles, similar artists and an account of every generation.
#[derive(Debug, Parser)]
#[command(name = "groovebase", version, max_term_width = 100)]
pub struct CommandLine {
    /// Every setting.
    #[command(flatten)]
    pub settings: Settings,
    /// What to do; `serve` if not said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Every setting.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// A TOML file with settings, named as below in lower case and without `GROOVEBASE_`.
    #[arg(long, global = true, value_name = "FILE", env = "GROOVEBASE_CONFIG")]
    pub config: Option<PathBuf>,
    /// The service.
    #[command(flatten)]
    pub http: HttpSettings,
    /// The database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Redis.
    #[command(flatten)]
    pub redis: RedisSettings,
    /// The log.
    #[command(flatten)]
    pub log: LogSettings,
}

/// The service.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Service")]
pub struct HttpSettings {
    /// Address and port to listen on.
    #[arg(
        long,
        global = true,
        value_name = "ADDRESS",
        env = "GROOVEBASE_LISTEN",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: SocketAddr,
    /// The largest body of a request, in bytes.
    #[arg(
        long,
        global = true,
        value_name = "BYTES",
        env = "GROOVEBASE_HTTP_BODY_LIMIT_BYTES",
        default_value = "1048576"
    )]
    pub http_body_limit_bytes: NonZeroUsize,
    /// How many threads answer requests; as many as there are cores if not given.
    #[arg(long, global = true, value_name = "COUNT", env = "GROOVEBASE_HTTP_WORKERS")]
    pub http_workers: Option<NonZeroUsize>,
    /// How long requests under way may take to finish once the service is told to stop, in seconds.
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        env = "GROOVEBASE_SHUTDOWN_TIMEOUT_SECONDS",
        default_value = "30"
    )]
    pub shutdown_timeout_seconds: u64,
}

/// The database.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseSettings {
    /// Where the data is: `sqlite://FILE`, or `postgres://USER:PASSWORD@HOST/DATABASE`.
    #[arg(long, global = true, value_name = "URL", env = "GROOVEBASE_DATABASE_URL", default_value = "sqlite://groovebase.db", value_parser = secret)]
    pub database_url: SecretString,
    /// How many connections are kept open.
    #[arg(
        long,
        global = true,
        value_name = "COUNT",
        env = "GROOVEBASE_DATABASE_POOL_KEPT",
        default_value = "10",
        value_parser = clap::value_parser!(u32).range(..=MOST_CONNECTIONS)
    )]
    pub database_pool_kept: u32,
    /// How many connections are open at most.
    #[arg(long, global = true, value_name = "COUNT", env = "GROOVEBASE_DATABASE_POOL_MOST", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=MOST_CONNECTIONS))]
    pub database_pool_most: u32,
    /// How long a request waits for a connection, in milliseconds.
    #[arg(long, global = true, value_name = "MS", env = "GROOVEBASE_DATABASE_ACQUIRE_TIMEOUT_MS", default_value = "5000", value_parser = clap::value_parser!(u64).range(1..=LONGEST_MS))]
    pub database_acquire_timeout_ms: u64,
    /// How long a statement may take, in milliseconds.
    #[arg(long, global = true, value_name = "MS", env = "GROOVEBASE_DATABASE_STATEMENT_TIMEOUT_MS", default_value = "30000", value_parser = clap::value_parser!(u64).range(1..=LONGEST_MS))]
    pub database_statement_timeout_ms: u64,
}

impl DatabaseSettings {
    /// The limits of the connection pool.
    #[must_use]
    pub const fn pool_limits(&self) -> PoolLimits {
        PoolLimits {
            kept: self.database_pool_kept,
            most: self.database_pool_most,
            acquire_timeout: Duration::from_millis(self.database_acquire_timeout_ms),
            statement_timeout: Duration::from_millis(self.database_statement_timeout_ms),
        }
    }
}

/// Redis.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Redis")]
pub struct RedisSettings {
    /// A cache to share with other instances: `redis://HOST`. Accepted, but not used yet.
    #[arg(long, global = true, value_name = "URL", env = "GROOVEBASE_REDIS_URL", value_parser = secret)]
    pub redis_url: Option<SecretString>,
}

/// The log, which goes to standard error.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log")]
pub struct LogSettings {
    /// What to log: a level, or levels by module such as `info,groovebase_storage=debug`.
    #[arg(long, global = true, value_name = "FILTER", env = "GROOVEBASE_LOG", default_value = LogSettings::USUAL, value_parser = filter)]
    pub log: String,
    /// How to write it; pretty on a terminal and JSON elsewhere if not given.
    #[arg(long, global = true, value_name = "FORMAT", env = "GROOVEBASE_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

impl LogSettings {
    /// What is logged if nobody says otherwise.
    /// Without what the HTTP parser says of each client that does not speak HTTP: they could flood the log.
    const USUAL: &str = "info,actix_http=off,actix_server=warn,sea_orm_migration=warn";

    /// The same, but nothing below warnings unless somebody asked for it.
    #[must_use]
    pub fn quiet(self) -> Self {
        if self.log == Self::USUAL { Self { log: "warn".to_owned(), ..self } } else { self }
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Never fails, because a refusal would show the value; [`sources`] checks it instead.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a value parser")]
fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

fn filter(text: &str) -> Result<String, tracing_subscriber::filter::ParseError> {
    tracing_subscriber::EnvFilter::builder().parse(text).map(|_| text.to_owned())
}
