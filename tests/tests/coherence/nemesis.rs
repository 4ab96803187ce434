//! Everything that goes wrong.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use fastrand::Rng;
use groovebase_tests::fault::{Direction, Proxy};
use sea_orm::sqlx::{self, Connection, PgConnection};
use tokio::time::sleep;

use crate::{over_http::OverHttp, world::World};

/// How long things work again before the next fault.
const RECOVERY: Duration = Duration::from_millis(700);

/// Something that goes wrong, and is right again afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    RedisForgetsAll,
    RedisDropsItsClients,
    RedisHoldsItsClientsUp,
    RedisIsKilledAndComesBackWithOldValues,
    RedisStandsStill,
    RedisHoldsOldValues,
    RedisHoldsForeignValues,
    RedisHoldsTornValues,
    RedisAnswersSlowly,
    RedisAnswersTooLate,
    RedisIsCutOff,
    RedisIsHalfOpen,
    WritesToRedisLandLate,
    PostgresBackendsEnd,
    FollowersEnd,
    PostgresRestarts,
    PostgresIsKilled,
    PostgresStandsStill,
    PostgresAnswersSlowly,
    PostgresAnswersLate,
    PostgresIsCutOff,
    PostgresIsHalfOpen,
    PostgresIsAwayForLong,
    InstanceIsKilled,
    InstanceIsKilledBetweenCommitAndInvalidation,
}

impl Fault {
    /// All that can happen to instances in this process.
    pub(crate) const AROUND: [Self; 23] = [
        Self::RedisForgetsAll,
        Self::PostgresBackendsEnd,
        Self::RedisHoldsItsClientsUp,
        Self::FollowersEnd,
        Self::RedisHoldsOldValues,
        Self::RedisDropsItsClients,
        Self::PostgresAnswersSlowly,
        Self::RedisStandsStill,
        Self::PostgresIsCutOff,
        Self::RedisHoldsForeignValues,
        Self::RedisIsCutOff,
        Self::PostgresRestarts,
        Self::RedisAnswersSlowly,
        Self::RedisHoldsTornValues,
        Self::PostgresAnswersLate,
        Self::WritesToRedisLandLate,
        Self::PostgresIsHalfOpen,
        Self::RedisIsHalfOpen,
        Self::PostgresStandsStill,
        Self::RedisIsKilledAndComesBackWithOldValues,
        Self::PostgresIsKilled,
        Self::RedisAnswersTooLate,
        Self::PostgresIsAwayForLong,
    ];

