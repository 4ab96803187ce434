//! A PostgreSQL that is stopped, killed and paused.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use domain::{Expected, SystemClock};
use groovebase_tests::{fault::PostgresServer, given};
use migration::Schema;
use storage::{PoolLimits, Store};

async fn store(server: &PostgresServer) -> anyhow::Result<Store> {
    let schema = Schema::connect(server.url()).await?;
    schema.up(None).await?;
    schema.close().await?;
    let limits = PoolLimits { kept: 0, most: 4, ..PoolLimits::default() };
    Ok(storage::connect(server.url(), &limits, Arc::new(SystemClock)).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_survives_every_restart() -> anyhow::Result<()> {
    let server = PostgresServer::start().await?;
    let store = store(&server).await?;

    for (round, text) in ["first", "second", "third"].iter().enumerate() {
        let new = given::profile("J Dilla", text)?;
        let saved =
            store.style_profiles().save(&new, Expected::Any, &given::author()).await?.profile;
        match round {
            0 => server.restart().await?,
            1 => {
                server.stop_fast().await?;
                server.restart().await?;
            }
            _ => {
                server.kill().await?;
                server.restart().await?;
            }
        }

        ensure!(store.style_profiles().find(new.artist.key()).await? == Some(saved), "{text}");
    }
    store.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_refuses_connections() -> anyhow::Result<()> {
    let server = PostgresServer::start_with(&["max_connections=20"]).await?;
    let address = ("127.0.0.1", server.port());
    tokio::net::TcpStream::connect(address).await?;

    server.kill().await?;

    let refused = tokio::net::TcpStream::connect(address).await;
    ensure!(refused.is_err(), "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_server_answers_when_it_goes_on() -> anyhow::Result<()> {
    let server = PostgresServer::start().await?;
    let store = store(&server).await?;
    let new = given::profile("J Dilla", "late")?;
    let saved = store.style_profiles().save(&new, Expected::Any, &given::author()).await?.profile;

    server.pause().await?;
    let (profiles, key) = (store.style_profiles(), new.artist.key().clone());
    let found = tokio::spawn(async move { profiles.find(&key).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let answered = found.is_finished();
    server.resume().await?;

    ensure!(!answered, "no backend of a paused server answers");
    ensure!(found.await?? == Some(saved));
    store.close().await;
    Ok(())
}
