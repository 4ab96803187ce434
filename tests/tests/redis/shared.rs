//! Two instances with one Redis.

use std::time::Instant;

use anyhow::{Context, ensure};
use api::state::StateSettings;
use cache::{Redis, RedisSettings};
use domain::ArtistId;
use groovebase_tests::{
    fixture::{Fixture, Sqlite},
    given::body,
    http::{Answer, Request, artist},
    program::PATIENCE,
    service::Service,
};
use serde_json::json;

#[expect(clippy::disallowed_methods, reason = "the one place where these tests read it")]
pub(super) fn url() -> anyhow::Result<String> {
    std::env::var("GROOVEBASE_TEST_REDIS_URL")
        .context("GROOVEBASE_TEST_REDIS_URL is not set; run the tests with `cargo xtask test`")
}

/// Settings of instances that share what lies under a prefix of the test's own.
struct Shared(RedisSettings);

impl Shared {
    fn new() -> anyhow::Result<Self> {
        let prefix = format!("test-{}", ArtistId::generate());
        // No slowness of the machine is taken for that of Redis.
        Ok(Self(RedisSettings { prefix, budget: PATIENCE, ..RedisSettings::new(url()?) }))
    }

    /// Of one instance, with connections of its own.
    fn settings(&self) -> anyhow::Result<StateSettings> {
        Ok(StateSettings { redis: Some(Redis::open(&self.0)?), ..StateSettings::default() })
    }
}

fn path(name: &str) -> String {
    artist(name, "/profile")
}

/// Includes every write, so that it waits for the catalog as well.
fn strict(name: &str) -> Request {
    Request::get(path(name)).with("cache-control", "no-cache")
}

/// Asks strictly for a profile that this tier has to answer.
async fn from_tier(service: &Service, name: &str, tier: &str) -> anyhow::Result<Answer> {
    let answer = service.ask(200, strict(name)).await?;
    ensure!(answer.required("x-cache")? == tier, "expected {tier}: {answer:?}");
    Ok(answer)
}

/// Waits until a metric has reached a number.
async fn counted(service: &Service, metric: &str, least: u64) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let metrics = service.ask(200, Request::get("/metrics")).await?;
        let text = metrics.text()?;
        let found = text.lines().find_map(|line| line.strip_prefix(metric)?.trim().parse().ok());
        if found.is_some_and(|number: u64| least <= number) {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{metric} does not reach {least} in\n{text}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_instance_saved_the_other_finds_in_redis() -> anyhow::Result<()> {
    let (fixture, shared) = (Sqlite::open().await?, Shared::new()?);
    let one = Service::start_at(fixture.url(), shared.settings()?).await?;
    let other = Service::start_at(fixture.url(), shared.settings()?).await?;

    for text in ["Late", "Later", "Later still"] {
        let profile =
            body::changed(body::profile_with_embedding(1)?, "/text_description", json!(text))?;
        let saved = one.send(&Request::put(path("J Dilla"), profile)).await?;
        let found = from_tier(&other, "J Dilla", "redis").await?;

        ensure!(found.text()? == saved.text()?, "{found:?} is not {saved:?}");
        ensure!(found.required("etag")? == saved.required("etag")?, "{found:?}");
        let embedding = format!("{}?include=embedding", path("J Dilla"));
        let [here, there] =
            [&one, &other].map(|service| service.ask(200, Request::get(&embedding)));
        ensure!(here.await?.text()? == there.await?.text()?, "bit for bit");
        from_tier(&other, "J Dilla", "memory").await?;
    }

    one.stop().await;
    other.stop().await;
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_instance_loaded_the_next_finds_in_redis() -> anyhow::Result<()> {
    let (fixture, shared) = (Sqlite::open().await?, Shared::new()?);
    let without = Service::start(&fixture).await?;
    without.ask(201, Request::put(path("J Dilla"), body::profile())).await?;
    let one = Service::start_at(fixture.url(), shared.settings()?).await?;

    from_tier(&one, "J Dilla", "database").await?;
    counted(&one, r#"groovebase_redis_profiles_total{outcome="stored"}"#, 1).await?;
    let other = Service::start_at(fixture.url(), shared.settings()?).await?;
    from_tier(&other, "J Dilla", "redis").await?;

    let health = other.ask(200, Request::get("/health")).await?;
    ensure!(health.at("/status")? == "ok" && health.at("/redis/state")? == "ok", "{health:?}");
    ensure!(health.at("/redis/latency_us")?.is_u64(), "{health:?}");
    counted(&other, "groovebase_redis_up", 1).await?;
    counted(&other, r#"groovebase_redis_profiles_total{outcome="hit"}"#, 1).await?;
    counted(&other, r#"groovebase_cache_reads_total{kind="profile",tier="redis"}"#, 1).await?;
    for service in [without, one, other] {
        service.stop().await;
    }
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_value_in_redis_is_never_an_answer() -> anyhow::Result<()> {
    let (fixture, shared) = (Sqlite::open().await?, Shared::new()?);
    let with = Service::start_at(fixture.url(), shared.settings()?).await?;
    let without = Service::start(&fixture).await?;
    with.ask(201, Request::put(path("J Dilla"), body::profile())).await?;

    let later = body::changed(body::profile(), "/text_description", json!("Later"))?;
    without.ask(200, Request::put(path("J Dilla"), &later)).await?;
    let replaced = from_tier(&with, "J Dilla", "database").await?;
    ensure!(replaced.at("/text_description")? == "Later", "{replaced:?}");
    without.ask(204, Request::delete(path("J Dilla"))).await?;
    with.ask(404, strict("J Dilla")).await?;
    without.ask(204, Request::delete(artist("J Dilla", ""))).await?;
    without.ask(201, Request::put(path("J Dilla"), body::profile())).await?;
    let again = from_tier(&with, "J Dilla", "database").await?;

    ensure!(again.at("/text_description")? == "Behind the beat", "{again:?}");
    with.stop().await;
    without.stop().await;
    fixture.close().await
}
