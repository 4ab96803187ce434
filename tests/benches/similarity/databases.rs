//! Loading the index from databases, and PostgreSQL's own index.

use std::time::Instant;

use anyhow::ensure;
use cache::{Bounds, CachedSimilarArtists, Feed, IndexState, SimilaritySettings};
use domain::{Engine, Search, SearchMode};
use groovebase_tests::fixture::{Fixture, Postgres, Sqlite};
use storage::{Store, VectorIndexKind};

use crate::{
    artists::Artists,
    measured::{median, micros, say, verdict},
    oracle::{self, WANTED},
};

const COUNT: usize = 100_000;
const BATCH: usize = 2_000;
const LOADS: usize = 3;
const SEARCHES: usize = 200;

pub(crate) async fn run(artists: &Artists) -> anyhow::Result<()> {
    let sqlite = Sqlite::open().await?;
    store(artists, sqlite.store()).await?;
    verdict("100,000 vectors loaded from SQLite", seconds(sqlite.store()).await?, 1.0, " s");
    sqlite.close().await?;

    let postgres = Postgres::open().await?;
    store(artists, postgres.store()).await?;
    verdict("100,000 vectors loaded from PostgreSQL", seconds(postgres.store()).await?, 2.0, " s");
    let searches: Vec<Search> = (0..SEARCHES)
        .map(|at| artists.search(at * (COUNT / SEARCHES) + at % 7, u16::try_from(WANTED)?))
        .collect::<anyhow::Result<_>>()?;
    let closest = oracle::closest(artists, COUNT, &searches)?;
    for (kind, most_ms, least_recall) in
        [(VectorIndexKind::IvfFlat, f64::INFINITY, 0.0), (VectorIndexKind::Hnsw, 3.0, 0.97)]
    {
        let began = Instant::now();
        postgres.store().vector_index().build(kind, &mut |_| ()).await?;
        let built = began.elapsed().as_secs_f64();
        let (p50, found) = timed(postgres.store(), &searches, Engine::Approximate).await?;
        ensure!(found.iter().all(|it| it.exactness.mode == SearchMode::Approximate));
        let recall = oracle::recall(&found, &closest);
        say(&format!(
            "PostgreSQL at {COUNT} by {kind:?}, built in {built:.0} s, recall@10 {recall:.4}"
        ));
        verdict("  p50", p50, most_ms, " ms");
        verdict("  recall@10 missed", 1.0 - recall, 1.0 - least_recall, "");
    }
    let few = searches.get(..20).unwrap_or_default();
    let (p50, _) = timed(postgres.store(), few, Engine::Exact).await?;
    say(&format!("PostgreSQL at {COUNT}, everything compared: p50 {p50:.0} ms"));
    postgres.close().await
}

async fn store(artists: &Artists, store: &Store) -> anyhow::Result<()> {
    let load = store.bulk_load();
    for first in (0..COUNT).step_by(BATCH) {
        let batch = (first..first + BATCH).map(|number| artists.record(number));
        load.load(batch.collect::<anyhow::Result<_>>()?, &domain::Author::at_the_command_line())
            .await?;
    }
    Ok(load.finish().await?)
}

/// How long a new instance takes to hold every vector.
async fn seconds(store: &Store) -> anyhow::Result<f64> {
    let mut took = Vec::new();
    for _ in 0..LOADS {
        let feed = Feed::start(store.changes(), Bounds::default());
        feed.confirm().await?;
        let settings = SimilaritySettings { memory_bytes: 1 << 30, answers: 0, threads: 2 };
        let began = Instant::now();
        let index = CachedSimilarArtists::start(
            store.similar_artists(),
            store.style_vectors(),
            feed,
            settings,
        );
        index.loaded().await;
        took.push(began.elapsed().as_secs_f64());
        let status = index.status();
        ensure!(status.state == IndexState::Ready && status.vectors == COUNT as u64, "{status:?}");
    }
    Ok(median(took))
}

/// The median of milliseconds, and what was found.
async fn timed(
    store: &Store,
    searches: &[Search],
    engine: Engine,
) -> anyhow::Result<(f64, Vec<domain::Neighbours>)> {
    let similar = store.similar_artists();
    let (mut took, mut found) = (Vec::new(), Vec::new());
    for search in searches {
        let search = Search { engine, ..search.clone() };
        let began = Instant::now();
        found.push(similar.nearest(&search).await?);
        took.push(micros(began.elapsed()) / 1e3);
    }
    Ok((median(took), found))
}
