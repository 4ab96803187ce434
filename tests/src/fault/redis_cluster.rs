//! A Redis cluster whose nodes a test may kill.

use std::time::Instant;

use anyhow::{Context, ensure};

use super::{
    keeper::{Keeper, Started},
    redis::{FromRedisValue, Value},
    redis_server::run_at,
};
use crate::program::PATIENCE;

/// How many nodes there are: as many masters as replicas.
const NODES: usize = 6;

/// Six Redis processes of the test's own that are one cluster: three masters, each with a replica that takes over
/// within seconds when its master is gone.
///
/// Nodes are numbered from 0; at first 0, 1 and 2 are the masters, and 3, 4 and 5 their replicas.
#[derive(Debug)]
pub struct RedisCluster {
    keeper: Keeper,
    nodes: Vec<Started>,
    url: String,
}

/// What a node knows of another one.
struct Known {
    index: usize,
    is_master: bool,
    slots: Vec<(u16, u16)>,
}

impl RedisCluster {
    /// Starts the nodes and waits until all of them agree that the cluster works. It takes a few seconds.
    pub async fn start() -> anyhow::Result<Self> {
        let (keeper, _) = Keeper::prepare("redis_cluster", &[]).await?;
        let mut nodes = Vec::new();
        for index in 0..NODES {
            nodes.push(keeper.start(index).await?);
        }
        let url = keeper.form().await?;
        Ok(Self { keeper, nodes, url })
    }

    /// The URL of the whole, which names every node: `redis+cluster://user:password@127.0.0.1:port,…`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs a command on one node, as the superuser and on a connection of its own.
    pub async fn run_on(&self, index: usize, words: &[&str]) -> anyhow::Result<Value> {
        let node = self.nodes.get(index).context("no such node")?;
        run_at(&node.url, words).await
    }

    /// Which node is the master of this key, in the eyes of this witness.
    pub async fn master_of(&self, key: &str, witness: usize) -> anyhow::Result<usize> {
        let slot = self.run_on(witness, &["CLUSTER", "KEYSLOT", key]).await?;
        let slot = u16::from_redis_value(slot)?;
        let known = self.known_to(witness).await?;
        let owns =
            |it: &&Known| it.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot));
        Ok(known.iter().find(owns).context("nobody owns the slot")?.index)
    }

    /// The masters that serve keys, in the eyes of this witness, in the order of their numbers.
    pub async fn masters(&self, witness: usize) -> anyhow::Result<Vec<usize>> {
        let known = self.known_to(witness).await?;
        // One that comes back after it was replaced calls itself a master until it is told.
        let serving = known.iter().filter(|it| it.is_master && !it.slots.is_empty());
        let mut masters: Vec<_> = serving.map(|it| it.index).collect();
        masters.sort_unstable();
        Ok(masters)
    }

    /// Waits until this witness knows three working masters, not this one among them, and the cluster to work.
    pub async fn failed_over(&self, from: usize, witness: usize) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let state = self.run_on(witness, &["CLUSTER", "INFO"]).await?;
            let works = String::from_redis_value(state)?.contains("cluster_state:ok");
            let masters = self.masters(witness).await?;
            if works && masters.len() == NODES / 2 && !masters.contains(&from) {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "waited in vain until {from} was replaced");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Ends a node at once (SIGKILL).
    pub async fn kill(&self, index: usize) -> anyhow::Result<()> {
        self.keeper.kill(index).await
    }

    /// Starts a node again on the same port. If it was replaced meanwhile it becomes a replica soon.
    pub async fn restart(&self, index: usize) -> anyhow::Result<()> {
        self.keeper.kill(index).await?;
        self.keeper.start(index).await.map(drop)
    }

    /// Makes a node stand still (SIGSTOP).
    pub async fn pause(&self, index: usize) -> anyhow::Result<()> {
        self.keeper.pause(index).await
    }

    /// Lets a node go on (SIGCONT).
    pub async fn resume(&self, index: usize) -> anyhow::Result<()> {
        self.keeper.resume(index).await
    }

    /// The nodes that a witness does not take for broken.
    async fn known_to(&self, witness: usize) -> anyhow::Result<Vec<Known>> {
        let lines = self.run_on(witness, &["CLUSTER", "NODES"]).await?;
        let lines = String::from_redis_value(lines)?;
        lines.lines().filter_map(|line| self.known(line).transpose()).collect()
    }

    /// Reads such as `07c3… 127.0.0.1:10001@20001 myself,master - 0 0 1 connected 0-5460`.
    fn known(&self, line: &str) -> anyhow::Result<Option<Known>> {
        let mut words = line.split(' ').skip(1);
        let mut next = || words.next().context("CLUSTER NODES answers in a strange way");
        let (address, flags) = (next()?, next()?);
        if flags.split(',').any(|flag| flag == "fail") {
            return Ok(None);
        }
        let port = address.split(['@', ':']).nth(1).context("no port")?.parse::<u16>()?;
        let index = self.nodes.iter().position(|node| node.port == port).context("a stranger")?;
        let is_master = flags.split(',').any(|flag| flag == "master");
        let slots = words.skip(5).filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some((first.parse().ok()?, last.parse().ok()?))
        });
        Ok(Some(Known { index, is_master, slots: slots.collect() }))
    }
}
