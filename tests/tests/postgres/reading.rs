//! Statistics and histories that are read somewhere else: as a role that only reads, and in a replica that is behind.

use std::{sync::Arc, time::Instant};

use anyhow::ensure;
use api::state::StateSettings;
use domain::SystemClock;
use groovebase_tests::{
    fault::{PostgresServer, Proxy},
    fixture::{self, AsApplication, Fixture},
    http::{Answer, Request, artist},
    program::{PATIENCE, Program, run},
    service::Service,
};
use migration::Schema;
use serde_json::{Value, json};
use storage::PoolLimits;

const STATS: &str = "/api/v1/stats";
const SERIES: &str = "/api/v1/stats/series?bucket=day";

/// A service that writes at one URL and reads at another.
async fn service(url: &str, read_url: &str) -> anyhow::Result<Service> {
    let limits = PoolLimits { kept: 0, most: 4, ..PoolLimits::default() };
    let read_store = storage::connect_later(read_url, &limits, Arc::new(SystemClock)).await?;
    let settings = StateSettings { read_store: Some(read_store), ..StateSettings::default() };
    Service::start_at(url, settings).await
}

async fn record(service: &Service, count: usize) -> anyhow::Result<()> {
    let one = json!({
        "artist": "J Dilla", "provider_used": "openai", "generation_time_ms": 100, "cost_usd": 0.5,
        "user_params": {},
    });
    let generations = Value::Array(vec![one; count]);
    service.ask(201, Request::post("/api/v1/generations", generations)).await.map(drop)
}

/// Checks that everything that is read somewhere tells of so many generations.
async fn ensure_told(service: &Service, from: &str, count: u64) -> anyhow::Result<()> {
    let stats = service.ask(200, Request::get(STATS)).await?;
    let series = service.ask(200, Request::get(SERIES)).await?;
    let history = service.ask(200, Request::get(artist("J Dilla", "/history?limit=100"))).await?;
    for answer in [&stats, &series, &history] {
        ensure!(answer.required("x-read-from")? == from, "{from}: {answer:?}");
    }
    ensure!(stats.at("/total_generations")? == count, "{count}: {stats:?}");
    ensure!(stats.at("/provider_usage/openai")? == count, "{count}: {stats:?}");
    let buckets = series.at("/series")?;
    let counts = buckets.as_array().into_iter().flatten();
    let counts = counts.filter_map(|bucket| bucket.get("total_generations")?.as_u64());
    ensure!(counts.sum::<u64>() == count, "{count}: {series:?}");
    ensure!(history.at("/total_generations")? == count, "{count}: {history:?}");
    let listed = history.at("/history")?.as_array().map_or(0, Vec::len);
    ensure!(u64::try_from(listed)? == count, "{count}: {history:?}");
    Ok(())
}

