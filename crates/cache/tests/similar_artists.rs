//! What searches in memory promise: the answers of a store that compares everything, and none that is out of date.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "similar_artists/given.rs"]
mod given;
#[path = "similar_artists/store.rs"]
#[expect(
    clippy::unimplemented,
    clippy::unwrap_used,
    reason = "a store for tests, which end when it is used wrongly"
)]
mod store;

#[path = "similar_artists/answers.rs"]
mod answers;
#[path = "similar_artists/freshness.rs"]
mod freshness;
#[path = "similar_artists/limits.rs"]
mod limits;

use std::sync::Arc;

use domain::{Neighbours, Search};
use groovebase_cache::{
    Bounds, CachedSimilarArtists, CachedStyleProfiles, Feed, Freshness, SearchSource, SimilarRead,
    SimilaritySettings,
};
use store::{Store, Told};

const SETTINGS: SimilaritySettings =
    SimilaritySettings { memory_bytes: 1 << 30, answers: 0, threads: 2 };

/// One instance of a service on a store.
struct Instance {
    feed: Feed,
    similar: CachedSimilarArtists,
    profiles: CachedStyleProfiles,
}

impl Instance {
    /// One that has loaded its index.
    async fn on(store: &Arc<Store>, settings: SimilaritySettings) -> Self {
        let instance = Self::starting_on(store, settings);
        instance.feed.confirm().await.unwrap();
        instance.similar.loaded().await;
        instance
    }

    fn starting_on(store: &Arc<Store>, settings: SimilaritySettings) -> Self {
        let feed = Feed::start(Arc::new(Told(Arc::clone(store))), Bounds::default());
        let similar = CachedSimilarArtists::start(
            Arc::clone(store) as _,
            Arc::clone(store) as _,
            feed.clone(),
            settings,
        );
        let profiles = CachedStyleProfiles::new(Arc::clone(store) as _, feed.clone(), None, 0);
        Self { feed, similar, profiles }
    }

    async fn read(&self, search: &Search) -> SimilarRead {
        self.similar.read(search, Freshness::Default).await.unwrap()
    }

    async fn strict(&self, search: &Search) -> SimilarRead {
        self.similar.read(search, Freshness::Strict).await.unwrap()
    }
}

/// Who is in an answer, the closest first.
fn names(read: &SimilarRead) -> Vec<&str> {
    read.answer.neighbours.iter().map(|neighbour| neighbour.artist.as_str()).collect()
}

/// Whether two answers hold the same names with the same bits of scores in the same order.
#[track_caller]
fn assert_same(found: &Neighbours, expected: &Neighbours) {
    let list = |answer: &Neighbours| -> Vec<(String, u64)> {
        let neighbours = answer.neighbours.iter();
        neighbours.map(|it| (it.artist.as_str().to_owned(), it.score.to_bits())).collect()
    };
    assert_eq!(list(found), list(expected));
    assert_eq!(found.exactness, expected.exactness);
}

/// Whether a read is what the index has to say, and right.
#[track_caller]
fn assert_from_index(read: &SimilarRead, expected: &Neighbours) {
    assert_eq!((read.source, read.stale), (SearchSource::Index, false));
    assert_same(&read.answer, expected);
}
