//! Cells of a table, by key: looking them up, and writing them.

use std::{collections::HashMap, hash::Hash};

use domain::{ArtistId, GenerationKind, Sums};
use sea_orm::{ConnectionTrait, Statement, Value};

use super::{
    Width,
    cell::{CELL, Cell, key_values, stored_artist},
};
use crate::{
    entity::get,
    error::Failure,
    insert::{insert, placeholders, power_of_two},
    store::Backend,
};

/// Keys of one statement.
const MOST_KEYS: usize = 512;

/// What tells the cells of one table apart. Keys ascend as in the table's index, so that neighbours are written together
/// and a large index is gone through once.
pub(super) trait Key: Clone + Ord + Hash + Sized {
    /// The table.
    const TABLE: &'static str;
    /// The columns of the key before those of [`CELL`].
    const OWN_COLUMNS: &'static [&'static str];

    fn own_values(&self) -> Vec<Value>;
    fn starts_at(&self) -> i64;
    fn kind(&self) -> &GenerationKind;
}

/// A cell of `generation_rollups`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RollupKey {
    pub(super) width: Width,
    pub(super) starts_at: i64,
    pub(super) kind: GenerationKind,
}

impl RollupKey {
    /// The cells of every width that sums over quarters add up to.
    pub(super) fn of_quarters(
        quarters: impl IntoIterator<Item = (i64, GenerationKind, Sums)>,
    ) -> HashMap<Self, Sums> {
        let mut cells: HashMap<Self, Sums> = HashMap::new();
        for (quarter, kind, sums) in quarters {
            for width in Width::OF_ALL {
                let starts_at = width.floor(quarter);
                cells.entry(Self { width, starts_at, kind: kind.clone() }).or_default().add(&sums);
            }
        }
        cells
    }
}

impl Key for RollupKey {
    const TABLE: &'static str = "generation_rollups";
    const OWN_COLUMNS: &'static [&'static str] = &["width"];

    fn own_values(&self) -> Vec<Value> {
        vec![self.width.stored().into()]
    }

    fn starts_at(&self) -> i64 {
        self.starts_at
    }

    fn kind(&self) -> &GenerationKind {
        &self.kind
    }
}

/// A cell of `generation_artist_rollups`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ArtistKey {
    pub(super) artist: Option<ArtistId>,
    pub(super) width: Width,
    pub(super) starts_at: i64,
    pub(super) kind: GenerationKind,
}

impl ArtistKey {
    /// The cells of some widths that sums over months add up to.
    pub(super) fn of_months(
        widths: &[Width],
        months: impl IntoIterator<Item = (Option<ArtistId>, Cell)>,
    ) -> HashMap<Self, Sums> {
        let mut cells = HashMap::new();
        for month in months {
            Self::add_month(&mut cells, widths, month);
        }
        cells
    }

    /// Adds a month of an artist to the sums over it of some widths.
    pub(super) fn add_month(
        cells: &mut HashMap<Self, Sums>,
        widths: &[Width],
        (artist, Cell { starts_at: month, kind, sums }): (Option<ArtistId>, Cell),
    ) {
        for &width in widths {
            let starts_at = width.floor(month);
            let key = Self { artist, width, starts_at, kind: kind.clone() };
            cells.entry(key).or_default().add(&sums);
        }
    }
}

impl Key for ArtistKey {
    const TABLE: &'static str = "generation_artist_rollups";
    const OWN_COLUMNS: &'static [&'static str] = &["artist_id", "width"];

    fn own_values(&self) -> Vec<Value> {
        vec![stored_artist(self.artist).into(), self.width.stored().into()]
    }

    fn starts_at(&self) -> i64 {
        self.starts_at
    }

    fn kind(&self) -> &GenerationKind {
        &self.kind
    }
}

/// A cell of `retired_generations`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RetiredKey {
    pub(super) artist: Option<ArtistId>,
    pub(super) starts_at: i64,
    pub(super) kind: GenerationKind,
}

