//! What a hit allocates does not depend on how large the profile is.

#[path = "races/store.rs"]
#[expect(
    dead_code,
    clippy::unimplemented,
    clippy::unwrap_used,
    reason = "a store for tests, which end when it is used wrongly, and which can do more than a hit needs"
)]
mod store;

use std::sync::Arc;

use allocation_counter::measure;
use domain::StyleProfiles;
use futures::FutureExt;
use groovebase_cache::{Bounds, CachedStyleProfiles, Feed, Tier};
use store::{Scripted, Told, key};

const HITS: u64 = 100;

#[tokio::test(start_paused = true)]
async fn a_hit_allocates_as_much_for_a_large_profile_as_for_a_small_one() {
    let store = Scripted::new();
    store.commit("Small", "x");
    store.commit("Large", &"x".repeat(100_000));
    let feed = Feed::start(Arc::new(Told(Arc::clone(&store))), Bounds::default());
    feed.confirm().await.unwrap();
    let inner = Arc::clone(&store) as Arc<dyn StyleProfiles>;
    let profiles: CachedStyleProfiles = CachedStyleProfiles::new(inner, feed, None, 1 << 20);
    let (small, large) = (key("Small"), key("Large"));
    for key in [&small, &large] {
        // Twice, so that what the first hit prepares is there.
        profiles.find(key).await.unwrap();
        assert_eq!(profiles.at_hand(key).unwrap().tier, Tier::Memory);
    }

    let taken = [&small, &large].map(|key| {
        // A hit waits for nothing, so it is there at once.
        let hit = || profiles.find(key).now_or_never().unwrap().unwrap();
        measure(|| (0..HITS).for_each(|_| drop(hit()))).bytes_total / HITS
    });

    // The housekeeping of the cache allocates now and then, whatever is hit.
    assert!(taken.iter().all(|bytes| *bytes < 256), "bytes a hit: {taken:?}");
}
