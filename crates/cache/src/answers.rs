//! Answers that are good for as long as nothing is committed to the store.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use moka::sync::{Cache, CacheBuilder};

use crate::feed::{Feed, FeedState};

/// What the cache itself needs for each entry: two list nodes, a hash slot, counters, the state.
const OVERHEAD: usize = 320;

/// Answers that were worked out from a store, handed out again while its state is the one that they were worked out in.
///
/// Each read learns the state anew, in a round of the feed that begins after the read and that all who come meanwhile
/// share. So an answer has everything that was committed before it was asked for, whoever committed it, and nothing has
/// to be told to this cache. When the state cannot be told, answers are worked out.
pub struct Answers<V> {
    feed: Feed,
    kept: Option<Cache<Arc<str>, Answer<V>>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Clone)]
struct Answer<V> {
    value: V,
    state: FeedState,
}

/// [`Answers`] as they stand. Counts are those since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AnswersStatus {
    /// Bytes that kept answers take, roughly.
    pub bytes: u64,
    /// Answers that were handed out again.
    pub hits: u64,
    /// Answers that were worked out.
    pub misses: u64,
}

impl<V: Clone + AsRef<[u8]> + Send + Sync + 'static> Answers<V> {
    /// Keeps so many bytes of answers at most; of none, every answer is worked out.
    #[must_use]
    pub fn new(feed: Feed, memory_bytes: u64) -> Self {
        let build = || {
            CacheBuilder::new(memory_bytes)
                .weigher(|question: &Arc<str>, answer: &Answer<V>| {
                    let bytes = question.len() + answer.value.as_ref().len() + OVERHEAD;
                    u32::try_from(bytes).unwrap_or(u32::MAX)
                })
                .build()
        };
        let kept = (memory_bytes != 0).then(build);
        let (hits, misses) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { feed, kept, hits, misses }
    }

    /// The answer to a question. It must follow from the question and what is stored alone, and `work_out` must read the
    /// store itself, or what the feed has brought up to date.
    pub async fn answer<E>(
        &self,
        question: &str,
        work_out: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        let Self { feed, kept, hits, misses } = self;
        // Before the work: what is committed while it goes on is in another state.
        let known = match kept {
            Some(kept) => feed.state().await.map(|state| (kept, state)),
            None => None,
        };
        if let Some((kept, state)) = &known
            && let Some(answer) = kept.get(question)
            && answer.state == *state
        {
            hits.fetch_add(1, Ordering::Relaxed);
            return Ok(answer.value);
        }
        misses.fetch_add(1, Ordering::Relaxed);
        let value = work_out().await?;
        if let Some((kept, state)) = known {
            kept.insert(question.into(), Answer { value: value.clone(), state });
        }
        Ok(value)
    }

    /// What is kept, and what that was good for.
    #[must_use]
    pub fn status(&self) -> AnswersStatus {
        let Self { feed: _, kept, hits, misses } = self;
        AnswersStatus {
            bytes: kept.as_ref().map_or(0, Cache::weighted_size),
            hits: hits.load(Ordering::Relaxed),
            misses: misses.load(Ordering::Relaxed),
        }
    }
}

impl<V> fmt::Debug for Answers<V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Answers").finish_non_exhaustive()
    }
}
