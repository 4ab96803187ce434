//! Where each answer comes from, and whether it is recent enough.

use std::{pin::pin, sync::Arc, time::Duration};

use domain::{Engine, Exactness, Neighbours, RepositoryError, Search, SimilarArtists, Version};
use tokio::time::{Instant, timeout};

use super::{
    SearchSource, SimilarRead,
    index::Index,
    kept::{Answer, Basis, Kept},
    scanner::Scanner,
    snapshot::Snapshot,
};
use crate::{feed::Feed, freshness::Freshness};

/// How long a search waits for a database that may be gone before it takes the last good answer instead.
const PATIENCE: Duration = Duration::from_millis(500);

/// Everything that answers come from.
pub(super) struct Reads {
    pub(super) inner: Arc<dyn SimilarArtists>,
    pub(super) feed: Feed,
    pub(super) memory: Option<Memory>,
    pub(super) kept: Kept,
}

/// The index, and who scans it.
pub(super) struct Memory {
    pub(super) index: Index,
    pub(super) scanner: Scanner,
}

/// What searches may rely on.
struct Ground {
    /// When the catalog was complete, and the newest version that it knew.
    catalog: Option<(Instant, Version)>,
    /// The index, and when it was complete.
    index: Option<(Arc<Snapshot>, Instant)>,
    /// Whether that is longer ago than promised.
    is_stale: bool,
}

/// A store gave fewer answers than there were searches.
#[derive(Debug, thiserror::Error)]
#[error("a search was left without an answer")]
struct Missing;

pub(super) fn missing() -> RepositoryError {
    RepositoryError::Internal(Arc::new(Missing))
}

impl Reads {
    /// The answers to searches, in the order asked for.
    pub(super) async fn of(
        &self,
        searches: &[Search],
        freshness: Freshness,
    ) -> Result<Vec<SimilarRead>, RepositoryError> {
        let ground = self.ground(freshness).await?;
        let mut reads = self.in_memory(searches, &ground).await?;
        let open: Vec<Search> = searches
            .iter()
            .zip(&reads)
            .filter(|(_, read)| read.is_none())
            .map(|(search, _)| search.clone())
            .collect();
        if !open.is_empty() {
            let stored = self.in_database(&open, &ground, freshness).await?;
            for (read, stored) in reads.iter_mut().filter(|read| read.is_none()).zip(stored) {
                *read = Some(stored);
            }
        }
        reads.into_iter().map(|read| read.ok_or_else(missing)).collect()
    }

    /// What searches of this freshness may rely on.
    async fn ground(&self, freshness: Freshness) -> Result<Ground, RepositoryError> {
        let began = Instant::now();
        let complete = match freshness {
            Freshness::Default => self.feed.reliable().map(|(at, _)| at),
            Freshness::Strict => {
                self.feed.confirm_soon().await?;
                Some(self.feed.catalog().confirmed().unwrap_or(began))
            }
        };
        let catalog = complete.map(|at| (at, self.feed.catalog().newest()));
        let Some(Memory { index, .. }) = &self.memory else {
            return Ok(Ground { catalog, index: None, is_stale: false });
        };
        if let Some((complete, newest)) = catalog {
            // When it cannot catch up in time, the database answers.
            let snapshot = index.up_to(newest).await.ok().flatten();
            let index = snapshot.map(|snapshot| (snapshot, complete));
            return Ok(Ground { catalog, index, is_stale: false });
        }
        let nothing = Ground { catalog: None, index: None, is_stale: false };
        if self.feed.is_unreachable() && index.is_in_vain() {
            return Ok(self.last_good().unwrap_or(nothing));
        }
        // What is asked for after the search began decides.
        Ok(match index.up_to_now().await {
            Ok(Some(snapshot)) => Ground { index: Some((snapshot, began)), ..nothing },
            Err(RepositoryError::Unavailable(_)) => self.last_good().unwrap_or(nothing),
            Ok(None) | Err(_) => nothing,
        })
    }

    /// What was known last, if that is not too long ago. What is known to be out of date is not in it.
    fn last_good(&self) -> Option<Ground> {
        let bounds = self.feed.bounds();
        let is_good = |at: &Instant| at.elapsed() <= bounds.max_stale_if_error;
        let complete = self.feed.catalog().confirmed()?;
        let newest = self.feed.catalog().newest();
        let index = self.memory.as_ref().and_then(|Memory { index, .. }| {
            let later = index.complete_as_of().unwrap_or(complete).max(complete);
            let snapshot = index.snapshot().filter(|snapshot| newest <= snapshot.applied)?;
            is_good(&later).then_some((snapshot, later))
        });
        let catalog = is_good(&complete).then_some((complete, newest));
        Some(Ground { catalog, index, is_stale: true })
    }

