//! What does a profile cost that is in memory? At most a microsecond, at the trait, among 10,000 artists.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on has nothing to say"
)]

#[path = "../tests/races/store.rs"]
#[expect(
    dead_code,
    clippy::unimplemented,
    clippy::unwrap_used,
    reason = "a store for tests, which end when it is used wrongly, and which can do more than a hit needs"
)]
mod store;

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use domain::{ArtistKey, StyleProfiles};
use groovebase_cache::{Bounds, CachedStyleProfiles, Feed};
use store::{Scripted, Told, key};
use tokio::runtime::Runtime;

const ARTISTS: usize = 10_000;

fn hit(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let store = Scripted::new();
    let keys: Vec<ArtistKey> = (0..ARTISTS)
        .map(|number| {
            let name = format!("Artist {number}");
            store.commit(&name, "Behind-the-beat swing with ghosted snares and a soft kick.");
            key(&name)
        })
        .collect();
    let profiles: CachedStyleProfiles = runtime.block_on(async {
        let feed = Feed::start(Arc::new(Told(Arc::clone(&store))), Bounds::default());
        feed.confirm().await.expect("a store that answers");
        let inner = Arc::clone(&store) as Arc<dyn StyleProfiles>;
        CachedStyleProfiles::new(inner, feed, None, 1 << 30)
    });
    runtime.block_on(async {
        for key in &keys {
            profiles.find(key).await.expect("a store that answers");
        }
    });
    let behind_the_trait: Arc<dyn StyleProfiles> = Arc::new(profiles.clone());

    let mut group = criterion.benchmark_group("hit in memory");
    let mut next = keys.iter().cycle().step_by(7);
    group.bench_function("StyleProfiles::find", |bencher| {
        bencher.to_async(&runtime).iter(|| behind_the_trait.find(next.next().unwrap_or(&keys[0])));
    });
    let mut next = keys.iter().cycle().step_by(7);
    group.bench_function("CachedStyleProfiles::at_hand", |bencher| {
        bencher.iter(|| black_box(profiles.at_hand(next.next().unwrap_or(&keys[0]))));
    });
    group.finish();
}

criterion_group!(benches, hit);
criterion_main!(benches);
