//! Whether sums are what the generations say.

use std::{collections::HashMap, fmt, hash::Hash};

use domain::{ArtistId, GenerationKind, Sums, TimeRange, Timestamp};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, Value};

use super::{
    Width,
    cell::{CELL, Cell},
    recount::{ByArtist, ByTime, Recount, between, recount},
};
use crate::{
    entity::{StoredTime, get},
    error::Failure,
    store::{Backend, Store},
};

/// How many differences are described.
const DESCRIBED: usize = 20;

/// How far sums are from what the generations say.
#[derive(Debug, Clone, Default)]
pub struct Drift {
    /// How many generations were summed up again, not counting those that were dropped because of their age.
    pub generations: u64,
    /// How many sums were compared.
    pub sums: u64,
    /// How many of them differ, or are there without need, or missing.
    pub different: u64,
    /// The first of those.
    pub differences: Vec<Difference>,
}

/// A sum that is not what it should be.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Which sum.
    pub place: String,
    /// What it should be.
    pub expected: Sums,
    /// What it is.
    pub found: Sums,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, expected, found } = self;
        let sums = |sums: &Sums| {
            format!(
                "{} generations, {} ms, {} USD over {}, {} tokens",
                sums.generations, sums.time_ms, sums.cost, sums.priced, sums.tokens.used
            )
        };
        write!(formatter, "{place}: {} instead of {}", sums(found), sums(expected))?;
        if sums(found) == sums(expected) {
            formatter.write_str("; the times or other tokens differ")?;
        }
        Ok(())
    }
}

impl Drift {
    fn compare<K: Eq + Hash>(
        &mut self,
        mut expected: HashMap<K, Sums>,
        found: HashMap<K, Sums>,
        place: impl Fn(&K) -> String,
    ) {
        for (key, found) in found {
            let expected = expected.remove(&key).unwrap_or_default();
            self.note(expected, found, || place(&key));
        }
        for (key, expected) in expected {
            self.note(expected, Sums::default(), || place(&key));
        }
    }

    fn note(&mut self, expected: Sums, found: Sums, place: impl Fn() -> String) {
        self.sums += 1;
        if expected == found {
            return;
        }
        self.different += 1;
        if self.differences.len() < DESCRIBED {
            self.differences.push(Difference { place: place(), expected, found });
        }
    }
}

pub(super) async fn verify(
    store: &Store,
    progress: &(impl Fn(u64) + Send + Sync),
) -> Result<Drift, Failure> {
    let transaction = store.begin_reading().await?;
    store.take_time(&transaction).await?;
    let backend = store.backend();
    let mut drift = Drift::default();
    let mut ever = ByArtist::new();
    let mut from = i64::MIN;
    while let Some(month) = next_month(&transaction, backend, from).await? {
        from = Width::Month.end(month);
        let stretch = (month, from - 1);
        let Recount { generations, quarters, artists } =
            recount(&transaction, backend, stretch).await?;
        drift.generations += generations;
        progress(drift.generations);

        let mut folded = HashMap::new();
        for width in Width::OF_ALL {
            folded.insert(width, cells(&transaction, backend, width, stretch).await?);
        }
        let kept = folded.remove(&Width::Quarter).unwrap_or_default();
        for (width, found) in folded {
            let mut expected = ByTime::new();
            for ((starts_at, kind), sums) in &kept {
                expected.entry((width.floor(*starts_at), kind.clone())).or_default().add(sums);
            }
            drift.compare(expected, found, |(starts_at, kind)| place(width, *starts_at, kind));
        }
        let mut found = kept;
        for (key, sums) in pending(&transaction, backend, stretch).await? {
            found.entry(key).or_default().add(&sums);
        }
        drift.compare(quarters, found, |(starts_at, kind)| place(Width::Quarter, *starts_at, kind));

        let mut found = artist_cells(&transaction, backend, Width::Month, stretch).await?;
        for ((artist, kind), sums) in &found {
            ever.entry((*artist, kind.clone())).or_default().add(sums);
        }
        for (key, sums) in artist_pending(&transaction, backend, stretch).await? {
            found.entry(key).or_default().add(&sums);
        }
        drift.compare(artists, found, |key| artist_place(Width::Month, month, key));
    }
    let always = (TimeRange::ALL.from_micros(), TimeRange::ALL.to_micros() - 1);
    let found = artist_cells(&transaction, backend, Width::Ever, always).await?;
    drift.compare(ever, found, |key| artist_place(Width::Ever, 0, key));
    if backend == Backend::Postgres {
        let count = |generations| Sums { generations, ..Sums::default() };
        for found in identities(&transaction).await? {
            drift.note(count(drift.generations), count(found), || "identities".to_owned());
        }
    }
    transaction.commit().await?;
    Ok(drift)
}

/// How many identities are taken, and how many of them by a generation that is there.
async fn identities(transaction: &DatabaseTransaction) -> Result<[u64; 2], Failure> {
    let sql = "
        SELECT count(*), count(made.id) FROM generation_ids AS taken LEFT JOIN generation_history AS made
         ON made.created_at = taken.created_at AND made.id = taken.id";
    let statement = Statement::from_string(transaction.get_database_backend(), sql);
    let Some(row) = transaction.query_one_raw(statement).await? else { return Ok([0, 0]) };
    let count = |column| u64::try_from(get::<i64>(&row, column)?).map_err(Failure::corrupt);
    Ok([count(0)?, count(1)?])
}

