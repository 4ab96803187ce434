//! A Redis that is killed, paused, restarted and filled up.

use std::time::Duration;

use anyhow::ensure;
use groovebase_tests::fault::{
    RedisServer,
    redis::{self, ClientTlsConfig, FromRedisValue, TlsCertificates, Value},
};

async fn get(server: &RedisServer, key: &str) -> anyhow::Result<Option<String>> {
    Ok(Option::from_redis_value(server.run(&["GET", key]).await?)?)
}

#[tokio::test]
async fn a_killed_redis_starts_again_with_empty_memory() -> anyhow::Result<()> {
    let server = RedisServer::start().await?;
    server.run(&["SET", "artist", "J Dilla"]).await?;

    server.kill().await?;
    let away = server.run(&["PING"]).await;
    server.restart().await?;

    ensure!(away.is_err(), "{away:?}");
    ensure!(get(&server, "artist").await?.is_none());
    ensure!(server.url().contains(&format!(":{}/", server.port())), "{}", server.url());
    Ok(())
}

#[tokio::test]
async fn a_redis_starts_again_from_an_old_snapshot() -> anyhow::Result<()> {
    let server = RedisServer::start().await?;
    server.run(&["SET", "artist", "old"]).await?;
    let snapshot = server.save_snapshot().await?;
    server.run(&["SET", "artist", "new"]).await?;

    server.restart_from(&snapshot).await?;
    let restored = get(&server, "artist").await?;
    server.restart().await?;

    ensure!(restored.as_deref() == Some("old"), "{restored:?}");
    ensure!(get(&server, "artist").await?.is_none(), "a snapshot is used once");
    Ok(())
}

#[tokio::test]
async fn a_paused_redis_answers_when_it_goes_on() -> anyhow::Result<()> {
    let server = RedisServer::start().await?;

    server.pause().await?;
    let client = redis::Client::open(server.url())?;
    let ping = tokio::spawn(async move {
        let patient = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let mut connection = client.get_multiplexed_async_connection_with_config(&patient).await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let answered = ping.is_finished();
    server.resume().await?;

    ensure!(!answered, "a paused server answers nothing");
    ensure!(ping.await?? == "PONG");
    Ok(())
}

#[tokio::test]
async fn a_redis_that_is_full_evicts() -> anyhow::Result<()> {
    let setup =
        RedisServer::setup().setting("maxmemory 10mb").setting("maxmemory-policy allkeys-lru");
    let server = setup.start().await?;

    let value = "x".repeat(100_000);
    for index in 0..200 {
        server.run(&["SET", &index.to_string(), &value]).await?;
    }

    let kept = u32::from_redis_value(server.run(&["DBSIZE"]).await?)?;
    ensure!((10..100).contains(&kept), "10 MB hold fewer than 100 values: {kept}");
    Ok(())
}

#[tokio::test]
async fn a_user_may_do_what_the_test_says() -> anyhow::Result<()> {
    let server =
        RedisServer::setup().user("groovebase", "~groovebase:* +@all -@admin").start().await?;
    let client = redis::Client::open(server.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;

    let own: String =
        redis::cmd("SET").arg("groovebase:a").arg(1).query_async(&mut connection).await?;
    let other =
        redis::cmd("SET").arg("other:a").arg(1).query_async::<String>(&mut connection).await;

    ensure!(own == "OK" && other.is_err(), "{own} {other:?}");
    Ok(())
}

#[tokio::test]
async fn tls_is_spoken_to_those_who_trust_the_authority() -> anyhow::Result<()> {
    let server = RedisServer::setup().user("groovebase", "~* +@all").tls().start().await?;
    ensure!(server.url().starts_with("rediss://groovebase:"), "{}", server.url());
    let trusting = |root_cert| {
        let certificates = TlsCertificates { client_tls: None::<ClientTlsConfig>, root_cert };
        redis::Client::build_with_tls(server.url(), certificates)
    };

    let authority = server.authority().map(|pem| pem.as_bytes().to_owned());
    let mut trusted = trusting(authority)?.get_multiplexed_async_connection().await?;
    let pong: Value = redis::cmd("PING").query_async(&mut trusted).await?;
    let distrusted = trusting(None)?.get_multiplexed_async_connection().await;
    server.restart().await?;
    let after = server.run(&["PING"]).await?;

    ensure!(pong == after, "{pong:?}");
    ensure!(distrusted.is_err(), "nobody else trusts it");
    Ok(())
}
