//! Reading sums, all of one moment.

use std::collections::HashMap;

use domain::{
    ArtistId, ArtistName, EntriesReading, EntrySums, GenerationKind, Quarter, QuarterSpan, Rollup,
    RollupPosition, RollupReading, RollupSnapshot, Sums, TimeRange,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect,
    Statement, Value, prelude::Uuid,
};

use super::{
    Width,
    cell::{CELL, Cell, stored_artist},
    recount::{self, ByArtist, Wanted},
    width::{Stretch, cover},
};
use crate::{
    entity::{StoredTime, artist, artist::artist_name, get},
    error::Failure,
    store::{Backend, Store},
};

/// Identities of one statement.
const IDS_PER_STATEMENT: usize = 2_000;

/// Where folds stand, what was folded after `$1`, and what is pending. One statement sees one moment.
const HEAD: &str = "
    SELECT 0 AS part, state.fold AS position,
     CASE WHEN state.trimmed = $1 OR EXISTS (SELECT 1 FROM generation_rollup_log WHERE fold = $1)
      THEN 1 ELSE 0 END AS is_known, NULL AS starts_at, NULL AS provider_used, NULL AS model, NULL AS status,
     NULL AS generations, NULL AS time_ms, NULL AS times, NULL AS priced, NULL AS cost_dollars, NULL AS cost_nanos,
     NULL AS tokens_used, NULL AS input_tokens, NULL AS output_tokens, NULL AS cache_read_tokens,
     NULL AS cache_write_tokens, NULL AS reasoning_tokens
    FROM generation_rollup_state AS state
    UNION ALL SELECT 1, fold, 0, %cell FROM generation_rollup_log WHERE fold > $1
    UNION ALL SELECT 2, 0, 0, %cell FROM generation_rollup_pending";

pub(super) async fn read(
    store: &Store,
    reading: &RollupReading,
) -> Result<RollupSnapshot, Failure> {
    let RollupReading { since, spans, entries } = reading;
    if spans.is_empty() && entries.is_empty() {
        return read_head(store.database(), *since).await;
    }
    let transaction = store.begin_reading().await?;
    let mut snapshot = read_head(&transaction, *since).await?;
    for span in spans {
        snapshot.spans.push(read_span(&transaction, store.backend(), *span).await?);
    }
    if !entries.is_empty() {
        let has_retired = recount::has_retired(&transaction).await?;
        for reading in entries {
            let found = read_entries(&transaction, store.backend(), reading, has_retired).await?;
            snapshot.entries.push(found);
        }
    }
    transaction.commit().await?;
    Ok(snapshot)
}

async fn read_head(
    database: &impl ConnectionTrait,
    since: Option<RollupPosition>,
) -> Result<RollupSnapshot, Failure> {
    // No fold is later.
    let after = since.map_or(i64::MAX, |RollupPosition(position)| position);
    let sql = HEAD.replace("%cell", CELL);
    let statement =
        Statement::from_sql_and_values(database.get_database_backend(), sql, [after.into()]);
    let mut snapshot = RollupSnapshot {
        position: RollupPosition(0),
        changes: None,
        pending: Vec::new(),
        spans: Vec::new(),
        entries: Vec::new(),
    };
    let mut changes = Vec::new();
    let mut is_known = false;
    for row in database.query_all_raw(statement).await? {
        match get::<i32>(&row, 0)? {
            0 => {
                snapshot.position = RollupPosition(get(&row, 1)?);
                is_known = since.is_some() && get::<i32>(&row, 2)? == 1;
            }
            1 => changes.push(rollup(Cell::read(&row, 3)?)),
            _ => snapshot.pending.push(rollup(Cell::read(&row, 3)?)),
        }
    }
    snapshot.changes = is_known.then_some(changes);
    Ok(snapshot)
}

fn rollup(Cell { starts_at, kind, sums }: Cell) -> Rollup {
    Rollup { quarter: Quarter::of_micros(starts_at), kind, sums }
}

/// What is folded of some quarters.
async fn read_span(
    database: &impl ConnectionTrait,
    backend: Backend,
    span: QuarterSpan,
) -> Result<Vec<(GenerationKind, Sums)>, Failure> {
    let all = (TimeRange::ALL.from_micros(), TimeRange::ALL.to_micros());
    let from = span.from.starts_at_micros().max(all.0);
    let to = span.to.starts_at_micros().min(all.1);
    let stretches = cover(from, to);
    if stretches.is_empty() {
        return Ok(Vec::new());
    }
    let mut values: Vec<Value> = Vec::new();
    let mut parts = Vec::new();
    for Stretch { width, micros } in stretches {
        let place = values.len();
        parts.push(format!(
            "SELECT {CELL} FROM generation_rollups WHERE width = ${} AND starts_at BETWEEN ${} AND ${}",
            place + 1,
            place + 2,
            place + 3
        ));
        values.push(width.stored().into());
        values.push(StoredTime::at_micros(backend, *micros.start())?.into());
        values.push(StoredTime::at_micros(backend, *micros.end())?.into());
    }
    let sql = parts.join(" UNION ALL ");
    let statement = Statement::from_sql_and_values(database.get_database_backend(), sql, values);
    let mut cells: HashMap<GenerationKind, Vec<Sums>> = HashMap::new();
    for row in database.query_all_raw(statement).await? {
        let Cell { starts_at: _, kind, sums } = Cell::read(&row, 0)?;
        cells.entry(kind).or_default().push(sums);
    }
    let sum = |cells: Vec<Sums>| Sums::sum(&cells.iter().collect::<Vec<_>>());
    Ok(cells.into_iter().map(|(kind, cells)| (kind, sum(cells))).collect())
}

