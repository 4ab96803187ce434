//! Summing up generations one by one.

use std::collections::HashMap;

use domain::{ArtistId, GenerationKind, GenerationStatus, Money, Sums, Times, TokenSums};
use futures::TryStreamExt;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, QueryResult, Statement, StreamTrait, Value, prelude::Uuid,
};

use super::{
    cell::{CELL, Cell, NANOS_PER_DOLLAR, read_kind, stored_artist},
    width::Width,
};
use crate::{
    entity::{StoredTime, get},
    error::Failure,
    store::Backend,
};

/// How many times are kept until they are put together with those before.
const GATHERED: usize = 1_024;

/// Sums by time, of one width, and kind.
pub(super) type ByTime = HashMap<(i64, GenerationKind), Sums>;

/// Sums by artist, if artists are told apart, and kind.
pub(super) type ByArtist = HashMap<(Option<ArtistId>, GenerationKind), Sums>;

/// Which generations are summed up, and what is told apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) artist: Option<ArtistId>,
    pub(super) by_artist: bool,
    pub(super) exact_times: bool,
    /// Whether anything was ever dropped because of its age.
    pub(super) has_retired: bool,
}

/// Whether anything was ever dropped because of its age.
pub(super) async fn has_retired(database: &impl ConnectionTrait) -> Result<bool, Failure> {
    let sql = "SELECT 1 FROM retired_generations LIMIT 1";
    let statement = Statement::from_string(database.get_database_backend(), sql);
    Ok(database.query_one_raw(statement).await?.is_some())
}

/// Adds what was recorded from a point in time to just before another, in microseconds after 1970.
///
/// What was dropped because of its age counts where its quarter begins.
pub(super) async fn count(
    database: &DatabaseTransaction,
    backend: Backend,
    wanted: Wanted,
    (from, to): (i64, i64),
    found: &mut ByArtist,
) -> Result<(), Failure> {
    if to <= from {
        return Ok(());
    }
    let mut values: Vec<Value> = vec![
        StoredTime::at_micros(backend, from)?.into(),
        StoredTime::at_micros(backend, to - 1)?.into(),
    ];
    let mut condition = "";
    if let Some(artist) = wanted.artist {
        condition = " AND artist_id = $3";
        values.push(stored_artist(Some(artist)).into());
    }
    let artist = if wanted.by_artist { "artist_id" } else { "CAST(NULL AS uuid)" };
    let sum = |column: &str| format!("CAST(coalesce(sum({column}), 0) AS bigint)");
    // The database adds up those of one time: percentiles need nothing else of each.
    let sql = format!(
        "SELECT {artist}, provider_used, coalesce(model, ''), status, generation_time_ms,
          CAST(count(*) AS bigint), CAST(count(cost) AS bigint), {}, {}, {}, {}, {}, {}, {}, {}
         FROM generation_history WHERE created_at BETWEEN $1 AND $2{condition}
         GROUP BY 1, 2, 3, 4, 5",
        sum("cost / 1000000000"),
        sum("cost % 1000000000"),
        sum("tokens_used"),
        sum("input_tokens"),
        sum("output_tokens"),
        sum("cache_read_tokens"),
        sum("cache_write_tokens"),
        sum("reasoning_tokens"),
    );
    let statement = Statement::from_sql_and_values(
        ConnectionTrait::get_database_backend(database),
        sql,
        values.clone(),
    );
    let gathered = |times: &mut Vec<(u32, u64)>| {
        let times = times.drain(..);
        if wanted.exact_times { Times::exact(times) } else { Times::by_class(times) }
    };
    let mut times: HashMap<_, Vec<(u32, u64)>> = HashMap::new();
    let mut rows = database.stream_raw(statement).await?;
    while let Some(row) = rows.try_next().await? {
        let artist = get::<Option<Uuid>>(&row, 0)?.map(ArtistId::from_uuid);
        let kind = read_kind(
            &get::<String>(&row, 1)?,
            &get::<String>(&row, 2)?,
            &get::<String>(&row, 3)?,
        )?;
        let time_ms = u32::try_from(get::<i64>(&row, 4)?).map_err(Failure::corrupt)?;
        let sums = grouped(&row, time_ms, kind.status)?;
        let times = times.entry((artist, kind.clone())).or_default();
        times.push((time_ms, sums.generations));
        let found = found.entry((artist, kind)).or_default();
        found.add(&sums);
        if GATHERED <= times.len() {
            found.times.add(&gathered(times));
        }
    }
    drop(rows);
    for (key, mut times) in times {
        found.entry(key).or_default().times.add(&gathered(&mut times));
    }

    if !wanted.has_retired {
        return Ok(());
    }
    let sql = format!(
        "SELECT artist_id, {CELL} FROM retired_generations WHERE starts_at BETWEEN $1 AND $2{condition}"
    );
    let backend = ConnectionTrait::get_database_backend(database);
    let statement = Statement::from_sql_and_values(backend, sql, values);
    for row in database.query_all_raw(statement).await? {
        let (artist, Cell { starts_at: _, kind, sums }) = Cell::read_with_artist(&row)?;
        found.entry((artist.filter(|_| wanted.by_artist), kind)).or_default().add(&sums);
    }
    Ok(())
}

