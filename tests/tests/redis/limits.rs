//! How often a client may ask, counted by all instances together, and while Redis is away by each.

use anyhow::ensure;
use api::{
    limits::{LimitSettings, RateSettings},
    state::StateSettings,
};
use cache::{Redis, RedisSettings};
use domain::ArtistId;
use groovebase_tests::{
    fixture::{Fixture, Sqlite},
    http::Request,
    program::PATIENCE,
    service::Service,
};

use super::shared::url;

fn settings(redis: &RedisSettings, per_hour: u32) -> anyhow::Result<StateSettings> {
    let rates = RateSettings { per_hour, ..RateSettings::default() };
    let limits = LimitSettings { rates, ..LimitSettings::default() };
    Ok(StateSettings { redis: Some(Redis::open(redis)?), limits, ..StateSettings::default() })
}

async fn status(service: &Service) -> anyhow::Result<u16> {
    Ok(service.send(&Request::get("/api/v1/artists")).await?.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_count_together() -> anyhow::Result<()> {
    let fixture = Sqlite::open().await?;
    let prefix = format!("test-{}", ArtistId::generate());
    let redis = RedisSettings { prefix, budget: PATIENCE, ..RedisSettings::new(url()?) };
    let one = Service::start_at(fixture.url(), settings(&redis, 3)?).await?;
    let other = Service::start_at(fixture.url(), settings(&redis, 3)?).await?;

    let mut statuses = Vec::new();
    for service in [&one, &other, &one, &other, &one] {
        statuses.push(status(service).await?);
    }

    ensure!(statuses == [200, 200, 200, 429, 429], "{statuses:?}");
    one.stop().await;
    other.stop().await;
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_each_counts_for_itself() -> anyhow::Result<()> {
    let fixture = Sqlite::open().await?;
    // Nobody listens at the port that is nobody's.
    let redis = RedisSettings::new("redis://127.0.0.1:1".to_owned());
    let one = Service::start_at(fixture.url(), settings(&redis, 2)?).await?;
    let other = Service::start_at(fixture.url(), settings(&redis, 2)?).await?;

    for service in [&one, &other] {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(status(service).await?);
        }
        ensure!(statuses == [200, 200, 429], "{statuses:?}");
    }

    one.stop().await;
    other.stop().await;
    fixture.close().await
}
