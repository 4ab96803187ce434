//! The servers of a run, and the network between them and each instance.

use anyhow::Context;
use groovebase_tests::fault::{PostgresServer, Proxy, RedisServer};
use migration::Schema;

use crate::ledger::Ledger;

/// One PostgreSQL, one Redis, and for each instance a way of its own to both.
pub(crate) struct World {
    pub(crate) postgres: PostgresServer,
    pub(crate) redis: RedisServer,
    pub(crate) ledger: Ledger,
    pub(crate) links: Vec<Link>,
}

/// How one instance reaches the servers.
pub(crate) struct Link {
    pub(crate) to_postgres: Proxy,
    pub(crate) to_redis: Proxy,
    pub(crate) addresses: Addresses,
}

/// Where an instance finds the servers.
pub(crate) struct Addresses {
    pub(crate) postgres: String,
    pub(crate) redis: String,
}

impl World {
    /// Starts the servers, for so many instances.
    pub(crate) async fn start(instances: usize) -> anyhow::Result<Self> {
        let postgres = PostgresServer::start().await?;
        let redis = RedisServer::start().await?;
        let schema = Schema::connect(postgres.url()).await?;
        schema.up(None).await?;
        schema.close().await?;
        let ledger = Ledger::begin(postgres.url()).await?;
        let mut links = Vec::with_capacity(instances);
        for _ in 0..instances {
            let (to_postgres, postgres) = Proxy::before(postgres.url()).await?;
            let (to_redis, redis) = Proxy::before(redis.url()).await?;
            links.push(Link { to_postgres, to_redis, addresses: Addresses { postgres, redis } });
        }
        Ok(Self { postgres, redis, ledger, links })
    }

    pub(crate) fn link(&self, instance: usize) -> anyhow::Result<&Link> {
        self.links.get(instance).context("no such instance")
    }
}