/// Asks for statistics until they are as wanted.
async fn until(
    service: &Service,
    what: &str,
    wanted: impl Fn(&Answer) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let answer = service.ask(200, Request::get(STATS)).await?;
        if wanted(&answer)? {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "waited in vain until {what}: {answer:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn is_from(answer: &Answer, from: &str) -> anyhow::Result<bool> {
    Ok(answer.required("x-read-from")? == from)
}

/// On the same server a role that only reads is enough, and answers are as exact as without it.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_only_reads_is_enough() -> anyhow::Result<()> {
    let fixture = AsApplication::open().await?;
    let service = service(fixture.url(), &fixture.urls().readonly).await?;
    service.ask(201, Request::post("/api/v1/artists", json!({"name": "J Dilla"}))).await?;

    for round in 1..=20 {
        record(&service, 1).await?;
        ensure_told(&service, "read_database", round).await?;
    }

    let health = service.ask(200, Request::get("/health")).await?;
    ensure!(health.at("/read_database/state")? == "ok", "{health:?}");
    let metrics = service.ask(200, Request::get("/metrics")).await?;
    ensure!(metrics.text()?.contains("groovebase_read_database_answers_total 60\n"));
    ensure!(metrics.text()?.contains("groovebase_read_database_fallbacks_total 0\n"));
    service.stop().await;
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_away_the_other_one_is_read() -> anyhow::Result<()> {
    let fixture = AsApplication::open().await?;
    let (proxy, read_url) = Proxy::before(&fixture.urls().readonly).await?;
    proxy.refuse().await;
    let service = service(fixture.url(), &read_url).await?;
    service.ask(201, Request::post("/api/v1/artists", json!({"name": "J Dilla"}))).await?;

    record(&service, 1).await?;
    ensure_told(&service, "database", 1).await?;
    let health = service.ask(200, Request::get("/health")).await?;
    ensure!(health.at("/status")? == "degraded", "{health:?}");
    ensure!(health.at("/read_database/state")? == "unavailable", "{health:?}");
    service.ask(200, Request::get("/health/ready")).await?;
    proxy.restore().await?;

    until(&service, "it is read again", |answer| is_from(answer, "read_database")).await?;
    record(&service, 1).await?;
    ensure_told(&service, "read_database", 2).await?;
    service.stop().await;
    fixture.close().await
}

/// However far a replica is behind, an answer is all of it as of one moment of one database.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_behind_tells_an_older_moment() -> anyhow::Result<()> {
    let primary = PostgresServer::start().await?;
    let schema = Schema::connect(primary.url()).await?;
    schema.up(None).await?;
    schema.close().await?;
    let replica = primary.replica().await?;
    let (proxy, read_url) = Proxy::before(replica.url()).await?;
    let service = service(primary.url(), &read_url).await?;
    service.ask(201, Request::post("/api/v1/artists", json!({"name": "J Dilla"}))).await?;
    record(&service, 3).await?;
    until(&service, "the replica knows", |it| Ok(it.at("/total_generations")? == 3)).await?;
    // Whatever is pending is folded: sums in memory are as of a fold.
    let rollups = service.store().generation_rollups();
    while rollups.fold().await? != 0 {}

    fixture::by_hand(replica.url(), "SELECT pg_wal_replay_pause()").await?;
    ensure_told(&service, "read_database", 3).await?;
    record(&service, 2).await?;
    while rollups.fold().await? != 0 {}
    let made =
        service.ask(201, Request::post("/api/v1/artists", json!({"name": "Tony Allen"}))).await?;
    ensure!(made.status == 201);
    let unheard_of = service.ask(200, Request::get(artist("Tony Allen", "/history"))).await?;

    ensure!(unheard_of.at("/total_generations")? == 0, "{unheard_of:?}");
    ensure_told(&service, "read_database", 3).await?;
    // What is kept of the one is never added to what the other tells.
    for _ in 0..2 {
        proxy.refuse().await;
        proxy.cut().await?;
        until(&service, "the other is read", |answer| is_from(answer, "database")).await?;
        ensure_told(&service, "database", 5).await?;
        proxy.restore().await?;
        until(&service, "the replica is read", |answer| is_from(answer, "read_database")).await?;
        ensure_told(&service, "read_database", 3).await?;
    }

    fixture::by_hand(replica.url(), "SELECT pg_wal_replay_resume()").await?;
    until(&service, "the replica has caught up", |it| Ok(it.at("/total_generations")? == 5))
        .await?;
    ensure_told(&service, "read_database", 5).await?;
    service.stop().await;
    Ok(())
}

#[test]
fn what_cannot_be_read_somewhere_else_stops_the_start() -> anyhow::Result<()> {
    const URL: &str = "GROOVEBASE_DATABASE_URL";
    const READ: &str = "GROOVEBASE_DATABASE_READ_URL";

    let program = Program::new()?;
    for (settings, told) in [
        (vec![(READ, "postgres://:hunter2@host/db")], "an SQLite file is read where it is written"),
        (
            vec![(URL, "postgres://host/db"), (READ, "sqlite://hunter2.db")],
            "must begin with postgres://",
        ),
    ] {
        let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs(settings.iter().copied());

        let ended = run(command, "")?;

        ensure!(ended.code == Some(2) && ended.errors.contains(told), "{settings:?}: {ended:?}");
        ensure!(ended.errors.contains(READ) && !ended.errors.contains("hunter2"), "{ended:?}");
    }
    Ok(())
}
