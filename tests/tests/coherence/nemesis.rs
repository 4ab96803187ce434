//! Everything that goes wrong.

#[path = "nemesis/instance.rs"]
mod instance;
#[path = "nemesis/postgres.rs"]
mod postgres;
#[path = "nemesis/redis.rs"]
mod redis;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use fastrand::Rng;
use tokio::time::sleep;

use crate::{
    over_http::OverHttp,
    world::{Link, World},
};
pub(crate) use instance::InstanceFault;
pub(crate) use postgres::PostgresFault;
pub(crate) use redis::RedisFault;

/// How long things work again before the next fault.
const RECOVERY: Duration = Duration::from_millis(700);

/// Something that goes wrong, and is right again afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Of Redis, or on the way to it.
    Redis(RedisFault),
    /// Of PostgreSQL, or on the way to it.
    Postgres(PostgresFault),
    /// Of an instance that is a process.
    Instance(InstanceFault),
}

impl Fault {
    /// All that can happen around an instance, alternating.
    pub(crate) const AROUND: [Self; 23] = [
        Self::Redis(RedisFault::ForgetsAll),
        Self::Postgres(PostgresFault::BackendsEnd),
        Self::Redis(RedisFault::HoldsItsClientsUp),
        Self::Postgres(PostgresFault::FollowersEnd),
        Self::Redis(RedisFault::HoldsOldValues),
        Self::Redis(RedisFault::DropsItsClients),
        Self::Postgres(PostgresFault::AnswersSlowly),
        Self::Redis(RedisFault::StandsStill),
        Self::Postgres(PostgresFault::IsCutOff),
        Self::Redis(RedisFault::HoldsForeignValues),
        Self::Postgres(PostgresFault::IsAwayForLong),
        Self::Redis(RedisFault::IsCutOff),
        Self::Postgres(PostgresFault::Restarts),
        Self::Redis(RedisFault::AnswersSlowly),
        Self::Redis(RedisFault::HoldsTornValues),
        Self::Postgres(PostgresFault::AnswersLate),
        Self::Redis(RedisFault::HearsLate),
        Self::Postgres(PostgresFault::IsHalfOpen),
        Self::Redis(RedisFault::IsHalfOpen),
        Self::Postgres(PostgresFault::StandsStill),
        Self::Redis(RedisFault::IsKilledAndComesBackWithOldValues),
        Self::Postgres(PostgresFault::IsKilled),
        Self::Redis(RedisFault::AnswersTooLate),
    ];
}

/// Makes things go wrong, one after the other.
pub(crate) struct Nemesis<'a> {
    world: &'a World,
    processes: &'a [Arc<OverHttp>],
    random: Rng,
}

impl<'a> Nemesis<'a> {
    pub(crate) const fn new(world: &'a World, processes: &'a [Arc<OverHttp>], random: Rng) -> Self {
        Self { world, processes, random }
    }

    /// Makes it go wrong, repairs it, and lets things recover.
    pub(crate) async fn strike(&mut self, fault: Fault) -> anyhow::Result<()> {
        let repaired = match fault {
            Fault::Redis(fault) => self.strike_redis(fault).await,
            Fault::Postgres(fault) => self.strike_postgres(fault).await,
            Fault::Instance(fault) => self.strike_instance(fault).await,
        };
        repaired.with_context(|| format!("{fault:?}"))?;
        sleep(RECOVERY).await;
        Ok(())
    }

    /// The way to the servers of one instance, whichever.
    fn any_link(&mut self) -> anyhow::Result<&'a Link> {
        self.world.link(self.random.usize(0..self.world.links.len()))
    }

    /// Makes the network what it was.
    async fn repaired_after(&self, pause: Duration) -> anyhow::Result<()> {
        sleep(pause).await;
        for link in &self.world.links {
            link.to_postgres.restore().await?;
            link.to_redis.restore().await?;
        }
        Ok(())
    }
}
