//! Opening a store.

#[cfg(feature = "postgres")]
use std::net::IpAddr;
use std::{error::Error, sync::Arc, time::Duration};

use domain::Clock;
#[cfg(feature = "postgres")]
use sea_orm::SqlxError;
#[cfg(feature = "postgres")]
use sea_orm::sqlx::{Connection as _, PgConnection};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};

#[cfg(feature = "postgres")]
use crate::error::Failure;
use crate::{
    error::pooling_may_pass,
    store::{Backend, Store},
};

/// A ping costs a round trip, which connections are spared that were used so recently. When all of them died at once, a
/// retry comes late enough to meet only pinged ones.
const TRUSTED_FOR: Duration = Duration::from_millis(100);

/// How many connections a store keeps and opens, and how long it waits.
#[derive(Debug, Clone)]
pub struct PoolLimits {
    /// Connections kept open when idle. So many short reads go on at a time on SQLite, half as many on PostgreSQL, but four
    /// if there may be as many connections.
    pub kept: u32,
    /// Connections open at most. On PostgreSQL as many more as short reads go on at a time, but half as many at most, are for
    /// these alone; and each runtime of one thread that reads has one more for every 15, two at most, and all of them
    /// together no more than these.
    pub most: u32,
    /// How long a caller waits for a connection before the store counts as unavailable; a short read as long again for its
    /// turn.
    pub acquire_timeout: Duration,
    /// How long one statement may run (PostgreSQL), or wait for another process that writes (SQLite); on both, how long
    /// a writer waits for its turn.
    pub statement_timeout: Duration,
    /// How long a statement takes before it is told in the log with its plan; `None` tells none.
    pub slow_statement: Option<Duration>,
}

/// 10 connections kept, 30 at most; 5 s to get one; 30 s a statement, which is slow from 500 ms on.
impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            kept: 10,
            most: 30,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            slow_statement: Some(Duration::from_millis(500)),
        }
    }
}

/// As many short reads may always go on at a time, if there may be as many connections.
const LEAST_READERS: u32 = 4;

impl PoolLimits {
    /// How many short reads go on at a time beside those on connections near whoever reads.
    pub(crate) fn readers(&self, backend: Backend) -> u32 {
        let readers = match backend {
            Backend::Postgres => self.kept / 2,
            Backend::Sqlite => self.kept,
        };
        readers.max(LEAST_READERS).min(self.most).max(1)
    }

    /// How many connections to a server are for short reads alone, and how many of these are kept open.
    ///
    /// A server is asked for a sign of life before a connection is free again. While several are on their way back a pool
    /// with room would open another one, which takes longer than waiting for any of them.
    #[cfg(feature = "postgres")]
    pub(crate) fn for_reads(&self) -> ForReads {
        let most = self.readers(Backend::Postgres).min(self.most / 2);
        ForReads { kept: self.kept.min(most), most }
    }
}

/// Connections beside the pool.
#[cfg(feature = "postgres")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForReads {
    pub(crate) kept: u32,
    pub(crate) most: u32,
}

/// Opens the store at `url`, whose schema must be up to date.
///
/// The scheme picks the backend: `sqlite://groovebase.db` (made if it does not exist) or
/// `postgres://user:password@host/database`.
pub async fn connect(
    url: &str,
    limits: &PoolLimits,
    clock: Arc<dyn Clock>,
) -> Result<Store, ConnectError> {
    let backend = Backend::of(url)?;
    let database = match backend {
        #[cfg(feature = "postgres")]
        Backend::Postgres => postgres(url, limits).await?,
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => sqlite(url, limits).await?,
        #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
        _ => return Err(ConnectError::BackendNotBuilt),
    };
    Ok(Store::new(database, backend, limits, clock))
}

/// Opens a store without connecting to it before somebody asks it something. On a server it may be away until then, and
/// whenever it is asked; an SQLite file is opened at once.
pub async fn connect_later(
    url: &str,
    limits: &PoolLimits,
    clock: Arc<dyn Clock>,
) -> Result<Store, ConnectError> {
    let backend = Backend::of(url)?;
    let database = match backend {
        #[cfg(feature = "postgres")]
        Backend::Postgres => {
            let mut options = postgres_options(url, limits)?;
            options.connect_lazy(true);
            open(options).await?
        }
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => sqlite(url, limits).await?,
        #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
        _ => return Err(ConnectError::BackendNotBuilt),
    };
    Ok(Store::new(database, backend, limits, clock))
}