/// What generations of one time took; the times themselves are added later, all at once.
fn grouped(row: &QueryResult, time_ms: u32, status: GenerationStatus) -> Result<Sums, Failure> {
    let whole = |column: usize| u64::try_from(get::<i64>(row, column)?).map_err(Failure::corrupt);
    let generations = whole(5)?;
    let nanos =
        i128::from(get::<i64>(row, 7)?) * NANOS_PER_DOLLAR + i128::from(get::<i64>(row, 8)?);
    Ok(Sums {
        time_ms: u64::from(time_ms) * generations,
        times: Times::default(),
        priced: whole(6)?,
        cost: Money::from_nanos(nanos),
        tokens: TokenSums {
            used: whole(9)?,
            input: whole(10)?,
            output: whole(11)?,
            cache_read: whole(12)?,
            cache_write: whole(13)?,
            reasoning: whole(14)?,
        },
        ..Sums::ended(status, generations)
    })
}

/// A generation as far as sums need it.
pub(super) struct Entry {
    pub(super) artist: Option<ArtistId>,
    /// In microseconds after 1970.
    pub(super) created_at: i64,
    pub(super) kind: GenerationKind,
    pub(super) sums: Sums,
}

/// Calls `take` with each generation that was made from a point in time to another, both included.
pub(super) async fn each_entry(
    database: &DatabaseTransaction,
    backend: Backend,
    stretch: (i64, i64),
    mut take: impl FnMut(Entry),
) -> Result<u64, Failure> {
    let sql = "
        SELECT artist_id, created_at, provider_used, coalesce(model, ''), status, generation_time_ms, cost,
         tokens_used, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens
        FROM generation_history WHERE created_at BETWEEN $1 AND $2";
    let statement = between(database, backend, sql.to_owned(), stretch)?;
    let mut rows = database.stream_raw(statement).await?;
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        take(entry(&row)?);
        count += 1;
    }
    Ok(count)
}

fn entry(row: &QueryResult) -> Result<Entry, Failure> {
    let known = |column: usize| {
        let stored: Option<i64> = get(row, column)?;
        stored.map_or(Ok(0), |number| u64::try_from(number).map_err(Failure::corrupt))
    };
    let time_ms = u32::try_from(get::<i64>(row, 5)?).map_err(Failure::corrupt)?;
    let cost: Option<i64> = get(row, 6)?;
    let kind =
        read_kind(&get::<String>(row, 2)?, &get::<String>(row, 3)?, &get::<String>(row, 4)?)?;
    Ok(Entry {
        artist: get::<Option<Uuid>>(row, 0)?.map(ArtistId::from_uuid),
        created_at: get::<StoredTime>(row, 1)?.unix_micros(),
        sums: Sums {
            time_ms: time_ms.into(),
            times: Times::of(time_ms),
            priced: cost.is_some().into(),
            cost: Money::from_nanos(cost.unwrap_or(0).into()),
            tokens: TokenSums {
                used: known(7)?,
                input: known(8)?,
                output: known(9)?,
                cache_read: known(10)?,
                cache_write: known(11)?,
                reasoning: known(12)?,
            },
            ..Sums::ended(kind.status, 1)
        },
        kind,
    })
}

/// What the generations of a month say.
pub(super) struct Recount {
    pub(super) generations: u64,
    /// By quarter.
    pub(super) quarters: ByTime,
    pub(super) artists: ByArtist,
}

/// Sums up the generations of a month, and what was kept of those that were dropped because of their age.
pub(super) async fn recount(
    transaction: &DatabaseTransaction,
    backend: Backend,
    month: (i64, i64),
) -> Result<Recount, Failure> {
    let (mut quarters, mut artists) = (ByTime::new(), ByArtist::new());
    let mut take = |Entry { artist, created_at, kind, sums }| {
        let quarter = Width::Quarter.floor(created_at);
        artists.entry((artist, GenerationKind::clone(&kind))).or_default().add(&sums);
        quarters.entry((quarter, kind)).or_default().add(&sums);
    };
    // Day by day, so that no statement takes long.
    let mut generations = 0;
    let mut day = month.0;
    while day <= month.1 {
        let next = Width::Day.end(day);
        generations += each_entry(transaction, backend, (day, next - 1), &mut take).await?;
        day = next;
    }
    let sql = format!(
        "SELECT artist_id, {CELL} FROM retired_generations WHERE starts_at BETWEEN $1 AND $2"
    );
    for row in transaction.query_all_raw(between(transaction, backend, sql, month)?).await? {
        let (artist, Cell { starts_at: created_at, kind, sums }) = Cell::read_with_artist(&row)?;
        take(Entry { artist, created_at, kind, sums });
    }
    Ok(Recount { generations, quarters, artists })
}

/// A statement whose two values are the ends of a stretch of time.
pub(super) fn between(
    transaction: &DatabaseTransaction,
    backend: Backend,
    sql: String,
    (first, last): (i64, i64),
) -> Result<Statement, Failure> {
    let values: [Value; 2] = [
        StoredTime::at_micros(backend, first)?.into(),
        StoredTime::at_micros(backend, last)?.into(),
    ];
    let backend = ConnectionTrait::get_database_backend(transaction);
    Ok(Statement::from_sql_and_values(backend, sql, values))
}
