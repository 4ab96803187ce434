//! What goes wrong with PostgreSQL.

use std::time::Duration;

use groovebase_tests::fault::Direction;
use sea_orm::sqlx::{self, Connection, PgConnection};
use tokio::time::sleep;

use super::Nemesis;

/// What goes wrong with PostgreSQL, or on the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostgresFault {
    BackendsEnd,
    FollowersEnd,
    Restarts,
    IsKilled,
    StandsStill,
    IsAwayForLong,
    AnswersSlowly,
    AnswersLate,
    IsCutOff,
    IsHalfOpen,
}

impl Nemesis<'_> {
    pub(super) async fn strike_postgres(&mut self, fault: PostgresFault) -> anyhow::Result<()> {
        let postgres = &self.world.postgres;
        match fault {
            PostgresFault::BackendsEnd => self.end_backends("true").await,
            PostgresFault::FollowersEnd => {
                self.end_backends("query LIKE '%removed_artists WHERE version%'").await
            }
            PostgresFault::Restarts => postgres.restart().await,
            PostgresFault::IsKilled => {
                postgres.kill().await?;
                sleep(Duration::from_millis(500)).await;
                postgres.restart().await
            }
            PostgresFault::StandsStill => {
                postgres.pause().await?;
                sleep(Duration::from_millis(2_500)).await;
                postgres.resume().await
            }
            PostgresFault::IsAwayForLong => {
                // Until the last good values may no longer be handed out.
                postgres.stop_fast().await?;
                sleep(Duration::from_secs(6)).await;
                postgres.restart().await
            }
            PostgresFault::AnswersSlowly => {
                self.any_link()?.to_postgres.delay(Direction::Both, Duration::from_millis(40));
                self.repaired_after(Duration::from_secs(3)).await
            }
            PostgresFault::AnswersLate => {
                // What was asked before is answered when it is no longer true.
                for _ in 0..3 {
                    self.any_link()?.to_postgres.hold(Direction::ToClient);
                    self.repaired_after(Duration::from_millis(1_300)).await?;
                }
                Ok(())
            }
            PostgresFault::IsCutOff => {
                let link = self.any_link()?;
                link.to_postgres.refuse().await;
                link.to_postgres.cut().await?;
                self.repaired_after(Duration::from_secs(2)).await
            }
            PostgresFault::IsHalfOpen => {
                let proxy = &self.any_link()?.to_postgres;
                proxy.swallow(Direction::Both);
                // The server believes in a transaction that holds the lock of all writers.
                self.repaired_after(Duration::from_secs(3)).await?;
                proxy.cut().await
            }
        }
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
}
