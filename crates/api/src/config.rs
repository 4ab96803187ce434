//! Every setting, once: its name, its default, and what it does.
//!
//! A setting comes from a flag, else the environment, else `.env`, else a file, else its default. An unknown name or an
//! impossible value stops the start, whichever of these it came from.

mod access;
mod database_tls;
mod error;
mod limits;
mod reference;
mod sources;
mod traces;

use std::{
    fs, io,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use cache::{Bounds, InvalidRedisSettings, Redis, WarmingSettings};
use clap::{Args, Parser, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use storage::PoolLimits;

use crate::{command::Command, state::StateSettings};

pub use access::AccessSettings;
pub use database_tls::DatabaseTls;
pub use error::{ConfigurationError, Origin};
pub use limits::LimitArgs;
pub use reference::configuration_reference;
pub use sources::Surroundings;
pub use traces::{InvalidOtlpEndpoint, OtlpEndpoint, TraceSettings};

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
    /// The cache.
    #[command(flatten)]
    pub cache: CacheSettings,
    /// Redis.
    #[command(flatten)]
    pub redis: RedisSettings,
    /// Similar artists.
    #[command(flatten)]
    pub similarity: SimilaritySettings,
    /// The account of generations.
    #[command(flatten)]
    pub history: HistorySettings,
    /// Access.
    #[command(flatten)]
    pub access: AccessSettings,
    /// Limits.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// The log.
    #[command(flatten)]
    pub log: LogSettings,
    /// Traces.
    #[command(flatten)]
    pub traces: TraceSettings,
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
    /// Whether each answer tells in `Server-Timing` what it took: in all, in the database, and which cache answered.
    #[arg(
        long,
        global = true,
        value_name = "BOOL",
        env = "GROOVEBASE_SERVER_TIMING",
        default_value = "false",
        action = clap::ArgAction::Set
    )]
    pub server_timing: bool,
}

/// The database.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseSettings {
    /// Where the data is: `sqlite://FILE`, or `postgres://USER:PASSWORD@HOST/DATABASE`.
    #[arg(long, global = true, value_name = "URL", env = "GROOVEBASE_DATABASE_URL", default_value = "sqlite://groovebase.db", value_parser = secret)]
    pub database_url: SecretString,
    /// How connections to PostgreSQL are encrypted, and what is verified; as the URL says if not given, which is `prefer`
    /// unless it names another `sslmode`.
    #[arg(long, global = true, value_name = "MODE", env = "GROOVEBASE_DATABASE_TLS")]
    pub database_tls: Option<DatabaseTls>,
    /// A PEM file with certificates of authorities to trust besides those that browsers trust; with it, `verify-full` is
    /// the default.
    #[arg(long, global = true, value_name = "FILE", env = "GROOVEBASE_DATABASE_CA_FILE")]
    pub database_ca_file: Option<PathBuf>,
    /// Where statistics and histories are read instead: `postgres://…` of the same database with a role that only reads, or of
    /// a replica, whose answers may be behind what was recorded last.
    #[arg(long, global = true, value_name = "URL", env = "GROOVEBASE_DATABASE_READ_URL", value_parser = secret)]
    pub database_read_url: Option<SecretString>,
    /// How many connections are open at most where statistics and histories are read, if that is somewhere else.
    #[arg(long, global = true, value_name = "COUNT", env = "GROOVEBASE_DATABASE_READ_POOL_MOST", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=MOST_CONNECTIONS))]
    pub database_read_pool_most: u32,
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
    /// How many connections are open at most. On PostgreSQL short reads have more of their own: half as many as are kept, at
    /// least four, but at most half of these; and each thread one for every 15 of these, two at most.
    #[arg(long, global = true, value_name = "COUNT", env = "GROOVEBASE_DATABASE_POOL_MOST", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=MOST_CONNECTIONS))]
    pub database_pool_most: u32,
    /// How long a request waits for a connection, in milliseconds.
    #[arg(long, global = true, value_name = "MS", env = "GROOVEBASE_DATABASE_ACQUIRE_TIMEOUT_MS", default_value = "5000", value_parser = clap::value_parser!(u64).range(1..=LONGEST_MS))]
    pub database_acquire_timeout_ms: u64,
    /// How long a statement may take, in milliseconds.
    #[arg(long, global = true, value_name = "MS", env = "GROOVEBASE_DATABASE_STATEMENT_TIMEOUT_MS", default_value = "30000", value_parser = clap::value_parser!(u64).range(1..=LONGEST_MS))]
    pub database_statement_timeout_ms: u64,
    /// How long a statement takes before it is told in the log, with the database's plan for it, in milliseconds; 0 for
    /// never.
    #[arg(long, global = true, value_name = "MS", env = "GROOVEBASE_DATABASE_SLOW_QUERY_MS", default_value = "500", value_parser = clap::value_parser!(u64).range(..=LONGEST_MS))]
    pub database_slow_query_ms: u64,
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
            slow_statement: match self.database_slow_query_ms {
                0 => None,
                milliseconds => Some(Duration::from_millis(milliseconds)),
            },
        }
    }
}

