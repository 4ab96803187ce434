//! The binary and a Redis that is not as the settings say, or not yet.

use std::{process::Command, time::Instant};

use anyhow::{Context, ensure};
use cache::{Redis, RedisSettings, RedisStyleProfiles, SharedProfiles};
use groovebase_tests::{
    fault::RedisServer,
    given::{self, body},
    http::{Answer, Request, artist},
    program::{PATIENCE, Program, Serving, run},
};
use serde_json::Value;

/// The settings of a service with this Redis.
fn command(program: &Program, url: &str) -> Command {
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("GROOVEBASE_REDIS_URL", url);
    command
}

/// The same, and no slowness of the machine is taken for that of Redis.
fn patient(program: &Program, url: &str) -> Command {
    let mut command = command(program, url);
    command.env("GROOVEBASE_REDIS_BUDGET_MS", "10000");
    command
}

/// What the instances share, seen by the test.
fn tier(settings: RedisSettings) -> anyhow::Result<RedisStyleProfiles> {
    let patient = RedisSettings { budget: PATIENCE, ..settings };
    Ok(RedisStyleProfiles::new(Redis::open(&patient)?))
}

async fn ask(serving: &Serving, status: u16, request: Request) -> anyhow::Result<Answer> {
    let answer = serving.client().send(&request).await?;
    ensure!(answer.status == status, "{request}: expected {status}, got {answer:?}");
    Ok(answer)
}

/// Saves, reads and removes, each of which has to work.
async fn work(serving: &Serving, name: &str) -> anyhow::Result<()> {
    let path = artist(name, "/profile");
    ask(serving, 201, Request::put(&path, body::profile())).await?;
    ask(serving, 200, Request::get(&path)).await?;
    ask(serving, 200, Request::get(&path).with("cache-control", "no-cache")).await?;
    ask(serving, 204, Request::delete(path)).await?;
    ask(serving, 204, Request::delete(artist(name, ""))).await?;
    Ok(())
}

/// Works until Redis is in this state, and returns what else health says of it.
async fn until_redis_is(serving: &Serving, state: &str) -> anyhow::Result<Value> {
    let began = Instant::now();
    for round in 0_u32.. {
        work(serving, &format!("Artist {round}")).await?;
        let health = ask(serving, 200, Request::get("/health")).await?;
        if health.at("/redis/state")? == state {
            let overall = if state == "ok" { "ok" } else { "degraded" };
            ensure!(health.at("/status")? == overall, "{health:?}");
            return health.at("/redis");
        }
        ensure!(began.elapsed() < PATIENCE, "waited in vain for {state}: {health:?}");
    }
    anyhow::bail!("there are more rounds than that")
}