impl Key for RetiredKey {
    const TABLE: &'static str = "retired_generations";
    const OWN_COLUMNS: &'static [&'static str] = &["artist_id"];

    fn own_values(&self) -> Vec<Value> {
        vec![stored_artist(self.artist).into()]
    }

    fn starts_at(&self) -> i64 {
        self.starts_at
    }

    fn kind(&self) -> &GenerationKind {
        &self.kind
    }
}

/// Adds sums to the cells under their keys. Nobody else may write those meanwhile.
pub(super) async fn add<K: Key>(
    database: &impl ConnectionTrait,
    backend: Backend,
    mut sums: HashMap<K, Sums>,
) -> Result<(), Failure> {
    let mut keys: Vec<K> = sums.keys().cloned().collect();
    keys.sort_unstable();
    let mut rest = keys.as_slice();
    while !rest.is_empty() {
        let (some, others) = rest.split_at(power_of_two(rest.len().min(MOST_KEYS)));
        for (key, cell) in some.iter().zip(find(database, backend, some).await?) {
            if let (Some(sums), Some(cell)) = (sums.get_mut(key), cell) {
                sums.add(&cell);
            }
        }
        rest = others;
    }
    put(database, backend, sums).await
}

/// Writes cells, over those that are there under the same keys.
pub(super) async fn put<K: Key>(
    database: &impl ConnectionTrait,
    backend: Backend,
    sums: HashMap<K, Sums>,
) -> Result<(), Failure> {
    let columns = format!("{}, {CELL}", K::OWN_COLUMNS.join(", "));
    let replace: Vec<String> = CELL
        .split(", ")
        .map(str::trim)
        .skip(4)
        .map(|column| format!("{column} = excluded.{column}"))
        .collect();
    let conflict = format!(
        "ON CONFLICT ({}, starts_at, provider_used, model, status) DO UPDATE SET {}",
        K::OWN_COLUMNS.join(", "),
        replace.join(", ")
    );
    let mut sums: Vec<(K, Sums)> = sums.into_iter().collect();
    sums.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
    let rows = sums
        .into_iter()
        .map(|(key, sums)| {
            let cell = Cell { starts_at: key.starts_at(), kind: key.kind().clone(), sums };
            Ok(key.own_values().into_iter().chain(cell.values(backend)?))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    insert(database, backend, (K::TABLE, &columns, &conflict), rows).await
}

/// The sums under some keys, in the order of the keys.
async fn find<K: Key>(
    database: &impl ConnectionTrait,
    backend: Backend,
    keys: &[K],
) -> Result<Vec<Option<Sums>>, Failure> {
    let own = K::OWN_COLUMNS;
    let columns = 1 + own.len() + 4;
    let mut values: Vec<Value> = Vec::with_capacity(keys.len() * columns);
    for (place, key) in keys.iter().enumerate() {
        values.push(i64::try_from(place).map_err(Failure::corrupt)?.into());
        values.extend(key.own_values());
        values.extend(key_values(backend, key.starts_at(), key.kind())?);
    }
    let wanted: Vec<String> =
        own.iter().map(|column| format!("cells.{column} = wanted.{column}")).collect();
    let cell: Vec<String> =
        CELL.split(", ").map(|column| format!("cells.{}", column.trim())).collect();
    let sql = format!(
        "WITH wanted (place, {}, starts_at, provider_used, model, status) AS (VALUES {})
         SELECT wanted.place, {} FROM wanted JOIN {} AS cells ON {}
          AND cells.starts_at = wanted.starts_at AND cells.provider_used = wanted.provider_used
          AND cells.model = wanted.model AND cells.status = wanted.status",
        own.join(", "),
        placeholders(backend, keys.len(), columns),
        cell.join(", "),
        K::TABLE,
        wanted.join(" AND "),
    );
    let statement = Statement::from_sql_and_values(database.get_database_backend(), sql, values);
    let mut found = vec![None; keys.len()];
    for row in database.query_all_raw(statement).await? {
        let place = usize::try_from(get::<i64>(&row, 0)?).map_err(Failure::corrupt)?;
        if let Some(place) = found.get_mut(place) {
            *place = Some(Cell::read(&row, 1)?.sums);
        }
    }
    Ok(found)
}
