//! The index in memory.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use cache::{
    Bounds, CachedSimilarArtists, Feed, Freshness, IndexState, SearchSource, SimilaritySettings,
};
use domain::{Neighbours, RepositoryError, Search, SearchMode, SimilarArtists};

use crate::{
    artists::{Artists, Endless},
    measured::{median, micros, say, verdict},
    oracle::{self, WANTED},
};

const MILLION: usize = 1_000_000;
const TURNS: usize = 200;
const CODE_BYTES: usize = 384;

/// Nobody may fall back to it.
struct Nowhere;

#[async_trait]
impl SimilarArtists for Nowhere {
    async fn nearest(&self, _: &Search) -> Result<Neighbours, RepositoryError> {
        Err(RepositoryError::Conflict)
    }

    async fn nearest_many(&self, _: &[Search]) -> Result<Vec<Neighbours>, RepositoryError> {
        Err(RepositoryError::Conflict)
    }
}

struct Loaded {
    index: CachedSimilarArtists,
    took: Duration,
}

async fn load(artists: &Artists, count: usize, threads: usize) -> anyhow::Result<Loaded> {
    let store = Arc::new(Endless { artists: artists.clone(), count });
    let feed = Feed::start(store.clone(), Bounds::default());
    feed.confirm().await?;
    let settings = SimilaritySettings { memory_bytes: 8 << 30, answers: 0, threads };
    let began = Instant::now();
    let index = CachedSimilarArtists::start(Arc::new(Nowhere), store, feed, settings);
    index.loaded().await;
    let status = index.status();
    ensure!(status.state == IndexState::Ready && status.vectors == count as u64, "{status:?}");
    Ok(Loaded { index, took: began.elapsed() })
}

/// Targets all over the store, none twice.
fn targets(artists: &Artists, count: usize, wanted: usize) -> anyhow::Result<Vec<Search>> {
    let limit = u16::try_from(WANTED)?;
    (0..wanted).map(|at| artists.search(at * (count / wanted) + at % 7, limit)).collect()
}

/// One search at a time on one core, and on all of them.
pub(crate) async fn searches(artists: &Artists, count: usize, most_ms: f64) -> anyhow::Result<()> {
    let searches = targets(artists, count, TURNS)?;
    let closest = oracle::closest(artists, count, &searches)?;
    let bytes = Bytes::new(count);
    let cores = std::thread::available_parallelism()?.get();
    for threads in [1, cores] {
        let Loaded { index, .. } = load(artists, count, threads).await?;
        let (mut took, mut bound, mut found) = (Vec::new(), Vec::new(), Vec::new());
        for search in &searches {
            bound.push(bytes.read());
            let began = Instant::now();
            let read = index.read(search, Freshness::Default).await?;
            took.push(micros(began.elapsed()));
            ensure!(read.source == SearchSource::Index, "{:?}", read.source);
            ensure!(read.answer.exactness.mode == SearchMode::Exact);
            found.push(read.answer);
        }
        let (p50, p99, bound) = (median(took.clone()), high(took), median(bound));
        let what = format!("{count} in memory, {threads} of {cores} cores");
        say(&format!(
            "{what}: p50 {p50:.0} us, p99 {p99:.0} us; reading the codes alone {bound:.0} us on one core \
             ({:.1} GB/s): {:.2} of the time",
            (count * CODE_BYTES) as f64 / bound / 1e3,
            bound / p50,
        ));
        if threads == 1 {
            verdict(&format!("  {count}, p50 on one core"), p50 / 1e3, most_ms, " ms");
        }
        let recall = oracle::recall(found.iter().map(AsRef::as_ref), &closest);
        verdict("  recall@10 missed", 1.0 - recall, 0.001, "");
    }
    Ok(())
}

/// Many searches in one call.
pub(crate) async fn batch(artists: &Artists, count: usize, most_ms: f64) -> anyhow::Result<()> {
    let searches = targets(artists, count, 100)?;
    let closest = oracle::closest(artists, count, &searches)?;
    let cores = std::thread::available_parallelism()?.get();
    let Loaded { index, .. } = load(artists, count, cores).await?;
    let mut took = Vec::new();
    let mut found = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        found = index.read_many(&searches, Freshness::Default).await?;
        took.push(micros(began.elapsed()) / 1e3);
    }
    verdict(&format!("batch of 100 at {count}, p50"), median(took), most_ms, " ms");
    let recall = oracle::recall(found.iter().map(|it| it.answer.as_ref()), &closest);
    verdict("  recall@10 missed", 1.0 - recall, 0.001, "");
    Ok(())
}

/// A store ten times as large as most will ever be.
pub(crate) async fn million(artists: &Artists) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    let searches = targets(artists, MILLION, 20)?;
    let closest = oracle::closest(artists, MILLION, &searches)?;
    let before = resident()?;
    let Loaded { index, took } = load(artists, MILLION, cores).await?;
    let bytes = index.status().memory_bytes as f64 / 1e9;
    say(&format!(
        "{MILLION} loaded in {:.1} s, made up on the way; {:.2} GB more are resident, catalog included",
        took.as_secs_f64(),
        (resident()? - before) / 1e9,
    ));
    verdict(&format!("memory for {MILLION}"), bytes, 2.0, " GB");
    let (mut took, mut found) = (Vec::new(), Vec::new());
    for search in &searches {
        let began = Instant::now();
        found.push(index.read(search, Freshness::Default).await?.answer);
        took.push(micros(began.elapsed()) / 1e3);
    }
    say(&format!("{MILLION} in memory, {cores} of {cores} cores: p50 {:.1} ms", median(took)));
    let recall = oracle::recall(found.iter().map(AsRef::as_ref), &closest);
    verdict("  recall@10 missed", 1.0 - recall, 0.001, "");
    Ok(())
}

/// As many bytes as the codes of so many embeddings.
struct Bytes(Vec<u64>);

impl Bytes {
    fn new(count: usize) -> Self {
        Self((0..(count * CODE_BYTES / 8) as u64).collect())
    }

    /// Microseconds to read them all once.
    fn read(&self) -> f64 {
        let began = Instant::now();
        let mut rows = [0_u64; 32];
        for numbers in self.0.as_chunks::<32>().0 {
            for (row, number) in rows.iter_mut().zip(numbers) {
                *row ^= number;
            }
        }
        black_box(rows);
        micros(began.elapsed())
    }
}

/// The figure that one in a hundred exceeds.
fn high(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() * 99 / 100).copied().unwrap_or(f64::NAN)
}

/// Bytes of memory this process takes.
fn resident() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).context("VmRSS")?;
    Ok(kilobytes.parse::<f64>()? * 1024.0)
}
