//! Writing on SQLite: a few statements in one transaction.

use domain::AuditRecord;
use sea_orm::{DatabaseTransaction, Value};

use super::Fresh;
use crate::{
    audit_log::audit_all,
    entity::generation::{COLUMNS, values},
    error::Failure,
    insert::insert,
    rollups::{CELL, Pending, stored_artist},
    store::{Backend, Store},
};

/// Writes generations and what is pending of them; returns `false`, and writes nothing, if an identity is taken.
pub(super) async fn write(
    store: &Store,
    fresh: &[Fresh<'_>],
    pending: Pending,
    audited: Vec<AuditRecord>,
) -> Result<bool, Failure> {
    let rows: Vec<[Value; COLUMNS.len()]> =
        fresh.iter().map(|it| values(it.new, it.artist_id(), it.created_at)).collect();
    let columns = COLUMNS.join(", ");
    let into = ("generation_history", columns.as_str(), "");

    let transaction = store.begin().await?;
    match insert(&transaction, Backend::Sqlite, into, rows).await {
        Ok(()) => {}
        Err(failure) if failure.is_taken() => return Ok(false),
        Err(failure) => return Err(failure),
    }
    insert_pending(&transaction, pending).await?;
    audit_all(Backend::Sqlite, &transaction, audited).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Writes the rows that the next fold takes away.
async fn insert_pending(
    transaction: &DatabaseTransaction,
    pending: Pending,
) -> Result<(), Failure> {
    let (all, artists) = pending.into_cells();
    let all = all.iter().map(|cell| cell.values(Backend::Sqlite)).collect::<Result<Vec<_>, _>>()?;
    let into = ("generation_rollup_pending", CELL, "");
    insert(transaction, Backend::Sqlite, into, all).await?;

    let artists = artists
        .iter()
        .map(|(artist, cell)| {
            let artist = Value::from(stored_artist(*artist));
            Ok([artist].into_iter().chain(cell.values(Backend::Sqlite)?))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let columns = format!("artist_id, {CELL}");
    insert(transaction, Backend::Sqlite, ("generation_artist_pending", &columns, ""), artists).await
}