/// The lines of a log that warn about Redis.
fn warnings(log: &[String]) -> Vec<&String> {
    log.iter().filter(|line| line.contains("\"WARN\"") && line.contains("Redis")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_not_there_yet_is_used_once_it_is() -> anyhow::Result<()> {
    let server = RedisServer::start().await?;
    server.stop().await?;
    let program = Program::new()?;

    let serving = Serving::start(command(&program, server.url()))?;
    let away = until_redis_is(&serving, "unavailable").await?;
    server.restart().await?;
    let back = until_redis_is(&serving, "ok").await?;

    ensure!(away["detail"] == "it cannot be reached" && away["latency_us"].is_null(), "{away}");
    ensure!(back["detail"].is_null() && back["latency_us"].is_u64(), "{back}");
    serving.terminate()?;
    let log = serving.ended()?;
    let warned = warnings(&log);
    ensure!(warned.len() == 1, "{log:#?}");
    ensure!(
        warned[0].contains("Redis is of no use: it cannot be reached. The service goes on without"),
        "{warned:?}"
    );
    ensure!(log.iter().any(|line| line.contains("Redis answers again")), "{log:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_works_once_it_is_right() -> anyhow::Result<()> {
    const PASSWORD: &str = "nobody-may-read-this";

    let server = RedisServer::start().await?;
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}/", server.port());
    let program = Program::new()?;

    let serving = Serving::start(command(&program, &url))?;
    let away = until_redis_is(&serving, "unavailable").await?;
    server.run(&["ACL", "SETUSER", "default", &format!(">{PASSWORD}")]).await?;
    until_redis_is(&serving, "ok").await?;

    ensure!(away["detail"] == "it refuses the user name or the password", "{away}");
    serving.terminate()?;
    let log = serving.ended()?;
    ensure!(warnings(&log).len() == 1, "{log:#?}");
    ensure!(!log.iter().any(|line| line.contains(PASSWORD)), "{log:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_refuses_writes_degrades_only() -> anyhow::Result<()> {
    let server = RedisServer::setup()
        .user("groovebase", "~groovebase:* +@connection +get +mget")
        .start()
        .await?;
    let program = Program::new()?;

    let serving = Serving::start(command(&program, server.url()))?;
    let limited = until_redis_is(&serving, "degraded").await?;

    ensure!(limited["detail"] == "its user may not run a command that is needed", "{limited}");
    serving.terminate()?;
    serving.ended()?;
    Ok(())
}

/// The rules of docs/caching.md.
const LEAST_RULES: &str = "~groovebase:* resetchannels -@all +@connection +get +mget +set +getrange +del \
    +eval +evalsha +script|load +zincrby +zrange +zremrangebyrank +zremrangebyscore +zunionstore +expire";

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_user_may_do_all_that_is_needed() -> anyhow::Result<()> {
    let server = RedisServer::setup().user("groovebase", LEAST_RULES).tls().start().await?;
    let program = Program::new()?;
    std::fs::write(program.file("ca.crt"), server.authority().context("with TLS")?)?;
    let authority = server.authority().map(str::to_owned);
    let settings = RedisSettings { ca_certificate: authority, ..RedisSettings::new(server.url()) };
    tier(settings)?.note_reads(&[(given::key("A")?, 5)]).await;
    let mut command = patient(&program, server.url());
    command.env("GROOVEBASE_REDIS_CA_FILE", "ca.crt");

    let mut serving = Serving::start(command)?;
    serving.logged("The cache is warm")?;
    until_redis_is(&serving, "ok").await?;
    work(&serving, "J Dilla").await?;

    let metrics = ask(&serving, 200, Request::get("/metrics")).await?;
    let failures: Vec<&str> = metrics
        .text()?
        .lines()
        .filter(|line| {
            line.starts_with("groovebase_redis_failures_total{") && !line.ends_with(" 0")
        })
        .collect();
    ensure!(failures.is_empty(), "{failures:?}");
    let stored = r#"groovebase_redis_profiles_total{outcome="stored"} 0"#;
    ensure!(!metrics.text()?.lines().any(|line| line == stored), "{metrics:?}");
    serving.terminate()?;
    let log = serving.ended()?;
    ensure!(warnings(&log).is_empty(), "{log:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_trusts_is_told() -> anyhow::Result<()> {
    let server = RedisServer::setup().user("groovebase", LEAST_RULES).tls().start().await?;
    let program = Program::new()?;

    let serving = Serving::start(patient(&program, server.url()))?;
    let away = until_redis_is(&serving, "unavailable").await?;
    let mut missing = command(&program, server.url());
    missing.env("GROOVEBASE_REDIS_CA_FILE", "missing.crt");
    let ended = run(missing, "")?;

    ensure!(away["detail"] == "its certificate is not trusted", "{away}");
    ensure!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    ensure!(ended.errors.contains("missing.crt"), "{ended:?}");
    Ok(())
}

#[test]
fn settings_of_redis_that_cannot_be_used_stop_the_start() -> anyhow::Result<()> {
    let program = Program::new()?;
    for (name, value, told) in [
        ("GROOVEBASE_REDIS_URL", "http://:hunter2@localhost", "must begin with redis://"),
        ("GROOVEBASE_REDIS_URL", "localhost:6379", "must begin with redis://"),
        ("GROOVEBASE_REDIS_URL", "redis://", "names no host"),
        ("GROOVEBASE_REDIS_URL", "redis://a,b", "names several hosts"),
        ("GROOVEBASE_REDIS_URL", "redis://:hunter2@localhost:x", "port"),
        ("GROOVEBASE_REDIS_PREFIX", "two words", "prefix"),
        ("GROOVEBASE_REDIS_CONNECTIONS", "0", "connections"),
        ("GROOVEBASE_REDIS_BUDGET_MS", "0", "0"),
    ] {
        let mut command = command(&program, "redis://localhost");
        command.env(name, value);

        let ended = run(command, "")?;

        ensure!(ended.code == Some(2), "{name}={value}: {ended:?}");
        ensure!(
            ended.errors.contains(&format!("{name} in the environment is invalid")),
            "{ended:?}"
        );
        ensure!(ended.errors.contains(told), "{name}={value}: {ended:?}");
        ensure!(!ended.errors.contains("hunter2"), "{ended:?}");
    }
    ensure!(!program.file("groovebase.db").exists(), "nothing was begun");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_the_most_read_profiles_are_in_memory() -> anyhow::Result<()> {
    const ARTISTS: u32 = 160;

    let server = RedisServer::start().await?;
    let program = Program::new()?;
    let path = |number| artist(&format!("Artist {number}"), "/profile");
    let serving = Serving::start(patient(&program, server.url()))?;
    for number in 0..ARTISTS {
        ask(&serving, 201, Request::put(path(number), body::profile())).await?;
    }
    serving.terminate()?;
    serving.ended()?;
    // What instances do every half minute: all but the first artist were read.
    let tier = tier(RedisSettings::new(server.url()))?;
    let read = (1..ARTISTS).map(|number| anyhow::Ok((given::key(&format!("Artist {number}"))?, 5)));
    tier.note_reads(&read.collect::<anyhow::Result<Vec<_>>>()?).await;

    let mut serving = Serving::start(patient(&program, server.url()))?;
    let begun = serving.logged("Warming the cache")?;
    let under_way = serving.logged("Warming the cache")?;
    let done = serving.logged("The cache is warm")?;

    ensure!(begun["profiles"] == 159 && begun["warmed"].is_null(), "{begun}");
    let warmed = under_way["warmed"].as_u64().context("progress")?;
    ensure!((1..159).contains(&warmed) && under_way["profiles"] == 159, "{under_way}");
    ensure!(done["warmed"] == 159, "{done}");
    for number in 1..ARTISTS {
        let first = ask(&serving, 200, Request::get(path(number))).await?;
        ensure!(first.required("x-cache")? == "memory", "{number}: {first:?}");
    }
    let never_read = ask(&serving, 200, Request::get(path(0))).await?;
    ensure!(never_read.required("x-cache")? == "redis", "{never_read:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_warmed_where_that_is_off() -> anyhow::Result<()> {
    let server = RedisServer::start().await?;
    let program = Program::new()?;
    let path = artist("J Dilla", "/profile");
    let mut off = patient(&program, server.url());
    off.env("GROOVEBASE_CACHE_WARM_PROFILES", "0");
    let serving = Serving::start(patient(&program, server.url()))?;
    ask(&serving, 201, Request::put(&path, body::profile())).await?;
    serving.terminate()?;
    serving.ended()?;
    let tier = tier(RedisSettings::new(server.url()))?;
    tier.note_reads(&[(given::key("J Dilla")?, 5)]).await;

    let serving = Serving::start(off)?;
    let strict = Request::get(&path).with("cache-control", "no-cache");
    let first = ask(&serving, 200, strict).await?;

    ensure!(first.required("x-cache")? == "redis", "{first:?}");
    serving.terminate()?;
    let log = serving.ended()?;
    ensure!(!log.iter().any(|line| line.contains("Warming the cache")), "{log:#?}");
    Ok(())
}
