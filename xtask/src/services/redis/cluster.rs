//! Making a cluster of nodes that know nothing of each other yet.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use url::Url;

use super::{protocol::Connection, sign_in};
use crate::services::program::Cancellation;

/// How many nodes a cluster has: half of them masters, the other half their replicas.
pub(in crate::services) const NODES: usize = 6;

const MASTERS: usize = NODES / 2;

const SLOTS: usize = 16_384;

/// How long the nodes may take until each knows all and serves. By design it is over two seconds.
const LIMIT: Duration = Duration::from_mins(1);

/// When to introduce nodes again: after they have given up on each other.
const INTRODUCTION: Duration = Duration::from_secs(5);

/// Makes a cluster of the nodes at these URLs, and waits until all of it works.
pub(in crate::services) fn form(
    urls: &[String],
    cancellation: &Cancellation,
) -> anyhow::Result<()> {
    ensure!(urls.len() == NODES, "a cluster is made of {NODES} nodes");
    let mut nodes = urls.iter().map(|url| Node::connect(url)).collect::<Result<Vec<_>, _>>()?;

    for (index, node) in nodes.iter_mut().enumerate() {
        // Nodes of one age would dispute who is right until they had made it up.
        node.call(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
        if index < MASTERS {
            let (first, next) = (index * SLOTS / MASTERS, (index + 1) * SLOTS / MASTERS);
            let (first, last) = (first.to_string(), (next - 1).to_string());
            node.call(&["CLUSTER", "ADDSLOTSRANGE", &first, &last])?;
        }
    }
    introduce(&mut nodes)?;

    let deadline = Instant::now() + LIMIT;
    let mut introduced = Instant::now();
    wait(deadline, cancellation, &mut nodes, |nodes| {
        // A busy machine may take longer to answer than nodes wait for somebody they do not know.
        if INTRODUCTION <= introduced.elapsed() {
            introduce(nodes)?;
            introduced = Instant::now();
        }
        all(nodes, |node| node.counts("connected", NODES))
    })?;
    let (masters, replicas) = nodes.split_at_mut(MASTERS);
    for (master, replica) in masters.iter_mut().zip(replicas) {
        let identity = master.call(&["CLUSTER", "MYID"])?;
        replica.call(&["CLUSTER", "REPLICATE", &identity])?;
    }
    wait(deadline, cancellation, &mut nodes, |nodes| all(nodes, Node::is_ready))
}

/// Makes the nodes known to the first one, who tells them of each other.
fn introduce(nodes: &mut [Node]) -> anyhow::Result<()> {
    let (first, others) = nodes.split_first_mut().context("there are no nodes")?;
    for other in others {
        other.call(&["CLUSTER", "MEET", "127.0.0.1", &first.port])?;
    }
    Ok(())
}

fn all(
    nodes: &mut [Node],
    mut holds: impl FnMut(&mut Node) -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    for node in nodes {
        if !holds(node)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Signs in to the first node of the cluster at this URL and returns its version, in words.
pub(in crate::services) fn version(url: &str) -> anyhow::Result<String> {
    let (scheme, rest) = url.split_once("+cluster://").context("it is no `redis+cluster:` URL")?;
    let first = rest.split_once(',').map_or(rest, |(first, _)| first);
    Ok(format!("{}, a cluster", super::version(&format!("{scheme}://{first}"))?))
}

fn wait(
    deadline: Instant,
    cancellation: &Cancellation,
    nodes: &mut [Node],
    mut is_done: impl FnMut(&mut [Node]) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    while !is_done(nodes)? {
        ensure!(Instant::now() < deadline, "the cluster does not come together");
        cancellation.sleep(Duration::from_millis(20))?;
    }
    Ok(())
}

/// A connection to one node.
struct Node {
    port: String,
    connection: Connection,
}

impl Node {
    fn connect(url: &str) -> anyhow::Result<Self> {
        let url = Url::parse(url).context("the address is not a URL")?;
        let port = url.port().context("the address names no port")?.to_string();
        Ok(Self { port, connection: sign_in(&url)? })
    }

    fn call(&mut self, words: &[&str]) -> anyhow::Result<String> {
        let answer = self.connection.call(words.iter().copied());
        answer.with_context(|| format!("{} at port {}", words.join(" "), self.port))
    }

    /// Returns whether this node knows the cluster to work, with everybody in place.
    fn is_ready(&mut self) -> anyhow::Result<bool> {
        Ok(self.call(&["CLUSTER", "INFO"])?.contains("cluster_state:ok")
            && self.counts("master", MASTERS)?
            && self.counts("slave", NODES - MASTERS)?
            && self.is_in_step()?)
    }

    /// Returns whether this node's replica, or its master, is attached.
    fn is_in_step(&mut self) -> anyhow::Result<bool> {
        let about = self.call(&["INFO", "replication"])?;
        Ok(if about.contains("role:master") {
            about.contains("state=online")
        } else {
            about.contains("master_link_status:up")
        })
    }

    /// Returns whether this node knows so many nodes that have this mark.
    fn counts(&mut self, mark: &str, number: usize) -> anyhow::Result<bool> {
        // Such as "07c3… 127.0.0.1:10001@20001 myself,master - 0 0 1 connected 0-5460".
        let known = self.call(&["CLUSTER", "NODES"])?;
        let is = |line: &&str| {
            let words: Vec<_> = line.split([' ', ',']).collect();
            let strange = words.iter().any(|word| matches!(*word, "handshake" | "fail" | "fail?"));
            !strange && words.contains(&mark)
        };
        Ok(known.lines().filter(is).count() == number)
    }
}