/// Why a store cannot be opened. No variant shows the URL, which may hold a password.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The scheme is neither of the two.
    #[error("a database URL begins with sqlite:// or postgres://")]
    UnsupportedUrl,
    /// The backend was left out of this build by its features.
    #[error("this build has no support for that database")]
    BackendNotBuilt,
    /// The URL cannot be read.
    #[error("the database URL is malformed")]
    MalformedUrl(#[source] Arc<dyn Error + Send + Sync>),
    /// The server or file does not let us in.
    #[error("the database cannot be opened")]
    Unreachable(#[source] Arc<dyn Error + Send + Sync>),
    /// The server is away, starting or has no connection left; trying again may help.
    #[error("the database cannot be reached")]
    Away(#[source] Arc<dyn Error + Send + Sync>),
}

impl ConnectError {
    #[cfg(feature = "postgres")]
    fn of_driver(error: SqlxError) -> Self {
        let may_pass = crate::error::connecting_may_pass(&error);
        Self::of(may_pass, Arc::new(error))
    }

    fn of(may_pass: bool, source: Arc<dyn Error + Send + Sync>) -> Self {
        if may_pass { Self::Away(source) } else { Self::Unreachable(source) }
    }
}

impl Backend {
    fn of(url: &str) -> Result<Self, ConnectError> {
        match url.split_once(':') {
            Some(("sqlite", _)) => Ok(Self::Sqlite),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres),
            _ => Err(ConnectError::UnsupportedUrl),
        }
    }
}

fn options(url: &str, limits: &PoolLimits) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .min_connections(limits.kept)
        .max_connections(limits.most)
        .acquire_timeout(limits.acquire_timeout)
        .test_before_acquire_if_idle_for(TRUSTED_FOR)
        .sqlx_logging(false);
    options
}

#[expect(clippy::disallowed_methods, reason = "this is the place that sets limits and timeouts")]
async fn open(options: ConnectOptions) -> Result<DatabaseConnection, ConnectError> {
    let refused = |error: DbErr| ConnectError::of(pooling_may_pass(&error), Arc::new(error));
    Database::connect(options).await.map_err(refused)
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str, limits: &PoolLimits) -> Result<DatabaseConnection, ConnectError> {
    use sea_orm::sqlx::{ConnectOptions as _, postgres::PgConnectOptions};

    let server: PgConnectOptions =
        url.parse().map_err(|error| ConnectError::MalformedUrl(Arc::new(error)))?;
    // A pool retries until its time is up and then tells only that; one connection tells what is wrong.
    let probe = tokio::time::timeout(limits.acquire_timeout, server.connect());
    match probe.await {
        Ok(Ok(connection)) => {
            connection.close().await.map_err(ConnectError::of_driver)?;
        }
        Ok(Err(error)) => return Err(ConnectError::of_driver(error)),
        Err(elapsed) => return Err(ConnectError::Away(Arc::new(elapsed))),
    }

    open(postgres_options(url, limits)?).await
}

#[cfg(feature = "postgres")]
fn postgres_options(url: &str, limits: &PoolLimits) -> Result<ConnectOptions, ConnectError> {
    use sea_orm::sqlx::postgres::PgConnectOptions;

    url.parse::<PgConnectOptions>().map_err(|error| ConnectError::MalformedUrl(Arc::new(error)))?;
    // The ORM knows one spelling of the scheme.
    let rest = url.split_once(':').map_or("", |(_, rest)| rest);
    let mut options = options(&format!("postgres:{rest}"), limits);
    options
        .statement_timeout(limits.statement_timeout)
        .set_application_name("groovebase")
        // No statement here runs so long that compiling it first would pay, whatever the planner expects.
        .map_sqlx_postgres_opts(|server| server.options([("jit", "off")]));
    Ok(options)
}