impl DatabaseSettings {
    /// Whether the database is a file of this program.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.database_url.expose_secret().starts_with("sqlite:")
    }

    /// The URL of the database for reading, with what the settings say about TLS.
    #[must_use]
    pub fn read_url(&self) -> Option<SecretString> {
        self.database_read_url.as_ref().map(|url| self.with_tls(url))
    }

    /// The limits of the connections to it. While it is away nobody waits for it longer than a second.
    #[must_use]
    pub fn read_pool_limits(&self) -> PoolLimits {
        let limits = self.pool_limits();
        let acquire_timeout = limits.acquire_timeout.min(Duration::from_secs(1));
        PoolLimits { kept: 0, most: self.database_read_pool_most, acquire_timeout, ..limits }
    }
}

/// What is kept in memory.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cache")]
pub struct CacheSettings {
    /// How much memory cached profiles and artists may take, in bytes; 0 keeps none.
    #[arg(
        long,
        global = true,
        value_name = "BYTES",
        env = "GROOVEBASE_CACHE_MEMORY_BYTES",
        default_value = "134217728"
    )]
    pub cache_memory_bytes: u64,
    /// How long ago the catalog may have been confirmed for a read to rely on it, in milliseconds; beyond that reads go
    /// to the database.
    #[arg(long, global = true, value_name = "MS", env = "GROOVEBASE_CACHE_MAX_STALENESS_MS", default_value = "1000", value_parser = clap::value_parser!(u64).range(1..=LONGEST_MS))]
    pub cache_max_staleness_ms: u64,
    /// How long the last good value is handed out, marked as stale, while the database cannot be reached, in seconds; 0
    /// for never.
    #[arg(long, global = true, value_name = "SECONDS", env = "GROOVEBASE_CACHE_MAX_STALE_IF_ERROR_SECONDS", default_value = "600", value_parser = clap::value_parser!(u64).range(..=LONGEST_MS))]
    pub cache_max_stale_if_error_seconds: u64,
    /// How many of the most read profiles are fetched after a start; 0 for none. Redis remembers which these are.
    #[arg(
        long,
        global = true,
        value_name = "COUNT",
        env = "GROOVEBASE_CACHE_WARM_PROFILES",
        default_value = "5000"
    )]
    pub cache_warm_profiles: usize,
    /// How many profiles are fetched a second at most after a start.
    #[arg(
        long,
        global = true,
        value_name = "COUNT",
        env = "GROOVEBASE_CACHE_WARM_PER_SECOND",
        default_value = "1000"
    )]
    pub cache_warm_per_second: NonZeroU32,
}

impl CacheSettings {
    const fn bounds(&self) -> Bounds {
        Bounds {
            max_staleness: Duration::from_millis(self.cache_max_staleness_ms),
            max_stale_if_error: Duration::from_secs(self.cache_max_stale_if_error_seconds),
        }
    }

    fn warming(&self) -> Option<WarmingSettings> {
        (self.cache_warm_profiles != 0).then_some(WarmingSettings {
            profiles: self.cache_warm_profiles,
            per_second: self.cache_warm_per_second,
        })
    }
}

/// Redis, which instances share. The service works without it, and goes on when it is away.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Redis")]
pub struct RedisSettings {
    /// Where it is: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, `redis+sentinel://HOST,HOST/MASTER` or
    /// `redis+cluster://HOST,HOST`; with `rediss` for TLS.
    #[arg(long, global = true, value_name = "URL", env = "GROOVEBASE_REDIS_URL", value_parser = secret)]
    pub redis_url: Option<SecretString>,
    /// What every key begins with; services with different databases need different ones.
    #[arg(
        long,
        global = true,
        value_name = "PREFIX",
        env = "GROOVEBASE_REDIS_PREFIX",
        default_value = "groovebase"
    )]
    pub redis_prefix: String,
    /// How many connections each thread opens at most; requests share them.
    #[arg(
        long,
        global = true,
        value_name = "COUNT",
        env = "GROOVEBASE_REDIS_CONNECTIONS",
        default_value = "8"
    )]
    pub redis_connections: usize,
    /// How long one operation may take before the service goes on without its answer, in milliseconds.
    #[arg(long, global = true, value_name = "MS", env = "GROOVEBASE_REDIS_BUDGET_MS", default_value = "50", value_parser = clap::value_parser!(u64).range(1..=LONGEST_MS))]
    pub redis_budget_ms: u64,
    /// A PEM file with the certificates to trust instead of those the machine trusts.
    #[arg(long, global = true, value_name = "FILE", env = "GROOVEBASE_REDIS_CA_FILE")]
    pub redis_ca_file: Option<PathBuf>,
}

