//! Answers to searches that are asked again.

use std::sync::Arc;

use domain::{Neighbours, Search, Version};
use hashbrown::DefaultHashBuilder;
use moka::sync::{Cache, CacheBuilder};

/// Answers by search, as many as are worth their memory.
pub(super) struct Kept {
    /// A search is 384 numbers long, and hashed with each look.
    answers: Option<Cache<Arc<Search>, Answer, DefaultHashBuilder>>,
}

/// An answer, and until when it is good.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) neighbours: Arc<Neighbours>,
    pub(super) basis: Basis,
}

/// What an answer was made from. As long as that has not changed, the answer has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    /// Snapshots of the index of this generation.
    Index(u64),
    /// The database, when this was the newest version that was known. It may have known more.
    Database(Version),
}

impl Kept {
    /// So many answers at most.
    pub(super) fn new(answers: u64) -> Self {
        let build = || CacheBuilder::new(answers).build_with_hasher(DefaultHashBuilder::default());
        Self { answers: (answers != 0).then(build) }
    }

    /// The answer that was kept last, whether it is good or not.
    pub(super) fn find(&self, search: &Search) -> Option<Answer> {
        self.answers.as_ref()?.get(search)
    }

    pub(super) fn put(&self, search: &Search, neighbours: &Arc<Neighbours>, basis: Basis) {
        if let Some(answers) = &self.answers {
            let answer = Answer { neighbours: Arc::clone(neighbours), basis };
            answers.insert(Arc::new(search.clone()), answer);
        }
    }

    /// How many answers there are. It lags a little behind.
    pub(super) fn len(&self) -> u64 {
        self.answers.as_ref().map_or(0, Cache::entry_count)
    }
}
