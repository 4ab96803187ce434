//! What goes wrong with Redis.

use std::time::Duration;

use groovebase_tests::fault::Direction;
use tokio::time::sleep;

use super::Nemesis;

/// What goes wrong with Redis, or on the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RedisFault {
    ForgetsAll,
    DropsItsClients,
    HoldsItsClientsUp,
    IsKilledAndComesBackWithOldValues,
    StandsStill,
    HoldsOldValues,
    HoldsForeignValues,
    HoldsTornValues,
    AnswersSlowly,
    AnswersTooLate,
    HearsLate,
    IsCutOff,
    IsHalfOpen,
}

impl Nemesis<'_> {
    pub(super) async fn strike_redis(&mut self, fault: RedisFault) -> anyhow::Result<()> {
        let redis = &self.world.redis;
        match fault {
            RedisFault::ForgetsAll => self.often(&["FLUSHALL"]).await,
            RedisFault::DropsItsClients => self.often(&["CLIENT", "KILL", "TYPE", "normal"]).await,
            RedisFault::HoldsItsClientsUp => self.often(&["CLIENT", "PAUSE", "200"]).await,
            RedisFault::IsKilledAndComesBackWithOldValues => {
                let snapshot = redis.save_snapshot().await?;
                sleep(Duration::from_millis(1_500)).await;
                redis.kill().await?;
                sleep(Duration::from_millis(300)).await;
                redis.restart_from(&snapshot).await
            }
            RedisFault::StandsStill => {
                redis.pause().await?;
                sleep(Duration::from_secs(3)).await;
                redis.resume().await
            }
            RedisFault::HoldsOldValues => {
                self.poison("redis.call('COPY', key, 'old' .. key, 'REPLACE')", 1).await?;
                sleep(Duration::from_millis(300)).await;
                let bring_back = "if redis.call('EXISTS', 'old' .. key) == 1 then \
                                  redis.call('COPY', 'old' .. key, key, 'REPLACE') end";
                self.poison(bring_back, 30).await
            }
            RedisFault::HoldsForeignValues => {
                let next = "local next = keys[index % #keys + 1] \
                            if next ~= key then redis.call('COPY', next, key, 'REPLACE') end";
                self.poison(next, 30).await
            }
            RedisFault::HoldsTornValues => {
                let cut_short = "local value = redis.call('GET', key) \
                                 redis.call('SET', key, value:sub(1, #value - index))";
                self.poison(cut_short, 15).await?;
                let overwrite = "local size = redis.call('STRLEN', key) \
                                 redis.call('SETRANGE', key, (index * 37) % (size + 1), 'x')";
                self.poison(overwrite, 15).await
            }
            RedisFault::AnswersSlowly => {
                self.delay_all(Direction::Both, Duration::from_millis(15));
                self.repaired_after(Duration::from_secs(2)).await
            }
            RedisFault::AnswersTooLate => {
                self.delay_all(Direction::ToClient, Duration::from_millis(120));
                self.repaired_after(Duration::from_secs(3)).await
            }
            RedisFault::HearsLate => {
                // Each set that was held back arrives when newer ones from elsewhere have been there for long.
                for _ in 0..4 {
                    self.any_link()?.to_redis.hold(Direction::ToServer);
                    self.repaired_after(Duration::from_millis(600)).await?;
                }
                Ok(())
            }
            RedisFault::IsCutOff => {
                let link = self.any_link()?;
                link.to_redis.refuse().await;
                link.to_redis.cut().await?;
                self.repaired_after(Duration::from_secs(2)).await
            }
            RedisFault::IsHalfOpen => {
                let proxy = &self.any_link()?.to_redis;
                proxy.swallow(Direction::ToClient);
                sleep(Duration::from_secs(1)).await;
                proxy.swallow(Direction::Both);
                self.repaired_after(Duration::from_secs(1)).await?;
                proxy.cut().await
            }
        }
    }

    /// Runs a command some times in a row.
    async fn often(&self, command: &[&str]) -> anyhow::Result<()> {
        for _ in 0..8 {
            self.world.redis.run(command).await?;
            sleep(Duration::from_millis(150)).await;
        }
        Ok(())
    }

    /// Does something to each profile, so many times. In a script, since values are bytes.
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

    fn delay_all(&self, direction: Direction, delay: Duration) {
        for link in &self.world.links {
            link.to_redis.delay(direction, delay);
        }
    }
}