fn place(width: Width, starts_at: i64, kind: &GenerationKind) -> String {
    let since = Timestamp::from_unix_micros(starts_at)
        .map_or_else(|_| starts_at.to_string(), |time| time.to_string());
    let what = match width {
        Width::Quarter => "quarter of an hour",
        Width::Hour => "hour",
        Width::Day => "day",
        Width::Month => "month",
        Width::Ever => return format!("all time, {}", kind_text(kind)),
    };
    format!("{what} from {since}, {}", kind_text(kind))
}

fn kind_text(GenerationKind { provider, model, status }: &GenerationKind) -> String {
    let model = model.as_ref().map_or("no model", |model| model.as_str());
    format!("{provider}, {model}, {status}")
}

fn artist_place(
    width: Width,
    starts_at: i64,
    (artist, kind): &(Option<ArtistId>, GenerationKind),
) -> String {
    let artist = artist.map_or_else(|| "no artist".to_owned(), |it| format!("artist {it}"));
    format!("{artist}, {}", place(width, starts_at, kind))
}

/// The first month that is not before a point in time and of which there is anything.
pub(super) async fn next_month(
    transaction: &DatabaseTransaction,
    backend: Backend,
    from: i64,
) -> Result<Option<i64>, Failure> {
    let sql = "
        SELECT min(earliest) FROM (
         SELECT min(created_at) AS earliest FROM generation_history WHERE created_at >= $1
         UNION ALL SELECT min(starts_at) FROM generation_rollups WHERE width = 1 AND starts_at >= $1
         UNION ALL SELECT min(starts_at) FROM generation_rollups WHERE width = 2 AND starts_at >= $1
         UNION ALL SELECT min(starts_at) FROM generation_rollups WHERE width = 3 AND starts_at >= $1
         UNION ALL SELECT min(starts_at) FROM generation_rollups WHERE width = 4 AND starts_at >= $1
         UNION ALL SELECT min(starts_at) FROM generation_rollup_pending WHERE starts_at >= $1
         UNION ALL SELECT min(starts_at) FROM generation_artist_rollups WHERE width = 4 AND starts_at >= $1
         UNION ALL SELECT min(starts_at) FROM generation_artist_pending WHERE starts_at >= $1
         UNION ALL SELECT min(starts_at) FROM retired_generations WHERE starts_at >= $1) AS parts";
    let all = TimeRange::ALL;
    if all.to_micros() <= from {
        return Ok(None);
    }
    let from = StoredTime::at_micros(backend, from.max(all.from_micros()))?;
    let statement = Statement::from_sql_and_values(
        transaction.get_database_backend(),
        sql,
        [Value::from(from)],
    );
    let Some(row) = transaction.query_one_raw(statement).await? else { return Ok(None) };
    let earliest: Option<StoredTime> = get(&row, 0)?;
    Ok(earliest.map(|time| Width::Month.floor(time.unix_micros())))
}

async fn cells(
    transaction: &DatabaseTransaction,
    backend: Backend,
    width: Width,
    stretch: (i64, i64),
) -> Result<ByTime, Failure> {
    let sql = format!(
        "SELECT {CELL} FROM generation_rollups WHERE starts_at BETWEEN $1 AND $2 AND width = {}",
        width.stored()
    );
    by_time(transaction, between(transaction, backend, sql, stretch)?).await
}

async fn pending(
    transaction: &DatabaseTransaction,
    backend: Backend,
    stretch: (i64, i64),
) -> Result<ByTime, Failure> {
    let sql =
        format!("SELECT {CELL} FROM generation_rollup_pending WHERE starts_at BETWEEN $1 AND $2");
    by_time(transaction, between(transaction, backend, sql, stretch)?).await
}

async fn by_time(
    transaction: &DatabaseTransaction,
    statement: Statement,
) -> Result<ByTime, Failure> {
    let mut sums = ByTime::new();
    for row in transaction.query_all_raw(statement).await? {
        let Cell { starts_at, kind, sums: cell } = Cell::read(&row, 0)?;
        sums.entry((starts_at, kind)).or_default().add(&cell);
    }
    Ok(sums)
}

async fn artist_cells(
    transaction: &DatabaseTransaction,
    backend: Backend,
    width: Width,
    stretch: (i64, i64),
) -> Result<ByArtist, Failure> {
    let sql = format!(
        "SELECT artist_id, {CELL} FROM generation_artist_rollups
         WHERE starts_at BETWEEN $1 AND $2 AND width = {}",
        width.stored()
    );
    by_artist(transaction, between(transaction, backend, sql, stretch)?).await
}

async fn artist_pending(
    transaction: &DatabaseTransaction,
    backend: Backend,
    stretch: (i64, i64),
) -> Result<ByArtist, Failure> {
    let sql = format!(
        "SELECT artist_id, {CELL} FROM generation_artist_pending WHERE starts_at BETWEEN $1 AND $2"
    );
    by_artist(transaction, between(transaction, backend, sql, stretch)?).await
}

async fn by_artist(
    transaction: &DatabaseTransaction,
    statement: Statement,
) -> Result<ByArtist, Failure> {
    let mut sums = ByArtist::new();
    for row in transaction.query_all_raw(statement).await? {
        let (artist, Cell { starts_at: _, kind, sums: cell }) = Cell::read_with_artist(&row)?;
        sums.entry((artist, kind)).or_default().add(&cell);
    }
    Ok(sums)
}
