//! What goes wrong with an instance that is a process.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use groovebase_tests::fault::Direction;
use tokio::time::sleep;

use super::Nemesis;
use crate::over_http::OverHttp;

/// What goes wrong with an instance that is a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstanceFault {
    IsKilled,
    IsKilledBetweenCommitAndInvalidation,
}

impl Nemesis<'_> {
    pub(super) async fn strike_instance(&mut self, fault: InstanceFault) -> anyhow::Result<()> {
        let index = self.random.usize(0..self.processes.len());
        let process = Arc::clone(self.processes.get(index).context("no such process")?);
        match fault {
            InstanceFault::IsKilled => restart(process).await,
            InstanceFault::IsKilledBetweenCommitAndInvalidation => {
                // Whatever it commits now, Redis does not hear of; and nobody else of what it has not acknowledged.
                let to_redis = &self.world.link(index)?.to_redis;
                to_redis.hold(Direction::ToServer);
                sleep(Duration::from_millis(40)).await;
                process.kill();
                to_redis.cut().await?;
                self.repaired_after(Duration::from_millis(500)).await?;
                restart(process).await
            }
        }
    }
}

async fn restart(process: Arc<OverHttp>) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || process.restart()).await?
}