/// What was recorded in a range. Of artists there are sums over whole months; the rest is counted.
async fn read_entries(
    database: &DatabaseTransaction,
    backend: Backend,
    reading: &EntriesReading,
    has_retired: bool,
) -> Result<Vec<EntrySums>, Failure> {
    let EntriesReading { range, artist, by_artist, exact_times } = *reading;
    let (first, end) = (range.from_micros(), range.to_micros());
    let (months_from, months_to) = (Width::Month.ceil(first), Width::Month.floor(end));
    let wanted = Wanted { artist, by_artist, exact_times, has_retired };
    let mut found = ByArtist::default();
    if (artist.is_some() || by_artist) && !exact_times && months_from < months_to {
        let months = (range != TimeRange::ALL).then_some((months_from, months_to - 1));
        read_months(database, backend, wanted, months, &mut found).await?;
        recount::count(database, backend, wanted, (first, months_from), &mut found).await?;
        recount::count(database, backend, wanted, (months_to, end), &mut found).await?;
    } else {
        recount::count(database, backend, wanted, (first, end), &mut found).await?;
    }
    named(database, found).await
}

/// Adds what is kept of artists, folded or not, over whole months, or over all time.
async fn read_months(
    database: &impl ConnectionTrait,
    backend: Backend,
    wanted: Wanted,
    months: Option<(i64, i64)>,
    found: &mut ByArtist,
) -> Result<(), Failure> {
    let width = if months.is_some() { Width::Month } else { Width::Ever };
    let mut values: Vec<Value> = Vec::new();
    let mut conditions = Vec::new();
    if let Some((first, last)) = months {
        conditions.push(" AND starts_at BETWEEN $1 AND $2".to_owned());
        values.push(StoredTime::at_micros(backend, first)?.into());
        values.push(StoredTime::at_micros(backend, last)?.into());
    }
    if let Some(artist) = wanted.artist {
        values.push(stored_artist(Some(artist)).into());
        conditions.push(format!(" AND artist_id = ${}", values.len()));
    }
    let conditions = conditions.concat();
    // The width is not a parameter, so that the planner sees that the index of months can be used.
    let sql = format!(
        "SELECT artist_id, {CELL} FROM generation_artist_rollups WHERE width = {}{conditions}
         UNION ALL
         SELECT artist_id, {CELL} FROM generation_artist_pending WHERE true{conditions}",
        width.stored()
    );
    let statement = Statement::from_sql_and_values(database.get_database_backend(), sql, values);
    for row in database.query_all_raw(statement).await? {
        let (artist, Cell { starts_at: _, kind, sums }) = Cell::read_with_artist(&row)?;
        found.entry((artist.filter(|_| wanted.by_artist), kind)).or_default().add(&sums);
    }
    Ok(())
}

/// Puts names in the place of identities; those of removed artists have none.
async fn named(
    database: &impl ConnectionTrait,
    found: ByArtist,
) -> Result<Vec<EntrySums>, Failure> {
    let mut ids: Vec<Uuid> =
        found.keys().filter_map(|(artist, _)| artist.map(ArtistId::as_uuid)).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut names: HashMap<Uuid, ArtistName> = HashMap::with_capacity(ids.len());
    for some in ids.chunks(IDS_PER_STATEMENT) {
        let rows: Vec<(Uuid, String)> = artist::Entity::find()
            .select_only()
            .columns([artist::Column::Id, artist::Column::Name])
            .filter(artist::Column::Id.is_in(some.iter().copied()))
            .into_tuple()
            .all(database)
            .await?;
        for (id, name) in rows {
            names.insert(id, artist_name(&name)?);
        }
    }
    let mut sums: HashMap<(Option<ArtistName>, GenerationKind), Sums> = HashMap::new();
    for ((artist, kind), some) in found {
        let name = artist.and_then(|artist| names.get(&artist.as_uuid()).cloned());
        sums.entry((name, kind)).or_default().add(&some);
    }
    Ok(sums.into_iter().map(|((artist, kind), sums)| EntrySums { artist, kind, sums }).collect())
}

/// How many generations an artist has; `None` without such an artist.
pub(crate) async fn total_of_artist(
    store: &Store,
    artist: ArtistId,
) -> Result<Option<u64>, Failure> {
    let sql = "
        SELECT CAST(coalesce(sum(generations), 0) AS bigint) FROM (
         SELECT generations FROM generation_artist_rollups WHERE artist_id = $1 AND width = $2
         UNION ALL SELECT generations FROM generation_artist_pending WHERE artist_id = $1) AS parts
        HAVING EXISTS (SELECT 1 FROM artists WHERE id = $1)";
    let database = store.nearest().await?;
    let statement = Statement::from_sql_and_values(
        database.get_database_backend(),
        sql,
        [artist.as_uuid().into(), Width::Ever.stored().into()],
    );
    let Some(row) = database.query_one_raw(statement).await? else { return Ok(None) };
    let total: i64 = get(&row, 0)?;
    u64::try_from(total).map(Some).map_err(Failure::corrupt)
}