/// One connection beside the pool, opened when it is first needed, for what must not wait behind requests.
pub(crate) fn apart(
    database: &DatabaseConnection,
    backend: Backend,
    limits: &PoolLimits,
) -> DatabaseConnection {
    match backend {
        #[cfg(feature = "postgres")]
        Backend::Postgres => {
            let server = database.get_postgres_connection_pool().connect_options();
            let pool = sea_orm::sqlx::postgres::PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(limits.acquire_timeout)
                .connect_lazy_with(server.as_ref().clone());
            sea_orm::SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
        }
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => {
            let file = database.get_sqlite_connection_pool().connect_options();
            let pool = sea_orm::sqlx::sqlite::SqlitePoolOptions::new()
                .max_connections(1)
                .acquire_timeout(limits.acquire_timeout)
                .connect_lazy_with(file.as_ref().clone().create_if_missing(false));
            sea_orm::SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)
        }
        #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
        _ => database.clone(),
    }
}

/// So many connections beside the pool for short reads, of which some are kept open; the others are opened when they are
/// first needed by whoever needs them.
#[cfg(feature = "postgres")]
pub(crate) fn reading(
    database: &DatabaseConnection,
    limits: &PoolLimits,
    ForReads { kept, most }: ForReads,
) -> DatabaseConnection {
    let server = database.get_postgres_connection_pool().connect_options();
    let pool = sea_orm::sqlx::postgres::PgPoolOptions::new()
        .min_connections(kept)
        .max_connections(most)
        .acquire_timeout(limits.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move {
                if TRUSTED_FOR <= used.idle_for {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(server.as_ref().clone());
    sea_orm::SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
}

/// Opens a connection beside the pool, for work that may take as long as it takes.
#[cfg(feature = "postgres")]
pub(crate) async fn unhurried(store: &Store) -> Result<PgConnection, Failure> {
    use sea_orm::sqlx::ConnectOptions as _;

    let server = store.database().get_postgres_connection_pool().connect_options();
    // A later setting goes before an earlier one.
    let server = server.as_ref().clone().application_name("groovebase");
    let server = server.options([("statement_timeout", 0)]);
    let connection = tokio::time::timeout(store.limits().acquire_timeout, server.connect()).await;
    Ok(connection.map_err(Failure::unavailable)??)
}

/// A file is on this machine.
#[cfg(not(feature = "postgres"))]
pub(crate) fn is_readable_on_the_way(
    _: &Store,
) -> std::future::Ready<Result<bool, crate::error::Failure>> {
    std::future::ready(Ok(false))
}

/// Whether the server is on another machine and a connection to it is not encrypted.
#[cfg(feature = "postgres")]
pub(crate) async fn is_readable_on_the_way(store: &Store) -> Result<bool, Failure> {
    use sea_orm::sqlx;

    if store.backend() != Backend::Postgres {
        return Ok(false);
    }
    let pool = store.database().get_postgres_connection_pool();
    let server = pool.connect_options();
    if server.get_socket().is_some() || is_this_machine(server.get_host()) {
        return Ok(false);
    }
    let encrypted: Option<bool> =
        sqlx::query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            .fetch_optional(pool)
            .await?;
    Ok(encrypted == Some(false))
}

/// Whether an address, without asking anybody about a name, is this machine's.
#[cfg(feature = "postgres")]
fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(feature = "sqlite")]
async fn sqlite(url: &str, limits: &PoolLimits) -> Result<DatabaseConnection, ConnectError> {
    use sea_orm::sqlx::{
        Connection as _,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    };

    url.parse::<SqliteConnectOptions>()
        .map_err(|error| ConnectError::MalformedUrl(Arc::new(error)))?;
    let wait = limits.statement_timeout;
    let mut options = options(url, limits);
    options.map_sqlx_sqlite_opts(move |file| {
        file.create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            // The system keeps what was read, so each of many connections keeps little of it besides.
            .pragma("cache_size", "-2048")
            // A transaction of a thousand rows touches as many pages. They should not be written, read and written again
            // before it ends, nor copied from the log into the file after each.
            .pragma("cache_spill", "4096")
            .pragma("wal_autocheckpoint", "16384")
            .busy_timeout(wait)
    });
    // On a full disk SQLite rolls back by itself, and sqlx, told that there is nothing to roll back, takes the connection to
    // be in a transaction for ever: the next one on it would be a savepoint, and keep the right to write when it fails.
    options.map_sqlx_sqlite_before_acquire(|connection, _| {
        Box::pin(async move { Ok(!connection.is_in_transaction()) })
    });
    open(options).await
}