impl RedisSettings {
    /// What the cache needs to know, the content of the file of certificates aside.
    pub(crate) fn without_certificates(&self) -> Option<cache::RedisSettings> {
        let Self { redis_url, redis_prefix, redis_connections, redis_budget_ms, redis_ca_file: _ } =
            self;
        Some(cache::RedisSettings {
            url: redis_url.as_ref()?.expose_secret().to_owned(),
            prefix: redis_prefix.clone(),
            connections: *redis_connections,
            budget: Duration::from_millis(*redis_budget_ms),
            ca_certificate: None,
        })
    }

    fn open(&self) -> Result<Option<Redis>, UnusableRedis> {
        let Some(mut settings) = self.without_certificates() else { return Ok(None) };
        if let Some(file) = &self.redis_ca_file {
            let unreadable = |source| UnusableRedis::Certificates { file: file.clone(), source };
            settings.ca_certificate = Some(fs::read_to_string(file).map_err(unreadable)?);
        }
        Ok(Some(Redis::open(&settings)?))
    }
}

/// The search for similar artists.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Similarity")]
pub struct SimilaritySettings {
    /// How much memory the index of embeddings may take, in bytes; 0 keeps none. Without it, and when the embeddings do
    /// not fit, the database searches.
    #[arg(
        long,
        global = true,
        value_name = "BYTES",
        env = "GROOVEBASE_SIMILARITY_MEMORY_BYTES",
        default_value = "1073741824"
    )]
    pub similarity_memory_bytes: u64,
    /// How many answers to searches are kept, until an embedding changes; 0 for none.
    #[arg(
        long,
        global = true,
        value_name = "COUNT",
        env = "GROOVEBASE_SIMILARITY_ANSWERS",
        default_value = "10000"
    )]
    pub similarity_answers: u64,
    /// How many threads compare embeddings; as many as there are cores if not given.
    #[arg(long, global = true, value_name = "COUNT", env = "GROOVEBASE_SIMILARITY_THREADS")]
    pub similarity_threads: Option<NonZeroUsize>,
    /// How long to wait before each measurement of recall, which compares a search from an index with one of everything,
    /// in seconds; 0 for none.
    #[arg(long, global = true, value_name = "SECONDS", env = "GROOVEBASE_SIMILARITY_RECALL_SAMPLE_SECONDS", default_value = "300", value_parser = clap::value_parser!(u64).range(..=LONGEST_MS))]
    pub similarity_recall_sample_seconds: u64,
}

impl SimilaritySettings {
    /// What searches may use.
    #[must_use]
    pub fn searches(&self) -> cache::SimilaritySettings {
        cache::SimilaritySettings {
            memory_bytes: self.similarity_memory_bytes,
            answers: self.similarity_answers,
            threads: self
                .similarity_threads
                .map_or_else(StateSettings::default_similarity_threads, NonZeroUsize::get),
        }
    }

    fn recall_pause(&self) -> Option<Duration> {
        let seconds = self.similarity_recall_sample_seconds;
        (seconds != 0).then(|| Duration::from_secs(seconds))
    }
}

/// The account of generations.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "History")]
pub struct HistorySettings {
    /// How long generations are kept, such as `400d`; `off` keeps them for ever. They go by whole UTC months, once all of a
    /// month is older. What they took stays in statistics.
    #[arg(
        long,
        global = true,
        value_name = "DAYS",
        env = "GROOVEBASE_HISTORY_RETENTION",
        default_value = "off"
    )]
    pub history_retention: Retention,
    /// How much memory statistics may take, in bytes: three quarters for sums, one for answers; 0 keeps none, and every
    /// question reads them.
    #[arg(
        long,
        global = true,
        value_name = "BYTES",
        env = "GROOVEBASE_STATISTICS_MEMORY_BYTES",
        default_value = "16777216"
    )]
    pub statistics_memory_bytes: u64,
}

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// For ever.
    Off,
    /// So many days.
    Days(NonZeroU32),
}

