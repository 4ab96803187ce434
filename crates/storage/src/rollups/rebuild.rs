//! Making every sum anew.

use std::collections::HashMap;

use domain::{RepositoryError, Sums};
use futures::TryStreamExt;
#[cfg(feature = "postgres")]
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, StreamTrait};

use super::{
    Width,
    cell::{CELL, Cell},
    fold::{advance, forget, lock},
    keys::{self, ArtistKey, RollupKey},
    recount::{Recount, between, recount},
    verify::next_month,
};
#[cfg(feature = "postgres")]
use crate::connect::unhurried;
use crate::{
    error::Failure,
    query_statistics::{Operation, Table},
    store::{Backend, Store},
};

pub(super) async fn rebuild(
    store: &Store,
    progress: &(impl Fn(u64) + Send + Sync),
) -> Result<(), RepositoryError> {
    let mut done = 0;
    let mut from = i64::MIN;
    while let Some((month, generations)) = store
        .retry(Operation::Rebuild, Table::GenerationRollups, || rebuild_month(store, from))
        .await?
    {
        from = Width::Month.end(month);
        done += generations;
        progress(done);
    }
    store.retry(Operation::Rebuild, Table::GenerationRollups, || rebuild_ever(store)).await?;
    #[cfg(feature = "postgres")]
    if store.backend() == Backend::Postgres {
        tidy(store).await?;
    }
    Ok(())
}

/// Gives back the room of what was pending, which every question would read past, and lets the planner know what there is
/// now. The server would do both by itself some minutes later.
#[cfg(feature = "postgres")]
async fn tidy(store: &Store) -> Result<(), Failure> {
    let mut connection = unhurried(store).await?;
    for statement in [
        "VACUUM (ANALYZE, SKIP_LOCKED) generation_rollup_pending, generation_artist_pending, generation_rollup_log, \
         generation_rollups, generation_artist_rollups",
        "ANALYZE (SKIP_LOCKED) generation_history, generation_ids",
    ] {
        sqlx::query(statement).execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}

/// Sums up the first month from a point in time; returns which it was, and how many generations it has.
///
/// A generation and what is pending of it become visible together, so each is either summed up here, and then what is
/// pending of it is taken away, or folded later.
async fn rebuild_month(store: &Store, from: i64) -> Result<Option<(i64, u64)>, Failure> {
    let _writer = store.writer().await?;
    let transaction = store.begin_summing_up().await?;
    let backend = store.backend();
    begin_anew(store, &transaction).await?;
    let Some(month) = next_month(&transaction, backend, from).await? else {
        return Ok(None);
    };
    let stretch = (month, Width::Month.end(month) - 1);
    keep_ever(&transaction, backend, stretch).await?;
    for cells in [
        "generation_rollup_pending WHERE",
        "generation_rollups WHERE width IN (1, 2, 3, 4) AND",
        "generation_artist_rollups WHERE width = 4 AND",
    ] {
        let sql = format!("DELETE FROM {cells} starts_at BETWEEN $1 AND $2");
        transaction.execute_raw(between(&transaction, backend, sql, stretch)?).await?;
    }

    let Recount { generations, quarters, artists } =
        recount(&transaction, backend, stretch).await?;
    let quarters = quarters.into_iter().map(|((quarter, kind), sums)| (quarter, kind, sums));
    keys::put(&transaction, backend, RollupKey::of_quarters(quarters)).await?;
    let artists = artists.into_iter().map(|((artist, kind), sums)| {
        (ArtistKey { artist, width: Width::Month, starts_at: month, kind }, sums)
    });
    keys::put(&transaction, backend, artists.collect()).await?;
    transaction.commit().await?;
    Ok(Some((month, generations)))
}

/// Folds what is pending of a month into the sums over all time of each artist, so that these are right at any moment; they
/// are made anew last.
async fn keep_ever(
    transaction: &DatabaseTransaction,
    backend: Backend,
    month: (i64, i64),
) -> Result<(), Failure> {
    let sql = format!(
        "DELETE FROM generation_artist_pending WHERE starts_at BETWEEN $1 AND $2 RETURNING artist_id, {CELL}"
    );
    let ever = ever(transaction, between(transaction, backend, sql, month)?).await?;
    keys::add(transaction, backend, ever).await
}

/// The sums over all time of each artist, from those over months that a statement returns.
async fn ever(
    transaction: &DatabaseTransaction,
    statement: Statement,
) -> Result<HashMap<ArtistKey, Sums>, Failure> {
    // Row by row: there may be as many as generations.
    let mut rows = transaction.stream_raw(statement).await?;
    let mut ever = HashMap::new();
    while let Some(row) = rows.try_next().await? {
        ArtistKey::add_month(&mut ever, &[Width::Ever], Cell::read_with_artist(&row)?);
    }
    Ok(ever)
}

/// Puts right which identities are taken.
async fn rebuild_identities(transaction: &DatabaseTransaction) -> Result<(), Failure> {
    for sql in [
        "DELETE FROM generation_ids AS taken WHERE NOT EXISTS (SELECT 1 FROM generation_history AS made
         WHERE made.created_at = taken.created_at AND made.id = taken.id)",
        "INSERT INTO generation_ids (id, created_at)
         SELECT DISTINCT ON (id) id, created_at FROM generation_history ORDER BY id, created_at
         ON CONFLICT (id) DO NOTHING",
    ] {
        transaction.execute_unprepared(sql).await?;
    }
    Ok(())
}

/// Sums up the months of each artist.
async fn rebuild_ever(store: &Store) -> Result<(), Failure> {
    let _writer = store.writer().await?;
    let transaction = store.begin_summing_up().await?;
    begin_anew(store, &transaction).await?;
    let sql = format!("SELECT artist_id, {CELL} FROM generation_artist_rollups WHERE width = 4");
    let statement =
        Statement::from_string(ConnectionTrait::get_database_backend(&transaction), sql);
    let ever = ever(&transaction, statement).await?;
    transaction.execute_unprepared("DELETE FROM generation_artist_rollups WHERE width = 5").await?;
    keys::put(&transaction, store.backend(), ever).await?;
    if store.backend() == Backend::Postgres {
        rebuild_identities(&transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Sees to it that nobody folds meanwhile, and that nobody goes on with sums as of an earlier fold.
async fn begin_anew(store: &Store, transaction: &DatabaseTransaction) -> Result<(), Failure> {
    store.take_time(transaction).await?;
    let Some(state) = lock(store, transaction).await? else {
        return Err(Failure::corrupt(NoState));
    };
    let position = state.next(store);
    advance(transaction, position).await?;
    forget(transaction, position).await
}

#[derive(Debug, thiserror::Error)]
#[error("the row is missing that says where folds stand")]
struct NoState;
