//! What searches did, and how the index in memory stands.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use domain::{SearchMode, Version};

use super::{SearchSource, SimilarRead};

/// What the index in memory does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexState {
    /// It is not wanted, or its threads could not be started: the database answers.
    Off,
    /// It is being loaded; until then the database answers.
    Loading,
    /// It answers.
    Ready,
    /// It answers as soon as it has caught up with the changes that the feed told of.
    Behind,
    /// What is stored does not fit into the memory it may take: the database answers.
    TooLarge,
}

impl IndexState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Off, Self::Loading, Self::Ready, Self::Behind, Self::TooLarge];

    /// The state's name as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Loading => "loading",
            Self::Ready => "ready",
            Self::Behind => "behind",
            Self::TooLarge => "too_large",
        }
    }
}

/// How the index in memory stands, and how searches were answered since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimilarityStatus {
    /// What the index does.
    pub state: IndexState,
    /// How many embeddings it holds.
    pub vectors: u64,
    /// How many embeddings take memory though they were replaced or removed.
    pub dead_vectors: u64,
    /// In how many pieces they lie.
    pub segments: u64,
    /// How many bytes it takes now, with what searches under way still hold.
    pub memory_bytes: u64,
    /// How many bytes it may take.
    pub bound_bytes: u64,
    /// It holds every change up to this version.
    pub applied: Version,
    /// How searches were answered.
    pub searches: SearchCounts,
    /// Questions that the index was compared for, each one search or several at once.
    pub scans: u64,
    /// How long they took together, waiting for a thread included.
    pub scanning: Duration,
    /// How often the index asked for changes with success.
    pub catch_ups: u64,
    /// How often it did without.
    pub catch_up_failures: u64,
    /// How long it took the last time, from the first question until everything was taken in; `None` before the first.
    pub last_catch_up: Option<Duration>,
    /// Answers kept now; this lags a little behind.
    pub kept_answers: u64,
}

/// How searches were answered since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SearchCounts {
    /// From answers that were kept.
    pub memory: u64,
    /// From the index in memory.
    pub index: u64,
    /// From the database, where every embedding was compared.
    pub database_exact: u64,
    /// From the database, where an index chose what to compare.
    pub database_approximate: u64,
    /// Searches, among the ones above, whose answer was marked as stale.
    pub stale: u64,
    /// Searches that failed.
    pub failed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    memory: AtomicU64,
    index: AtomicU64,
    database_exact: AtomicU64,
    database_approximate: AtomicU64,
    stale: AtomicU64,
    failed: AtomicU64,
}

impl Counters {
    pub(super) fn answered(&self, read: &SimilarRead) {
        let counter = match (read.source, read.answer.exactness.mode) {
            (SearchSource::Memory, _) => &self.memory,
            (SearchSource::Index, _) => &self.index,
            (SearchSource::Database, SearchMode::Exact) => &self.database_exact,
            (SearchSource::Database, SearchMode::Approximate) => &self.database_approximate,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if read.stale {
            self.stale.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn failed(&self, searches: usize) {
        self.failed.fetch_add(u64::try_from(searches).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> SearchCounts {
        let Self { memory, index, database_exact, database_approximate, stale, failed } = self;
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SearchCounts {
            memory: now(memory),
            index: now(index),
            database_exact: now(database_exact),
            database_approximate: now(database_approximate),
            stale: now(stale),
            failed: now(failed),
        }
    }
}
