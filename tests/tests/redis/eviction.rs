//! A Redis that is full and throws away what it was given, as the documented setting has it.

use std::sync::Arc;

use anyhow::{Context, ensure};
use cache::{
    Bounds, CachedStyleProfiles, Feed, Freshness, Redis, RedisHealth, RedisSettings,
    RedisStyleProfiles, SharedProfiles, Tier,
};
use domain::{ArtistKey, ProfileRecord};
use groovebase_tests::{
    fault::{RedisServer, redis::FromRedisValue},
    fixture::{Fixture, Sqlite},
    given,
    program::PATIENCE,
};

/// At about two kilobytes each, several times what fits.
const ARTISTS: usize = 4_000;

async fn evicted(server: &RedisServer) -> anyhow::Result<u64> {
    let about = String::from_redis_value(server.run(&["INFO", "stats"]).await?)?;
    let evicted = about.lines().find_map(|line| line.strip_prefix("evicted_keys:"));
    Ok(evicted.context("evicted_keys")?.trim().parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_throws_away_is_read_from_the_database() -> anyhow::Result<()> {
    let fixture = Sqlite::open().await?;
    let server = RedisServer::setup()
        .setting("maxmemory 4mb")
        .setting("maxmemory-policy allkeys-lru")
        .start()
        .await?;
    let names: Vec<String> = (0..ARTISTS).map(|number| format!("Artist {number}")).collect();
    let records = names.iter().map(|name| {
        let profile = Box::new(given::profile(name, &format!("The way of {name}"))?);
        Ok(ProfileRecord::Profile { profile, sources: Vec::new() })
    });
    let records = records.collect::<anyhow::Result<Vec<_>>>()?;
    fixture.store().bulk_load().load(records, &given::author()).await?;
    // No slowness of the machine is taken for that of Redis.
    let settings = RedisSettings { budget: PATIENCE, ..RedisSettings::new(server.url()) };
    let redis = Redis::open(&settings)?;
    let shared = Arc::new(RedisStyleProfiles::new(redis.clone()));
    let feed = Feed::start(fixture.store().changes(), Bounds::default());
    feed.confirm().await?;
    // Without memory, so that every read is answered by Redis or the database.
    let profiles: CachedStyleProfiles = CachedStyleProfiles::new(
        fixture.store().style_profiles(),
        feed,
        Some(Arc::clone(&shared) as Arc<dyn SharedProfiles>),
        0,
    );

    let keys = names.iter().map(|name| given::key(name)).collect::<anyhow::Result<Vec<_>>>()?;
    let (mut from_redis, mut from_database) = (0, 0);
    for _ in 0..2 {
        for keys in keys.chunks(100) {
            for (key, read) in keys.iter().zip(profiles.read_many(keys, Freshness::Default).await?)
            {
                let cached = read.value.with_context(|| format!("{key} is gone"))?;
                ensure!(cached.profile.artist.key() == key, "{key}: {:?}", cached.profile);
                match read.tier {
                    Tier::Shared => from_redis += 1,
                    Tier::Database => from_database += 1,
                    other @ (Tier::Catalog | Tier::Memory) => anyhow::bail!("{key}: {other:?}"),
                }
            }
        }
        // What was loaded is handed to Redis behind the answer.
        last_of(&keys, &profiles).await?;
    }

    ensure!(0 < evicted(&server).await?, "everything fits");
    ensure!(ARTISTS < from_database, "{from_redis} from Redis, {from_database} from the database");
    ensure!(redis.health() == RedisHealth::Up, "{:?}", redis.health());
    ensure!(shared.statistics().unanswered == 0, "{:?}", shared.statistics());
    fixture.close().await
}

/// Waits until the profile that was read last is answered by Redis.
async fn last_of(keys: &[ArtistKey], profiles: &CachedStyleProfiles) -> anyhow::Result<()> {
    let last = keys.last().context("no artists")?;
    let waiting = async {
        loop {
            let read = profiles.read(last, Freshness::Default).await?;
            if read.tier == Tier::Shared {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.context("nothing arrives in Redis")?
}
