//! Writing on SQLite: a few statements in one transaction.

use domain::AuditRecord;
use sea_orm::Value;

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
    // All that can be done before it is this one's turn: another one is being written meanwhile.
    let rows: Vec<[Value; COLUMNS.len()]> =
        fresh.iter().map(|it| values(it.new, it.artist_id(), it.created_at)).collect();
    let (cells, artists) = pending.into_cells();
    let cells =
        cells.iter().map(|cell| cell.values(Backend::Sqlite)).collect::<Result<Vec<_>, _>>()?;
    let artists = artists
        .iter()
        .map(|(artist, cell)| {
            let artist = Value::from(stored_artist(*artist));
            Ok([artist].into_iter().chain(cell.values(Backend::Sqlite)?))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let columns = COLUMNS.join(", ");
    let columns_of_artists = format!("artist_id, {CELL}");

    let _writer = store.writer().await?;
    let transaction = store.begin().await?;
    let into = ("generation_history", columns.as_str(), "");
    match insert(&transaction, Backend::Sqlite, into, rows).await {
        Ok(()) => {}
        Err(failure) if failure.is_taken() => return Ok(false),
        Err(failure) => return Err(failure),
    }
    let into = ("generation_rollup_pending", CELL, "");
    insert(&transaction, Backend::Sqlite, into, cells).await?;
    let into = ("generation_artist_pending", columns_of_artists.as_str(), "");
    insert(&transaction, Backend::Sqlite, into, artists).await?;
    audit_all(Backend::Sqlite, &transaction, audited).await?;
    transaction.commit().await?;
    Ok(true)
}
