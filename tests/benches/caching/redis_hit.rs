//! A hit in Redis beside a raw GET of the same bytes, and what the profiles take there.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use cache::{
    Bounds, CachedStyleProfiles, Feed, Freshness, Redis, RedisSettings, RedisStyleProfiles,
    SharedProfiles, Tier,
};
use deadpool_redis::redis::{self, aio::MultiplexedConnection};
use domain::ArtistKey;
use groovebase_tests::fixture::{Fixture, Postgres};

use crate::{
    artists::Artists,
    measured::{median, micros, say, verdict},
};

const CONNECTIONS: usize = 8;
/// As many as make the time in which the processor's caches get used to the one or the other a small part of a turn,
const READS: usize = 10_000;
/// and so many that a host that takes the processors away for a moment disturbs few of them.
const TURNS: usize = 21;
/// A machine that pauses makes a hit long, and no miss of it.
const BUDGET: Duration = Duration::from_secs(5);

pub(crate) async fn run(fixture: &Postgres, artists: &Artists) -> anyhow::Result<()> {
    let url = redis_url()?;
    let prefix = format!("bench-{}", std::process::id());
    let client = redis::Client::open(url.as_str())?;
    let mut admin = client.get_multiplexed_async_connection().await?;
    let before = used_memory(&mut admin).await?;

    let settings = RedisSettings {
        prefix: prefix.clone(),
        connections: CONNECTIONS,
        budget: BUDGET,
        ..RedisSettings::new(url)
    };
    let shared = Arc::new(RedisStyleProfiles::new(Redis::open(&settings)?));
    let profiles = fixture.store().style_profiles().find_many(&artists.keys).await?;
    let profiles: Vec<_> = profiles.into_iter().flatten().collect();
    for some in profiles.chunks(200) {
        shared.put_many(some).await;
    }
    let stored = shared.statistics().stored;
    ensure!(stored == profiles.len() as u64, "{stored} of {} stored", profiles.len());

    let taken = used_memory(&mut admin).await? - before;
    let per_10_000 = taken / profiles.len() as f64 * 10_000.0 / 1e6;
    verdict("10,000 profiles in Redis", per_10_000, 60.0, " MB");
    let mut ratios = Vec::new();
    for (key, json_bytes) in artists.line_bytes() {
        let name = format!("{prefix}:profile:{key}");
        let bytes: usize = redis::cmd("STRLEN").arg(name).query_async(&mut admin).await?;
        if bytes != 0 {
            ratios.push(bytes as f64 / json_bytes as f64);
        }
    }
    let most = ratios.iter().copied().fold(0.0, f64::max);
    say(&format!("largest envelope to its JSON: {most:.3}"));
    verdict("envelope to its JSON, median", median(ratios), 0.45, "");

    let feed = Feed::start(fixture.store().changes(), Bounds::default());
    feed.confirm().await?;
    // Without memory, every read goes to Redis.
    let cached: CachedStyleProfiles = CachedStyleProfiles::new(
        fixture.store().style_profiles(),
        feed,
        Some(Arc::clone(&shared) as Arc<dyn SharedProfiles>),
        0,
    );
    let mut raw = Vec::new();
    for _ in 0..CONNECTIONS {
        raw.push(client.get_multiplexed_async_connection().await?);
    }
    let keys: Arc<[ArtistKey]> = profiles.iter().map(|it| it.artist.key().clone()).collect();
    for readers in [1, 8, 32] {
        let mut ratios = Vec::new();
        let (mut hits, mut gets) = (Vec::new(), Vec::new());
        for turn in 0..TURNS {
            let hit = timed_hits(&cached, &keys, readers, turn).await?;
            let get = timed_gets(&raw, &prefix, &keys, readers, turn).await?;
            ratios.push(hit / get);
            hits.push(hit);
            gets.push(get);
        }
        say(&format!(
            "{readers} at a time: a hit in Redis {:.1} us, a raw GET {:.1} us",
            median(hits),
            median(gets)
        ));
        verdict("  a hit in Redis to a raw GET", median(ratios), 1.3, "");
    }
    let tiers = cached.statistics();
    ensure!(tiers.database == 0 && tiers.failed == 0, "{tiers:?}");
    Ok(())
}

/// Microseconds from one answer to the next, with so many readers at once.
async fn timed_hits(
    cached: &CachedStyleProfiles,
    keys: &Arc<[ArtistKey]>,
    readers: usize,
    turn: usize,
) -> anyhow::Result<f64> {
    let began = Instant::now();
    let tasks: Vec<_> = (0..readers)
        .map(|reader| {
            let (cached, keys) = (cached.clone(), Arc::clone(keys));
            tokio::spawn(async move {
                for at in 0..READS / readers {
                    let key = &keys[(turn * READS + reader + at * readers * 13) % keys.len()];
                    let read = cached.read(key, Freshness::Default).await?;
                    ensure!(read.tier == Tier::Shared, "{:?}", read.tier);
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(micros(began.elapsed()) / (READS / readers * readers) as f64)
}

async fn timed_gets(
    connections: &[MultiplexedConnection],
    prefix: &str,
    keys: &Arc<[ArtistKey]>,
    readers: usize,
    turn: usize,
) -> anyhow::Result<f64> {
    let began = Instant::now();
    let tasks: Vec<_> = (0..readers)
        .map(|reader| {
            let mut connection = connections[reader % connections.len()].clone();
            let (keys, prefix) = (Arc::clone(keys), prefix.to_owned());
            tokio::spawn(async move {
                for at in 0..READS / readers {
                    let key = &keys[(turn * READS + reader + at * readers * 13) % keys.len()];
                    let name = format!("{prefix}:profile:{key}");
                    let bytes: Vec<u8> =
                        redis::cmd("GET").arg(name).query_async(&mut connection).await?;
                    ensure!(!bytes.is_empty());
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(micros(began.elapsed()) / (READS / readers * readers) as f64)
}

async fn used_memory(connection: &mut MultiplexedConnection) -> anyhow::Result<f64> {
    let about: String = redis::cmd("INFO").arg("memory").query_async(connection).await?;
    let used = about.lines().find_map(|line| line.strip_prefix("used_memory:"));
    Ok(used.context("used_memory")?.trim().parse()?)
}

#[expect(clippy::disallowed_methods, reason = "the one place where the bench reads it")]
pub(crate) fn redis_url() -> anyhow::Result<String> {
    std::env::var("GROOVEBASE_TEST_REDIS_URL")
        .context("GROOVEBASE_TEST_REDIS_URL is not set; run with `cargo xtask services run --`")
}
