//! Dropping generations because of their age.

use std::collections::HashMap;

use domain::{RepositoryError, Sums, Timestamp};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};

use super::{
    Width,
    keys::{self, RetiredKey},
    recount::{Entry, between, each_entry},
};
use crate::{
    entity::{StoredTime, get},
    error::Failure,
    query_statistics::{Operation, Table},
    store::{Backend, Store},
};

/// For so long others may be kept waiting for a lock that is not to be had.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";

/// What was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retired {
    /// How many generations.
    pub generations: u64,
    /// Of how many months.
    pub months: u64,
}

pub(super) async fn retire(store: &Store, before: Timestamp) -> Result<Retired, RepositoryError> {
    let end = Width::Month.floor(before.unix_micros());
    let mut retired = Retired::default();
    while let Some(month) = store
        .retry(Operation::Retire, Table::GenerationHistory, || oldest_month(store, end))
        .await?
    {
        let generations = match store.backend() {
            Backend::Postgres => {
                store
                    .retry(Operation::Retire, Table::GenerationHistory, || {
                        retire_partition(store, month)
                    })
                    .await?
            }
            Backend::Sqlite => retire_days(store, month).await?,
        };
        retired.generations += generations;
        retired.months += 1;
    }
    Ok(retired)
}

/// The first month with a generation, if it ended by then.
async fn oldest_month(store: &Store, end: i64) -> Result<Option<i64>, Failure> {
    let database = store.database();
    let statement = Statement::from_string(
        database.get_database_backend(),
        "SELECT min(created_at) FROM generation_history",
    );
    let Some(row) = database.query_one_raw(statement).await? else { return Ok(None) };
    let oldest: Option<StoredTime> = get(&row, 0)?;
    Ok(oldest.map(|time| Width::Month.floor(time.unix_micros())).filter(|month| *month < end))
}

/// Sums up a month and drops its table, so that nothing has to be removed row by row.
async fn retire_partition(store: &Store, month: i64) -> Result<u64, Failure> {
    let _writer = store.writer().await?;
    let transaction = store.begin().await?;
    store.take_time(&transaction).await?;
    // From here on nobody adds to the month; readers are kept out only while the table goes.
    if !call(&transaction, "SELECT lock_generation_partition($1)", month).await? {
        return Err(Failure::corrupt(NoPartition));
    }
    let stretch = (month, Width::Month.end(month) - 1);
    let mut generations = 0;
    let mut from = stretch.0;
    while from <= stretch.1 {
        generations += keep_sums(&transaction, Backend::Postgres, from).await?;
        from = Width::Day.end(from);
    }
    // While the table goes, everybody who reads the history waits, and it waits for everybody who does.
    transaction.execute_unprepared(LOCK_TIMEOUT).await?;
    call(&transaction, "SELECT drop_generation_partition($1)", month).await?;
    transaction.commit().await?;
    store.partitions().forget();
    Ok(generations)
}

/// Calls a function about the partition of a month; returns whether there is one.
async fn call(transaction: &DatabaseTransaction, sql: &str, month: i64) -> Result<bool, Failure> {
    let statement = Statement::from_sql_and_values(
        transaction.get_database_backend(),
        sql,
        [StoredTime::at_micros(Backend::Postgres, month)?.into()],
    );
    let row = transaction.query_one_raw(statement).await?;
    Ok(row.map(|row| get(&row, 0)).transpose()?.unwrap_or(false))
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the oldest generations are in a partition that was not made by ensure_generation_partition"
)]
struct NoPartition;

/// Removes a month day by day, so that writers never wait long.
async fn retire_days(store: &Store, month: i64) -> Result<u64, RepositoryError> {
    let mut generations = 0;
    let mut day = month;
    while day < Width::Month.end(month) {
        generations += store
            .retry(Operation::Retire, Table::GenerationHistory, || async {
                let _writer = store.writer().await?;
                let transaction = store.begin().await?;
                let count = keep_sums(&transaction, Backend::Sqlite, day).await?;
                if count != 0 {
                    let sql = "DELETE FROM generation_history WHERE created_at BETWEEN $1 AND $2";
                    let stretch = (day, Width::Day.end(day) - 1);
                    transaction
                        .execute_raw(between(
                            &transaction,
                            Backend::Sqlite,
                            sql.to_owned(),
                            stretch,
                        )?)
                        .await?;
                    transaction.commit().await?;
                }
                Ok(count)
            })
            .await?;
        day = Width::Day.end(day);
    }
    Ok(generations)
}

/// Keeps what the generations of a day took, by artist and quarter.
async fn keep_sums(
    transaction: &DatabaseTransaction,
    backend: Backend,
    day: i64,
) -> Result<u64, Failure> {
    let mut sums: HashMap<RetiredKey, Sums> = HashMap::new();
    let stretch = (day, Width::Day.end(day) - 1);
    let count = each_entry(transaction, backend, stretch, |entry| {
        let Entry { artist, created_at, kind, sums: entry } = entry;
        let starts_at = Width::Quarter.floor(created_at);
        sums.entry(RetiredKey { artist, starts_at, kind }).or_default().add(&entry);
    })
    .await?;
    keys::add(transaction, backend, sums).await?;
    Ok(count)
}
