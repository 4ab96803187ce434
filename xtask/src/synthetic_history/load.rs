//! Writing a history into a store.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use api::command::import::Upkeep;
use domain::{GenerationStatus, Limit, NewGeneration, ProfileRecord, TimeRange};
use futures::{StreamExt as _, stream};
use storage::Store;

use super::SyntheticHistory;

/// How many generations, or artists, are written in one transaction.
const AT_ONCE: u64 = 1_000;

/// How many arrays are under way at once: while one is committed, the next is prepared.
const CONCURRENT_WRITES: usize = 2;

/// Whether a store may have a history already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// It must not.
    MustBeEmpty,
    /// What comes is added to it, unless it is there already.
    MayGrow,
}

/// How far a history is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loading {
    /// How many generations are recorded, now or before.
    pub generations: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many of them somebody stopped.
    pub cancelled: u64,
    /// Of how many it is not known what they cost.
    pub unpriced: u64,
    /// How many are nobody's.
    pub without_artist: u64,
    /// How many artists were made.
    pub artists: u64,
    /// How long it took so far.
    pub took: Duration,
}

impl Loading {
    /// Counts a generation.
    pub fn add(&mut self, generation: &NewGeneration) {
        self.generations += 1;
        match generation.details.status {
            GenerationStatus::Completed => {}
            GenerationStatus::Failed => self.failed += 1,
            GenerationStatus::Cancelled => self.cancelled += 1,
        }
        self.unpriced += u64::from(generation.details.cost.is_none());
        self.without_artist += u64::from(generation.artist.is_none());
    }
}

/// Writes a history and its artists into a store whose schema is up to date, and tells `on` how far it is.
///
/// It can be repeated, also after a failure: what is recorded already is not counted twice.
///
/// # Errors
///
/// When the store has a history and should not, or cannot be written.
pub async fn load(
    store: &Store,
    history: &SyntheticHistory,
    before: History,
    mut on: impl FnMut(&Loading),
) -> anyhow::Result<Loading> {
    let began = Instant::now();
    let generations = store.generations();
    if before == History::MustBeEmpty {
        let page = generations.page(TimeRange::ALL, None, Limit::new(1)?).await?;
        ensure!(page.items.is_empty(), "the database has a history already; --append adds to it");
    }
    let mut loading =
        Loading { artists: make_artists(store, history).await?, ..Loading::default() };

    let mut upkeep = Upkeep::of(store);
    upkeep.begin().await?;
    let rows = history.settings().rows;
    let mut arrays = stream::iter((0..rows.div_ceil(AT_ONCE)).map(|array| {
        let generations = &generations;
        async move {
            let numbers = array * AT_ONCE..rows.min((array + 1) * AT_ONCE);
            let all: Vec<NewGeneration> =
                numbers.map(|number| history.generation(number)).collect::<anyhow::Result<_>>()?;
            let mut counted = Loading::default();
            for generation in &all {
                counted.add(generation);
            }
            generations
                .record(all, &domain::Author::at_the_command_line())
                .await
                .context("generations cannot be recorded")?;
            anyhow::Ok(counted)
        }
    }))
    .buffer_unordered(CONCURRENT_WRITES);
    while let Some(counted) = arrays.next().await {
        let counted = counted?;
        upkeep.recorded(counted.generations);
        loading.generations += counted.generations;
        loading.failed += counted.failed;
        loading.cancelled += counted.cancelled;
        loading.unpriced += counted.unpriced;
        loading.without_artist += counted.without_artist;
        loading.took = began.elapsed();
        on(&loading);
    }
    upkeep.finish().await.context("sums cannot be brought up to date")?;
    loading.took = began.elapsed();
    Ok(loading)
}

/// Stores the artists that are not there, and returns how many there were.
async fn make_artists(store: &Store, history: &SyntheticHistory) -> anyhow::Result<u64> {
    let bulk_load = store.bulk_load();
    let mut made = 0;
    for names in history.artists().chunks(usize::try_from(AT_ONCE)?) {
        let record = |artist: &_| ProfileRecord::Artist {
            artist: Clone::clone(artist),
            sources: Vec::new(),
        };
        let counts = bulk_load
            .load(names.iter().map(record).collect(), &domain::Author::at_the_command_line())
            .await;
        made += counts.context("artists cannot be stored")?.created;
    }
    bulk_load.finish().await.context("statistics cannot be brought up to date")?;
    Ok(made)
}