    /// The answers that need no database: those that were kept, and those of the index.
    async fn in_memory(
        &self,
        searches: &[Search],
        ground: &Ground,
    ) -> Result<Vec<Option<SimilarRead>>, RepositoryError> {
        let mut reads: Vec<_> = searches.iter().map(|search| self.kept(search, ground)).collect();
        let (Some(Memory { scanner, .. }), Some((snapshot, complete))) =
            (&self.memory, &ground.index)
        else {
            return Ok(reads);
        };
        // The store's index is asked for where it can be.
        let is_open = |(search, read): &(&Search, &mut Option<SimilarRead>)| {
            read.is_none() && (ground.is_stale || search.engine != Engine::Approximate)
        };
        let open: Vec<_> = searches.iter().zip(&mut reads).filter(is_open).collect();
        if open.is_empty() {
            return Ok(reads);
        }
        let searches = open.iter().map(|(search, _)| (*search).clone()).collect();
        let answers = scanner.answer(Arc::clone(snapshot), searches).await?;
        for ((search, read), neighbours) in open.into_iter().zip(answers) {
            let answer = Arc::new(neighbours);
            if !ground.is_stale {
                self.kept.put(search, &answer, Basis::Index(snapshot.generation));
            }
            let (age, stale) = (complete.elapsed(), ground.is_stale);
            *read = Some(SimilarRead { answer, source: SearchSource::Index, age, stale });
        }
        Ok(reads)
    }

    /// The answer that was kept from an earlier search, if it is still good.
    fn kept(&self, search: &Search, ground: &Ground) -> Option<SimilarRead> {
        let Answer { neighbours, basis } = self.kept.find(search)?;
        let (answer, complete) = match basis {
            // The index may do better than the database did while there was none.
            Basis::Database(_)
                if ground.index.is_some() && search.engine != Engine::Approximate =>
            {
                return None;
            }
            Basis::Database(newest) => {
                let (complete, _) = ground.catalog.filter(|(_, known)| *known == newest)?;
                (neighbours, complete)
            }
            Basis::Index(generation) => {
                let (snapshot, complete) = ground.index.as_ref()?;
                if snapshot.generation != generation {
                    return None;
                }
                (self.as_of(search, neighbours, snapshot), *complete)
            }
        };
        let (age, stale) = (complete.elapsed(), ground.is_stale);
        Some(SimilarRead { answer, source: SearchSource::Memory, age, stale })
    }

    /// The same answer, which includes later changes because none of them changed it.
    fn as_of(
        &self,
        search: &Search,
        neighbours: Arc<Neighbours>,
        snapshot: &Snapshot,
    ) -> Arc<Neighbours> {
        if snapshot.applied <= neighbours.exactness.as_of {
            return neighbours;
        }
        let Neighbours { neighbours, exactness } = Arc::unwrap_or_clone(neighbours);
        let exactness = Exactness { as_of: snapshot.applied, ..exactness };
        let neighbours = Arc::new(Neighbours { neighbours, exactness });
        self.kept.put(search, &neighbours, Basis::Index(snapshot.generation));
        neighbours
    }

    /// What the database answers; if it cannot be reached, and the last good answers will do, those.
    async fn in_database(
        &self,
        searches: &[Search],
        ground: &Ground,
        freshness: Freshness,
    ) -> Result<Vec<SimilarRead>, RepositoryError> {
        let mut asking = pin!(self.ask(searches, ground));
        if freshness == Freshness::Strict {
            return asking.await;
        }
        // A database that can be followed may take as long as it needs.
        let answer = if ground.catalog.is_some() {
            asking.await
        } else if let Ok(answer) = timeout(PATIENCE, asking.as_mut()).await {
            answer
        } else if let Some(reads) = self.last_good_of(searches).await {
            return Ok(reads);
        } else {
            asking.await
        };
        match answer {
            Err(error @ RepositoryError::Unavailable(_)) => {
                self.last_good_of(searches).await.ok_or(error)
            }
            answer => answer,
        }
    }

    async fn ask(
        &self,
        searches: &[Search],
        ground: &Ground,
    ) -> Result<Vec<SimilarRead>, RepositoryError> {
        let asked = Instant::now();
        let answers = match searches {
            [search] => vec![self.inner.nearest(search).await?],
            searches => self.inner.nearest_many(searches).await?,
        };
        let read = |(search, neighbours): (&Search, Neighbours)| {
            let answer = Arc::new(neighbours);
            if let Some((_, newest)) = ground.catalog {
                self.kept.put(search, &answer, Basis::Database(newest));
            }
            let age = asked.elapsed();
            SimilarRead { answer, source: SearchSource::Database, age, stale: false }
        };
        Ok(searches.iter().zip(answers).map(read).collect())
    }

    /// The last answers that were known to be good, all or none.
    async fn last_good_of(&self, searches: &[Search]) -> Option<Vec<SimilarRead>> {
        let ground = self.last_good()?;
        self.in_memory(searches, &ground).await.ok()?.into_iter().collect()
    }
}
