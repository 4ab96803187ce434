//! Moving pending sums into those that are kept.

use domain::ArtistId;
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, Statement, Value};

use super::{
    Width,
    cell::{CELL, Cell},
    keys::{self, ArtistKey, RollupKey},
};
use crate::{
    entity::get,
    error::Failure,
    insert::insert,
    store::{Backend, Store},
};

/// Pending rows of one fold at most, of each of the two tables.
const MOST_ROWS: u64 = 10_000;

/// How many rows of the log are kept, for whoever has sums as of an earlier fold.
const LOG_ROWS: i64 = 20_000;

/// The log is trimmed at one fold in so many, and at each that has so many rows.
const TRIMMED_EVERY: i64 = 64;
const LONG: usize = 1_000;

/// Folds some of what is pending, and returns how many rows that were.
pub(super) async fn fold(store: &Store) -> Result<u64, Failure> {
    let _writer = store.writer().await?;
    let transaction = store.begin().await?;
    let Some(state) = lock(store, &transaction).await? else {
        transaction.rollback().await?;
        return Ok(0);
    };
    let (cells, artists) = (take(&transaction).await?, take_of_artists(&transaction).await?);
    let rows = cells.len() + artists.len();
    if rows == 0 {
        // A transaction that is only dropped ends some time later, and keeps the next fold out until then.
        transaction.rollback().await?;
        return Ok(0);
    }

    let quarters = cells.into_iter().map(|Cell { starts_at, kind, sums }| (starts_at, kind, sums));
    let sums = RollupKey::of_quarters(quarters);
    let artist_sums = ArtistKey::of_months(&Width::OF_ARTIST, artists);
    let backend = store.backend();
    let position = state.next(store);
    let mut log = Vec::new();
    for (key, sums) in sums.iter().filter(|(key, _)| key.width == Width::Quarter) {
        let cell = Cell { starts_at: key.starts_at, kind: key.kind.clone(), sums: sums.clone() };
        log.push([Value::from(position)].into_iter().chain(cell.values(backend)?));
    }
    keys::add(&transaction, backend, sums).await?;
    keys::add(&transaction, backend, artist_sums).await?;
    // Sums of artists alone leave no trace in the log, and need no position.
    if !log.is_empty() {
        let is_long = LONG <= log.len();
        let columns = format!("fold, {CELL}");
        insert(&transaction, backend, ("generation_rollup_log", &columns, ""), log).await?;
        advance(&transaction, position).await?;
        if is_long || position % TRIMMED_EVERY == 0 {
            trim(&transaction).await?;
        }
    }
    transaction.commit().await?;
    Ok(rows as u64)
}

/// Where the folds stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    position: i64,
}

impl State {
    /// The position of the next fold.
    ///
    /// As a rule it is the time, so that a database that was put back to an earlier state does not repeat positions that
    /// somebody may remember.
    pub(super) fn next(self, store: &Store) -> i64 {
        store.now().unix_micros().max(self.position + 1)
    }
}

/// Sees to it that nobody else folds before the transaction ends; nothing if somebody does at this moment.
pub(super) async fn lock(
    store: &Store,
    transaction: &DatabaseTransaction,
) -> Result<Option<State>, Failure> {
    let lock = match store.backend() {
        // Whoever writes there is alone.
        Backend::Sqlite => "",
        Backend::Postgres => "FOR UPDATE SKIP LOCKED",
    };
    let sql = format!("SELECT fold FROM generation_rollup_state WHERE id = 1 {lock}");
    let statement = Statement::from_string(transaction.get_database_backend(), sql);
    let row = transaction.query_one_raw(statement).await?;
    row.map(|row| Ok(State { position: get(&row, 0)? })).transpose()
}

/// Notes the position of the last fold.
pub(super) async fn advance(
    transaction: &DatabaseTransaction,
    position: i64,
) -> Result<(), Failure> {
    let statement = Statement::from_sql_and_values(
        transaction.get_database_backend(),
        "UPDATE generation_rollup_state SET fold = $1 WHERE id = 1",
        [position.into()],
    );
    transaction.execute_raw(statement).await?;
    Ok(())
}

/// Takes whole folds out of the log, the oldest first, until it is short enough.
async fn trim(transaction: &DatabaseTransaction) -> Result<(), Failure> {
    let backend = transaction.get_database_backend();
    let sql = "SELECT fold FROM generation_rollup_log ORDER BY fold DESC LIMIT 1 OFFSET $1";
    let statement = Statement::from_sql_and_values(backend, sql, [LOG_ROWS.into()]);
    let Some(row) = transaction.query_one_raw(statement).await? else { return Ok(()) };
    forget(transaction, get(&row, 0)?).await
}

/// Takes the folds up to a position out of the log: whoever has sums as of an earlier one reads them again.
pub(super) async fn forget(
    transaction: &DatabaseTransaction,
    position: i64,
) -> Result<(), Failure> {
    let backend = transaction.get_database_backend();
    for sql in [
        "UPDATE generation_rollup_state SET trimmed = $1 WHERE id = 1",
        "DELETE FROM generation_rollup_log WHERE fold <= $1",
    ] {
        let statement = Statement::from_sql_and_values(backend, sql, [position.into()]);
        transaction.execute_raw(statement).await?;
    }
    Ok(())
}

async fn take(transaction: &DatabaseTransaction) -> Result<Vec<Cell>, Failure> {
    take_rows(transaction, "generation_rollup_pending", CELL)
        .await?
        .iter()
        .map(|row| Cell::read(row, 0))
        .collect()
}

async fn take_of_artists(
    transaction: &DatabaseTransaction,
) -> Result<Vec<(Option<ArtistId>, Cell)>, Failure> {
    take_rows(transaction, "generation_artist_pending", &format!("artist_id, {CELL}"))
        .await?
        .iter()
        .map(Cell::read_with_artist)
        .collect()
}

async fn take_rows(
    transaction: &DatabaseTransaction,
    table: &str,
    columns: &str,
) -> Result<Vec<QueryResult>, Failure> {
    let sql = format!(
        "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} ORDER BY id LIMIT {MOST_ROWS}) \
         RETURNING {columns}"
    );
    let statement = Statement::from_string(transaction.get_database_backend(), sql);
    Ok(transaction.query_all_raw(statement).await?)
}
