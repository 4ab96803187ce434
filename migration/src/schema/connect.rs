//! From a URL to a connection.
//!
//! By way of the driver rather than of SeaORM's connector: the latter repeats the URL, password and
//! all, in an error and in a trace span.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm_migration::sea_orm::{
    DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector,
    sqlx::{
        self, ConnectOptions, Connection,
        postgres::{PgConnectOptions, PgPoolOptions},
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
    },
};

use tokio::time::{sleep, timeout};

use crate::{MigrationError, error::may_pass};

/// How long a PostgreSQL server may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long to wait for somebody who is writing to the same SQLite file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait before asking again, where SQLite does not wait by itself.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

pub(super) async fn connect(url: &str) -> Result<DatabaseConnection, MigrationError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        postgres(url).await.map_err(refused)
    } else if url.starts_with("sqlite:") {
        sqlite(url).await.map_err(refused)
    } else {
        Err(MigrationError::UnsupportedUrl)
    }
}

async fn postgres(url: &str) -> Result<DatabaseConnection, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.disable_statement_logging();

    // A pool keeps trying a server that is not there, and then only says that time ran out.
    let elapsed = |_| sqlx::Error::Io(io::ErrorKind::TimedOut.into());
    timeout(CONNECT_TIMEOUT, options.connect()).await.map_err(elapsed)??.close().await?;

    let pool = PgPoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

async fn sqlite(url: &str) -> Result<DatabaseConnection, sqlx::Error> {
    let mode = mode(url);
    let mut options: SqliteConnectOptions = url.parse()?;
    options = options.foreign_keys(true).busy_timeout(BUSY_TIMEOUT);
    if mode.is_none() {
        options = options.create_if_missing(true);
    }
    if mode != Some("ro") {
        // Setting it is a write. It stays with the file.
        options = options.journal_mode(SqliteJournalMode::Wal);
    }
    let options = options.disable_statement_logging();
    let began = Instant::now();
    let pool = loop {
        let pool =
            SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        match pool.connect_with(options.clone()).await {
            // Of several who want to set the journal's mode of a new file, SQLite lets none wait who would keep another
            // one waiting.
            Err(error) if is_busy(&error) && began.elapsed() < BUSY_TIMEOUT => {
                sleep(BUSY_PAUSE).await;
            }
            pool => break pool?,
        }
    };
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

/// Whether it is the result code `SQLITE_BUSY`, in whichever form.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == 5)
}

/// The `mode` in an SQLite URL's query.
fn mode(url: &str) -> Option<&str> {
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("mode="))
}

fn refused(error: sqlx::Error) -> MigrationError {
    if may_pass(&error) {
        MigrationError::Away(Arc::new(error))
    } else {
        MigrationError::Connect(Arc::new(error))
    }
}