    /// What can happen to a process besides.
    pub(crate) const WITHIN: [Self; 2] =
        [Self::InstanceIsKilled, Self::InstanceIsKilledBetweenCommitAndInvalidation];
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
        self.break_and_repair(fault).await.with_context(|| format!("{fault:?}"))?;
        sleep(RECOVERY).await;
        Ok(())
    }

    async fn break_and_repair(&mut self, fault: Fault) -> anyhow::Result<()> {
        let World { postgres, redis, .. } = self.world;
        match fault {
            Fault::RedisForgetsAll => self.often(&["FLUSHALL"]).await,
            Fault::RedisDropsItsClients => self.often(&["CLIENT", "KILL", "TYPE", "normal"]).await,
            Fault::RedisHoldsItsClientsUp => self.often(&["CLIENT", "PAUSE", "200"]).await,
            Fault::RedisIsKilledAndComesBackWithOldValues => {
                let snapshot = redis.save_snapshot().await?;
                sleep(Duration::from_millis(1_500)).await;
                redis.kill().await?;
                sleep(Duration::from_millis(300)).await;
                redis.restart_from(&snapshot).await
            }
            Fault::RedisStandsStill => {
                redis.pause().await?;
                sleep(Duration::from_secs(3)).await;
                redis.resume().await
            }
            Fault::RedisHoldsOldValues => {
                self.poison("redis.call('COPY', key, 'old' .. key, 'REPLACE')", 1).await?;
                sleep(Duration::from_millis(300)).await;
                let bring_back = "if redis.call('EXISTS', 'old' .. key) == 1 then \
                                  redis.call('COPY', 'old' .. key, key, 'REPLACE') end";
                self.poison(bring_back, 30).await
            }
            Fault::RedisHoldsForeignValues => {
                let next = "local next = keys[index % #keys + 1] \
                            if next ~= key then redis.call('COPY', next, key, 'REPLACE') end";
                self.poison(next, 30).await
            }
            Fault::RedisHoldsTornValues => {
                let cut_short = "local value = redis.call('GET', key) \
                                 redis.call('SET', key, value:sub(1, #value - index))";
                self.poison(cut_short, 15).await?;
                let overwrite = "local size = redis.call('STRLEN', key) \
                                 redis.call('SETRANGE', key, (index * 37) % (size + 1), 'x')";
                self.poison(overwrite, 15).await
            }
            Fault::RedisAnswersSlowly => {
                self.each_redis(|proxy| proxy.delay(Direction::Both, Duration::from_millis(15)));
                self.repaired_after(Duration::from_secs(2)).await
            }
            Fault::RedisAnswersTooLate => {
                self.each_redis(|proxy| {
                    proxy.delay(Direction::ToClient, Duration::from_millis(120))
                });
                self.repaired_after(Duration::from_secs(3)).await
            }
            Fault::RedisIsCutOff => {
                let link = self.any_link()?;
                link.to_redis.refuse().await;
                link.to_redis.cut().await?;
                self.repaired_after(Duration::from_secs(2)).await
            }
            Fault::RedisIsHalfOpen => {
                let proxy = &self.any_link()?.to_redis;
                proxy.swallow(Direction::ToClient);
                sleep(Duration::from_secs(1)).await;
                proxy.swallow(Direction::Both);
                self.repaired_after(Duration::from_secs(1)).await?;
                proxy.cut().await
            }
            Fault::WritesToRedisLandLate => {
                // Each held back set arrives when newer ones from elsewhere have been there for long.
                for _ in 0..4 {
                    self.any_link()?.to_redis.hold(Direction::ToServer);
                    self.repaired_after(Duration::from_millis(600)).await?;
                }
                Ok(())
            }
            Fault::PostgresBackendsEnd => self.end_backends("true").await,
            Fault::FollowersEnd => {
                self.end_backends("query LIKE '%removed_artists WHERE version%'").await
            }
            Fault::PostgresRestarts => postgres.restart().await,
            Fault::PostgresIsKilled => {
                postgres.kill().await?;
                sleep(Duration::from_millis(500)).await;
                postgres.restart().await
            }
            Fault::PostgresStandsStill => {
                postgres.pause().await?;
                sleep(Duration::from_millis(2_500)).await;
                postgres.resume().await
            }
            Fault::PostgresAnswersSlowly => {
                self.any_link()?.to_postgres.delay(Direction::Both, Duration::from_millis(40));
                self.repaired_after(Duration::from_secs(3)).await
            }
            Fault::PostgresAnswersLate => {
                // What was asked before is answered when it is no longer true.
                for _ in 0..3 {
                    self.any_link()?.to_postgres.hold(Direction::ToClient);
                    self.repaired_after(Duration::from_millis(1_300)).await?;
                }
                Ok(())
            }
            Fault::PostgresIsCutOff => {
                let link = self.any_link()?;
                link.to_postgres.refuse().await;
                link.to_postgres.cut().await?;
                self.repaired_after(Duration::from_secs(2)).await
            }
            Fault::PostgresIsHalfOpen => {
                let proxy = &self.any_link()?.to_postgres;
                proxy.swallow(Direction::Both);
                // The server believes in a transaction that holds the lock of all writers.
                self.repaired_after(Duration::from_secs(3)).await?;
                proxy.cut().await
            }
            Fault::PostgresIsAwayForLong => {
                postgres.stop_fast().await?;
                sleep(Duration::from_secs(6)).await;
                postgres.restart().await
            }
            Fault::InstanceIsKilled => {
                let process = self.any_process();
                self.restarted(process).await
            }
            Fault::InstanceIsKilledBetweenCommitAndInvalidation => {
                // Whatever is committed now stays in Redis as it was: told to forget it, Redis does not hear it.
                let process = self.any_process();
                self.world.link(process)?.to_redis.hold(Direction::ToServer);
                sleep(Duration::from_millis(40)).await;
                if let Some(process) = self.processes.get(process) {
                    process.kill();
                }
                self.world.link(process)?.to_redis.cut().await?;
                self.repaired_after(Duration::from_millis(500)).await?;
                self.restarted(process).await
            }
        }
    }

    /// Runs a command on Redis some times in a row.
    async fn often(&self, command: &[&str]) -> anyhow::Result<()> {
        for _ in 0..8 {
            self.world.redis.run(command).await?;
            sleep(Duration::from_millis(150)).await;
        }
        Ok(())
    }

    /// Does something to each profile in Redis, so many times. In a script, since values are bytes.
    async fn poison(&self, action: &str, times: u32) -> anyhow::Result<()> {
        let script = format!(
            "local keys = redis.call('KEYS', 'groovebase:profile:*') \
             for index, key in ipairs(keys) do {action} end"
        );
        for _ in 0..times {
            self.world.redis.run(&["EVAL", &script, "0"]).await?;
            sleep(Duration::from_millis(40)).await;
        }
        Ok(())
    }

    async fn end_backends(&self, which: &str) -> anyhow::Result<()> {
        for _ in 0..4 {
            let mut connection = PgConnection::connect(self.world.postgres.url()).await?;
            let end = format!(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND {which}"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(end)).execute(&mut connection).await?;
            connection.close().await?;
            sleep(Duration::from_millis(300)).await;
        }
        Ok(())
    }

    fn each_redis(&self, change: impl Fn(&Proxy)) {
        self.world.links.iter().for_each(|link| change(&link.to_redis));
    }

    fn any_link(&mut self) -> anyhow::Result<&'a crate::world::Link> {
        self.world.link(self.random.usize(0..self.world.links.len()))
    }

    fn any_process(&mut self) -> usize {
        self.random.usize(0..self.processes.len())
    }

    async fn repaired_after(&self, pause: Duration) -> anyhow::Result<()> {
        sleep(pause).await;
        for link in &self.world.links {
            link.to_postgres.restore().await?;
            link.to_redis.restore().await?;
        }
        Ok(())
    }

    async fn restarted(&self, process: usize) -> anyhow::Result<()> {
        let process = Arc::clone(self.processes.get(process).context("no such process")?);
        tokio::task::spawn_blocking(move || process.restart()).await?
    }
}
