//! What does a search in memory cost? One alone and a hundred together, on one thread and on two, and loading the index.

#![expect(clippy::expect_used, reason = "a bench that cannot go on has nothing to say")]

#[path = "../tests/similar_artists/given.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "for tests, which need more than a bench")]
mod given;
#[path = "../tests/similar_artists/store.rs"]
#[expect(
    dead_code,
    clippy::unimplemented,
    clippy::unwrap_used,
    reason = "a store for tests, which end when it is used wrongly, and which can do more than a scan needs"
)]
mod store;

use std::{hint::black_box, sync::Arc};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use domain::Search;
use groovebase_cache::{Bounds, CachedSimilarArtists, Feed, Freshness, SimilaritySettings};
use store::{Store, Told};
use tokio::runtime::Runtime;

/// So many searches are made together.
const TOGETHER: usize = 100;

fn filled(artists: u64) -> Arc<Store> {
    let store = Store::new();
    for number in 0..artists {
        store.commit(&format!("Artist {number}"), Some(given::vector(given::embedding(number))));
    }
    store
}

async fn loaded(store: &Arc<Store>, threads: usize) -> CachedSimilarArtists {
    let feed = Feed::start(Arc::new(Told(Arc::clone(store))), Bounds::default());
    feed.confirm().await.expect("a store that answers");
    let settings = SimilaritySettings { memory_bytes: 1 << 32, answers: 0, threads };
    let (inner, vectors) = (Arc::clone(store) as _, Arc::clone(store) as _);
    let similar = CachedSimilarArtists::start(inner, vectors, feed, settings);
    similar.loaded().await;
    similar
}

fn scan(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let searches: Vec<Search> =
        (0..1_000_000).step_by(10_007).map(|it| given::around(given::embedding(it), 10)).collect();
    let searches = searches.get(..TOGETHER).expect("enough searches");
    for artists in [10_000, 100_000] {
        let store = filled(artists);
        let mut group = criterion.benchmark_group(format!("{artists} artists"));
        group.throughput(Throughput::Elements(artists));
        for threads in [1, 2] {
            let similar = runtime.block_on(loaded(&store, threads));
            let mut next = searches.iter().cycle();
            group.bench_function(BenchmarkId::new("one search, threads", threads), |bencher| {
                bencher.to_async(&runtime).iter(|| {
                    let search = next.next().expect("an endless round");
                    async { black_box(similar.read(search, Freshness::Default).await) }
                });
            });
            group.sample_size(20);
            group.bench_function(BenchmarkId::new("100 searches, threads", threads), |bencher| {
                let together = || similar.read_many(searches, Freshness::Default);
                bencher.to_async(&runtime).iter(|| async { black_box(together().await) });
            });
        }
        group.sample_size(10);
        group.bench_function("loading", |bencher| {
            bencher.to_async(&runtime).iter(|| loaded(&store, 1));
        });
        group.finish();
    }
}

criterion_group!(benches, scan);
criterion_main!(benches);