impl Retention {
    /// Ten thousand years are for ever.
    const MOST_DAYS: u32 = 3_650_000;

    fn period(self) -> Option<Duration> {
        match self {
            Self::Off => None,
            Self::Days(days) => Some(Duration::from_secs(u64::from(days.get()) * 86_400)),
        }
    }
}

impl FromStr for Retention {
    type Err = InvalidRetention;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.strip_suffix('d')
            // A number may be read with a sign, which says nothing here.
            .filter(|days| !days.starts_with('+'))
            .and_then(|days| days.parse().ok())
            .filter(|days: &NonZeroU32| days.get() <= Self::MOST_DAYS)
            .map(Self::Days)
            .ok_or(InvalidRetention)
    }
}

/// A text that is no [`Retention`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `off` or a number of days from 1d to {max}d", max = Retention::MOST_DAYS)]
pub struct InvalidRetention;

/// Why the Redis of the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnusableRedis {
    /// The file of certificates cannot be read.
    #[error("cannot read {}", file.display())]
    Certificates {
        /// Which file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A setting is of no use.
    #[error(transparent)]
    Settings(#[from] InvalidRedisSettings),
}

impl Settings {
    /// What the service is built with, but for what checks keys, which needs the store.
    ///
    /// # Errors
    ///
    /// When the Redis of the settings cannot be used. Whether it answers is not asked.
    pub fn service(&self) -> Result<StateSettings, UnusableRedis> {
        Ok(StateSettings {
            body_limit_bytes: self.http.http_body_limit_bytes.get(),
            bounds: self.cache.bounds(),
            cache_memory_bytes: self.cache.cache_memory_bytes,
            redis: self.redis.open()?,
            warming: self.cache.warming(),
            similarity: self.similarity.searches(),
            recall_pause: self.similarity.recall_pause(),
            statistics_memory_bytes: self.history.statistics_memory_bytes,
            history_retention: self.history.history_retention.period(),
            access: None,
            server_timing: self.http.server_timing,
            read_store: None,
            limits: self.limits.settings(),
        })
    }
}

/// The log, which goes to standard error, and to a file if one is named.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log")]
pub struct LogSettings {
    /// What to log: a level, or levels by module such as `info,groovebase_storage=debug`.
    #[arg(long, global = true, value_name = "FILTER", env = "GROOVEBASE_LOG", default_value = LogSettings::USUAL, value_parser = filter)]
    pub log: String,
    /// How to write it; pretty on a terminal and JSON elsewhere if not given.
    #[arg(long, global = true, value_name = "FORMAT", env = "GROOVEBASE_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// A file to write the log to as well, always as JSON lines. It is put aside, with the time in its name, when it is
    /// full and when a UTC day has ended.
    #[arg(long, global = true, value_name = "FILE", env = "GROOVEBASE_LOG_FILE")]
    pub log_file: Option<PathBuf>,
    /// How large the file may become before it is put aside, in bytes.
    #[arg(long, global = true, value_name = "BYTES", env = "GROOVEBASE_LOG_FILE_MAX_BYTES", default_value = "500000000", value_parser = clap::value_parser!(u64).range(1_000..))]
    pub log_file_max_bytes: u64,
    /// How long files that were put aside are kept, in days.
    #[arg(long, global = true, value_name = "DAYS", env = "GROOVEBASE_LOG_FILE_KEEP_DAYS", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub log_file_keep_days: u32,
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
pub(crate) fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

fn filter(text: &str) -> Result<String, tracing_subscriber::filter::ParseError> {
    tracing_subscriber::EnvFilter::builder().parse(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_off_or_some_days() {
        let period = |text: &str| text.parse::<Retention>().map(Retention::period);
        let days = |days: u64| Ok(Some(Duration::from_hours(24 * days)));

        assert_eq!(period("off"), Ok(None));
        assert_eq!(period("1d"), days(1));
        assert_eq!(period("400d"), days(400));
        assert_eq!(period("3650000d"), days(3_650_000));
        for wrong in
            ["", "0d", "d", "-1d", "+1d", "400", "1 d", "1.5d", "OFF", "3650001d", "99999999d"]
        {
            assert_eq!(period(wrong), Err(InvalidRetention), "{wrong}");
        }
        assert_eq!(
            InvalidRetention.to_string(),
            "must be `off` or a number of days from 1d to 3650000d"
        );
    }
}
