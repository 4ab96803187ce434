//! Similar artists from an index in memory.

mod bits;
mod codes;
mod facts;
mod gauge;
mod index;
mod kept;
mod pass;
mod question;
mod reads;
mod room;
mod scanner;
mod segment;
mod shortlist;
mod snapshot;
mod status;
mod writer;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{Neighbours, RepositoryError, Search, SimilarArtists, StyleVectors, Version};

use crate::{feed::Feed, freshness::Freshness};
use index::Index;
use kept::Kept;
use reads::{Memory, Reads, missing};
use scanner::Scanner;
use snapshot::Snapshot;
use status::Counters;

pub use status::{IndexState, SearchCounts, SimilarityStatus};

/// What searches may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimilaritySettings {
    /// How many bytes the index in memory may take. At 0 there is none, and the database answers.
    ///
    /// A 32nd of it is left free when the index is loaded, for what changes later. What is read at a time while it is loaded
    /// takes some 16 MiB besides, and each search under way, of a batch too, some 64 KiB for each thread that compares; more
    /// only where thousands of artists are as close as the last one that was asked for.
    pub memory_bytes: u64,
    /// How many answers are kept at most; none at 0.
    pub answers: u64,
    /// How many threads compare, at least 1.
    pub threads: usize,
}

/// Where an answer to a search came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SearchSource {
    /// It was kept from an earlier search for the same.
    Memory,
    /// The index in memory.
    Index,
    /// The database.
    Database,
}

impl SearchSource {
    /// Every source.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Index, Self::Database];

    /// The source's name as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Index => "index",
            Self::Database => "database",
        }
    }
}

/// An answer to a search, and what it can be trusted for.
#[derive(Debug, Clone, PartialEq)]
pub struct SimilarRead {
    /// Who plays alike.
    pub answer: Arc<Neighbours>,
    /// Where the answer came from.
    pub source: SearchSource,
    /// How long ago it was known to be current.
    pub age: Duration,
    /// Whether it may be older than the read was promised, because the database cannot be reached.
    pub stale: bool,
}

/// Decorates a store's search for similar artists with an index in memory, and keeps answers.
///
/// The index holds every embedding of the store and what filters look at. A scan of 8-bit codes, which can only be wrong by
/// so much, rules out who cannot be among the closest; the others are compared as the store would. So answers are exact:
/// the same artists, scores and order as from a store that compares everything.
///
/// The index follows the change feed, and what this instance has written is found by its next search. While it is being
/// loaded, when it would take more memory than it may, and for [`domain::Engine::Approximate`], the database answers. Clones share
/// everything.
#[derive(Clone)]
pub struct CachedSimilarArtists {
    shared: Arc<Parts>,
}

struct Parts {
    reads: Reads,
    bound_bytes: u64,
    counters: Counters,
}

impl CachedSimilarArtists {
    /// In front of `inner`, with an index that is loaded from `vectors`. All of them, and the changes that `feed` follows,
    /// must be of the same store.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn start(
        inner: Arc<dyn SimilarArtists>,
        vectors: Arc<dyn StyleVectors>,
        feed: Feed,
        settings: SimilaritySettings,
    ) -> Self {
        let SimilaritySettings { memory_bytes, answers, threads } = settings;
        let scanner = (memory_bytes != 0).then(|| Scanner::new(threads)).transpose();
        let scanner = scanner.unwrap_or_else(|error| {
            tracing::error!(%error, "No threads for the index of similar artists; the database answers");
            None
        });
        let memory = scanner.map(|scanner| {
            let index = Index::start(vectors, feed.clone(), memory_bytes);
            Memory { index, scanner }
        });
        let reads = Reads { inner, feed, memory, kept: Kept::new(answers) };
        let counters = Counters::default();
        Self { shared: Arc::new(Parts { reads, bound_bytes: memory_bytes, counters }) }
    }

    /// Returns who plays alike, as fresh as asked for.
    ///
    /// A strict search fails when the store cannot be reached; a default one does when besides there is no good answer at
    /// hand, see [`crate::Bounds::max_stale_if_error`].
    pub async fn read(
        &self,
        search: &Search,
        freshness: Freshness,
    ) -> Result<SimilarRead, RepositoryError> {
        let reads = self.read_many(std::slice::from_ref(search), freshness).await?;
        reads.into_iter().next().ok_or_else(missing)
    }

    /// The same for many searches, in the order asked for. What the index answers of them is answered in one pass, as of
    /// one version.
    pub async fn read_many(
        &self,
        searches: &[Search],
        freshness: Freshness,
    ) -> Result<Vec<SimilarRead>, RepositoryError> {
        let reads = self.shared.reads.of(searches, freshness).await;
        match &reads {
            Ok(reads) => reads.iter().for_each(|read| self.shared.counters.answered(read)),
            Err(_) => self.shared.counters.failed(searches.len()),
        }
        reads
    }

    /// How the index stands, and how searches were answered so far.
    #[must_use]
    pub fn status(&self) -> SimilarityStatus {
        let Parts { reads: Reads { inner: _, feed: _, memory, kept }, bound_bytes, counters } =
            &*self.shared;
        let index = memory.as_ref().map(|memory| &memory.index);
        let snapshot = index.and_then(Index::snapshot);
        let of_snapshot = |count: fn(&Snapshot) -> usize| {
            snapshot.as_deref().map_or(0, |it| u64::try_from(count(it)).unwrap_or(u64::MAX))
        };
        let (scans, scanning) =
            memory.as_ref().map_or((0, Duration::ZERO), |memory| memory.scanner.passes());
        let (catch_ups, catch_up_failures) = index.map_or((0, 0), Index::rounds);
        SimilarityStatus {
            state: index.map_or(IndexState::Off, Index::state),
            vectors: of_snapshot(|it| it.vectors),
            dead_vectors: of_snapshot(|it| it.rows() - it.vectors),
            segments: of_snapshot(|it| it.pieces.len()),
            memory_bytes: index.map_or(0, Index::bytes),
            bound_bytes: *bound_bytes,
            applied: snapshot.as_ref().map_or(Version::ZERO, |it| it.applied),
            searches: counters.read(),
            scans,
            scanning,
            catch_ups,
            catch_up_failures,
            last_catch_up: index.and_then(Index::last_round),
            kept_answers: kept.len(),
        }
    }

    /// Stops following the store. The index stays as it is, and searches that need a later one go to the database.
    pub fn stop(&self) {
        if let Some(memory) = &self.shared.reads.memory {
            memory.index.stop();
        }
    }

    /// Waits until the index is loaded, or until it is known that it does not fit. It returns at once when it is off.
    pub async fn loaded(&self) {
        if let Some(memory) = &self.shared.reads.memory {
            memory.index.loaded().await;
        }
    }
}

#[async_trait]
impl SimilarArtists for CachedSimilarArtists {
    async fn nearest(&self, search: &Search) -> Result<Neighbours, RepositoryError> {
        let read = self.read(search, Freshness::Default).await?;
        Ok(Arc::unwrap_or_clone(read.answer))
    }

    async fn nearest_many(&self, searches: &[Search]) -> Result<Vec<Neighbours>, RepositoryError> {
        let reads = self.read_many(searches, Freshness::Default).await?;
        Ok(reads.into_iter().map(|read| Arc::unwrap_or_clone(read.answer)).collect())
    }
}
