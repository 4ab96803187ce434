//! Everything that goes wrong.

use std::time::Duration;

use anyhow::Context;
use fastrand::Rng;
use groovebase_tests::fault::Direction;

use crate::{
    books::Books,
    world::{Postgres, World, restart},
};

/// Something that goes wrong, and is right again afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An instance is killed, and started again.
    InstanceIsKilled,
    /// All of them are, at once.
    AllInstancesAreKilled,
    /// All connections that an instance has to the database are reset.
    ConnectionsAreCut,
    /// The database answers late, so that it is likely that an instance dies after a commit of which nobody knows.
    InstanceIsKilledBeforeItKnows,
    /// The same with the connections.
    ConnectionsAreCutBeforeAnybodyKnows,
    /// An administrator ends some of the database's backends.
    BackendsEnd,
    /// The database server is killed, and started again.
    ServerIsKilled,
}

impl Fault {
    /// What goes wrong in a round, in any order.
    pub(crate) fn of_round(round: u64, world: &World, random: &mut Rng) -> Vec<Self> {
        if world.postgres.is_none() {
            return vec![Self::InstanceIsKilled];
        }
        let mut faults = vec![
            Self::InstanceIsKilled,
            Self::ConnectionsAreCut,
            Self::InstanceIsKilledBeforeItKnows,
            Self::ConnectionsAreCutBeforeAnybodyKnows,
            Self::BackendsEnd,
        ];
        if round % 2 == 1 {
            faults.extend([Self::ServerIsKilled, Self::AllInstancesAreKilled]);
        }
        random.shuffle(&mut faults);
        faults
    }
}

/// How often what went wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Struck {
    pub(crate) kills: u64,
    pub(crate) cuts: u64,
    pub(crate) backends: u64,
    pub(crate) server_kills: u64,
}

/// Makes things go wrong, one after the other.
pub(crate) struct Nemesis<'a> {
    pub(crate) world: &'a World,
    pub(crate) books: &'a Books,
    pub(crate) random: Rng,
    pub(crate) struck: Struck,
}

impl Nemesis<'_> {
    /// Makes it go wrong at some moment, and repairs it.
    pub(crate) async fn strike(&mut self, fault: Fault) -> anyhow::Result<()> {
        self.books.advance(self.random.u64(30..200)).await;
        self.do_strike(fault).await.with_context(|| format!("{fault:?}"))
    }

    async fn do_strike(&mut self, fault: Fault) -> anyhow::Result<()> {
        let index = self.random.usize(0..self.world.instances.len());
        let instance = self.world.instances.get(index).context("an instance")?;
        match fault {
            Fault::InstanceIsKilled => {
                instance.kill()?;
                self.struck.kills += 1;
                restart(instance).await
            }
            Fault::AllInstancesAreKilled => {
                for instance in &self.world.instances {
                    instance.kill()?;
                    self.struck.kills += 1;
                }
                for instance in &self.world.instances {
                    restart(instance).await?;
                }
                Ok(())
            }
            Fault::ConnectionsAreCut => {
                self.struck.cuts += 1;
                let network = self.postgres()?.networks.get(index).context("a network")?;
                network.cut().await
            }
            Fault::InstanceIsKilledBeforeItKnows => {
                let network = self.postgres()?.networks.get(index).context("a network")?;
                network.delay(Direction::ToClient, Duration::from_millis(40));
                self.books.advance(30).await;
                instance.kill()?;
                network.cut().await?;
                network.restore().await?;
                self.struck.kills += 1;
                restart(instance).await
            }
            Fault::ConnectionsAreCutBeforeAnybodyKnows => {
                self.struck.cuts += 1;
                let network = self.postgres()?.networks.get(index).context("a network")?;
                network.delay(Direction::ToClient, Duration::from_millis(40));
                self.books.advance(30).await;
                network.cut().await?;
                network.restore().await
            }
            Fault::BackendsEnd => {
                let postgres = self.world.postgres.as_ref().context("no server")?;
                self.struck.backends += postgres.end_backends(&mut self.random).await?;
                Ok(())
            }
            Fault::ServerIsKilled => {
                self.struck.server_kills += 1;
                let server = &self.postgres()?.server;
                server.kill().await?;
                server.restart().await
            }
        }
    }

    fn postgres(&self) -> anyhow::Result<&Postgres> {
        self.world.postgres.as_ref().context("there is no server")
    }
}
