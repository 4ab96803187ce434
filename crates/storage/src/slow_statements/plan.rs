//! Asking a database how it would go about a statement.

use std::time::Duration;

#[cfg(feature = "sqlite")]
use sea_orm::sqlx::SqlitePool;
use sea_orm::sqlx::{self, AssertSqlSafe, Row as _};
#[cfg(feature = "postgres")]
use sea_orm::sqlx::{ConnectOptions as _, Connection as _, PgPool};
use tokio::time::{error::Elapsed, timeout};

/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(2);

/// Longer statements are not sent a second time, even to be planned.
const MOST_BYTES: usize = 100_000;

/// Who can be asked for plans. It has the pool and not the ORM's connection, whose hook leads here.
#[derive(Debug, Clone)]
pub(crate) enum Planner {
    #[cfg(feature = "postgres")]
    Postgres(PgPool),
    #[cfg(feature = "sqlite")]
    Sqlite(SqlitePool),
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPlan {
    /// Several statements, of which only the first would be explained and the others run; or one that is too long.
    #[error("it is several statements or too long to be explained")]
    Unsuitable,
    /// The database took too long.
    #[error("the database did not explain it in time")]
    TooLate(#[from] Elapsed),
    /// The database refused, for example because the statement uses a temporary table.
    #[error("the database did not explain it")]
    Refused(#[from] sqlx::Error),
}

impl Planner {
    /// The plan of a statement, a line for each step.
    pub(super) async fn plan(&self, sql: &str) -> Result<String, NoPlan> {
        let sql = sql.trim().trim_end_matches(';');
        if sql.contains(';') || MOST_BYTES < sql.len() {
            return Err(NoPlan::Unsuitable);
        }
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => timeout(WITHIN, of_postgres(pool, sql)).await?,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pool) => timeout(WITHIN, of_sqlite(pool, sql)).await?,
        }
    }
}

/// On a connection of its own, which takes none from requests and cannot write. The plan is the one for any values, since
/// those of the statement are not known here.
#[cfg(feature = "postgres")]
async fn of_postgres(pool: &PgPool, sql: &str) -> Result<String, NoPlan> {
    let server = pool.connect_options();
    // A later setting goes before an earlier one.
    let server = server.as_ref().clone().options([
        ("statement_timeout", WITHIN.as_millis().to_string()),
        ("default_transaction_read_only", "on".to_owned()),
    ]);
    let mut connection = server.connect().await?;
    // The protocol for prepared statements would want values for the parameters.
    let explain = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN (GENERIC_PLAN) {sql}")));
    let rows = explain.fetch_all(&mut connection).await?;
    let lines = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    connection.close().await?;
    Ok(lines.join("\n"))
}

#[cfg(feature = "sqlite")]
async fn of_sqlite(pool: &SqlitePool, sql: &str) -> Result<String, NoPlan> {
    let explain = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))).persistent(false);
    let rows = explain.fetch_all(pool).await?;
    let lines = rows.iter().map(|row| row.try_get("detail")).collect::<Result<Vec<String>, _>>()?;
    Ok(lines.join("\n"))
}
