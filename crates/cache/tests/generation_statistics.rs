//! What statistics from memory promise: the sums over every generation as of the moment of the read, and no others.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "generation_statistics/given.rs"]
mod given;
#[path = "generation_statistics/store.rs"]
mod store;

#[path = "generation_statistics/answers.rs"]
mod answers;
#[path = "generation_statistics/interleavings.rs"]
mod interleavings;
#[path = "generation_statistics/keeper.rs"]
#[expect(clippy::panic, reason = "a store that panics is one of the tests")]
mod keeper;
#[path = "generation_statistics/keeping.rs"]
mod keeping;

use std::sync::Arc;

use domain::RepositoryError;
use futures::FutureExt;
use groovebase_cache::{GenerationStatistics, GroupSums, StatisticsQuestion};
use store::Store;

type Answer = Result<Vec<Vec<GroupSums>>, RepositoryError>;

/// A store with statistics over it that keep so many bytes.
fn keeping(memory_bytes: u64) -> (Arc<Store>, GenerationStatistics) {
    let store = Arc::new(Store::default());
    let statistics = GenerationStatistics::new(Arc::clone(&store) as Arc<_>, memory_bytes);
    (store, statistics)
}

/// Asks a store that answers at once.
fn ask(statistics: &GenerationStatistics, question: &StatisticsQuestion) -> Answer {
    statistics.answer(question).now_or_never().unwrap()
}

/// Asks, and compares with every generation that is recorded.
#[track_caller]
fn assert_exact(store: &Store, statistics: &GenerationStatistics, question: &StatisticsQuestion) {
    assert_eq!(ask(statistics, question).unwrap(), store.compare_now(question), "{question:?}");
}
