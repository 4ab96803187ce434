//! A Redis cluster that loses a master.

use anyhow::{Context, ensure};
use groovebase_tests::fault::{
    RedisCluster,
    redis::{self, cluster::ClusterClient},
};

/// The nodes as the client wants them: one URL each.
fn node_urls(url: &str) -> anyhow::Result<Vec<String>> {
    let rest = url.strip_prefix("redis+cluster://").context("another scheme")?;
    let (credentials, hosts) = rest.split_once('@').context("no credentials")?;
    Ok(hosts.split(',').map(|host| format!("redis://{credentials}@{host}")).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_takes_over_when_its_master_is_killed() -> anyhow::Result<()> {
    let cluster = RedisCluster::start().await?;
    let client = ClusterClient::new(node_urls(cluster.url())?)?;
    let mut connection = client.get_async_connection().await?;
    for name in 0..100 {
        redis::cmd("SET").arg(name).arg(name).query_async::<()>(&mut connection).await?;
    }
    ensure!(cluster.masters(5).await? == [0, 1, 2]);
    let master = cluster.master_of("7", 5).await?;
    let witness = (master + 1) % 3;
    cluster.run_on(master, &["WAIT", "1", "10000"]).await?;

    cluster.kill(master).await?;
    cluster.failed_over(master, witness).await?;
    let mut connection = client.get_async_connection().await?;
    let value: Option<u32> = redis::cmd("GET").arg(7).query_async(&mut connection).await?;
    let heir = cluster.master_of("7", witness).await?;
    cluster.restart(master).await?;

    ensure!(value == Some(7), "{value:?}");
    ensure!(heir == master + 3, "{heir} took over from {master}");
    ensure!(!cluster.masters(witness).await?.contains(&master));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_node_goes_on() -> anyhow::Result<()> {
    let cluster = RedisCluster::start().await?;

    cluster.pause(3).await?;
    cluster.resume(3).await?;

    cluster.run_on(3, &["PING"]).await?;
    Ok(())
}
